"""`warmcube.query.deadline`: a step of a query ends when the query's time is over."""

from __future__ import annotations

import asyncio
import time

import pytest

from warmcube.errors import QueryTimeout, StoreUnavailable
from warmcube.query.deadline import READING, Within, time_left


def test_time_left_is_never_below_nothing() -> None:
    """What is over has no time left."""
    now = time.monotonic()
    assert time_left(now - 5) == 0
    assert 99 < time_left(now + 100) <= 100


async def test_a_step_that_lasts_too_long_is_ended() -> None:
    """The error says how long the query had, and what it was at; it hides no other."""
    with pytest.raises(QueryTimeout, match=r"in 2\.5 s .*while reading the store"):
        async with Within(time.monotonic() + 0.01, 2.5, READING):
            await asyncio.Event().wait()
    with pytest.raises(QueryTimeout):
        async with Within(time.monotonic() - 1, 2.5, READING):
            await asyncio.sleep(0.001)
    with pytest.raises(StoreUnavailable):
        async with Within(time.monotonic() + 60, 2.5, READING):
            raise StoreUnavailable("gone")
    async with Within(time.monotonic() + 60, 2.5, READING):
        pass


async def test_what_comes_gives_the_next_its_time() -> None:
    """Each piece of something long has as long as a query, once the first has come in time."""
    async with Within(time.monotonic() + 30, 60.0, READING) as step:
        due = step._timeout.when()
        before = step.until
        step.came()
        assert 20 < step.until - before < 40
        later = step._timeout.when()
        assert due is not None
        assert later is not None
        assert 20 < later - due < 40

    async def take(until: float, seconds: float) -> None:
        async with Within(until, seconds, READING) as step:
            step.came()
            try:
                await asyncio.Event().wait()
            finally:
                step.came()  # which is too late

    with pytest.raises(QueryTimeout):
        await take(time.monotonic() + 60, 0.01)


async def test_whoever_is_cancelled_stays_cancelled() -> None:
    """A cancellation from outside is no time-out."""

    async def step() -> None:
        async with Within(time.monotonic() + 60, 2.5, READING):
            await asyncio.Event().wait()

    task = asyncio.create_task(step())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
