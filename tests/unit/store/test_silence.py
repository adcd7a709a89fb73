"""`warmcube.store.silence`: a trip ends when nobody has heard of its server for long enough."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from warmcube.store.breaker import Breaker
from warmcube.store.silence import Silence

SHORT, LONG = 0.05, 10.0


async def silent_trip(
    breaker: Breaker, begun: Callable[[asyncio.Timeout, Silence], object] = lambda *_: None
) -> None:
    """One that gets no reply."""
    async with asyncio.timeout(LONG) as deadline:
        silence = Silence(deadline, breaker, SHORT)
        begun(deadline, silence)
        try:
            await asyncio.Event().wait()
        finally:
            silence.end()


async def test_it_ends_after_silence() -> None:
    """At once when nothing was heard for the time that the trip may take."""
    now = asyncio.get_running_loop().time
    began = now()
    with pytest.raises(TimeoutError):
        await silent_trip(Breaker())
    assert now() - began < LONG / 2


async def test_what_others_hear_lets_it_go_on() -> None:
    """As long as there is something."""
    breaker, now = Breaker(), asyncio.get_running_loop().time
    async with asyncio.timeout(LONG) as deadline:
        silence = Silence(deadline, breaker, 1.0)
        began = now()
        while now() - began < 2.5:
            breaker.heard = now()
            await asyncio.sleep(0.01)
        silence.end()
    with pytest.raises(TimeoutError):
        await silent_trip(breaker)


async def test_a_deadline_that_is_moved_as_it_ends_is_watched_on() -> None:
    """A reply may come at the very moment, and silence again after it."""
    loop = asyncio.get_running_loop()
    moved: list[float] = []

    def begun(deadline: asyncio.Timeout, silence: Silence) -> None:
        def move() -> None:
            deadline.reschedule(loop.time() + LONG)
            moved.append(loop.time())

        loop.call_at(silence._due + 1e-6, move)

    with pytest.raises(TimeoutError):
        await silent_trip(Breaker(), begun)
    assert loop.time() - moved[0] < LONG / 2


async def test_a_trip_that_has_ended_is_left_alone() -> None:
    """Its deadline can't be moved any more."""
    async with asyncio.timeout(LONG) as deadline:
        silence = Silence(deadline, Breaker(), SHORT)
        silence.end()
        await asyncio.sleep(4 * SHORT)
    assert not deadline.expired()
