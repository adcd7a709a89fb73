"""`warmcube.fallback.flights`: what many want is done once, and nobody who gives up ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.errors import NotUsable, Overloaded, SourceUnavailable
from warmcube.fallback.flights import Flight, Flights, OutOfTime

LONG = 30.0


class Work:
    """Work that ends when it is told to, and counts."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, flight: Flight[object]) -> object:
        """Do it."""
        self.begun += 1
        flight.has_begun = True
        try:
            await self.go.wait()
            if self.error is not None:
                raise self.error
            return object()
        finally:
            self.ended += 1


async def settle() -> None:
    """Let all that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_many_want_is_done_once() -> None:
    """All have the same; whoever comes later begins anew, and so does another key."""
    flights: Flights[object] = Flights()
    work = Work()
    asked = [asyncio.create_task(flights.join("key", work, LONG)) for _ in range(5)]
    other = asyncio.create_task(flights.join("other", work, LONG))
    await settle()
    assert (work.begun, len(flights)) == (2, 2)
    work.go.set()
    found = await asyncio.gather(*asked)
    assert len(set(map(id, found))) == 1
    assert await other is not found[0]
    assert await flights.join("key", work, LONG) is not found[0]
    assert len(flights) == 0


async def test_who_began_it_may_give_up() -> None:
    """The others have what they waited for."""
    flights: Flights[object] = Flights()
    work = Work()
    first, second = (asyncio.create_task(flights.join("key", work, LONG)) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert (first.cancelled(), work.ended) == (True, 0)
    work.go.set()
    assert await second is not None
    assert work.begun == 1


async def test_what_nobody_waits_for_ends() -> None:
    """And nobody joins it while it does."""
    flights: Flights[object] = Flights()
    work = Work()
    asked = [asyncio.create_task(flights.join("key", work, LONG)) for _ in range(2)]
    await settle()
    for each in asked:
        each.cancel()
    await asyncio.wait(asked)
    assert len(flights) == 0
    work.go.set()
    assert await flights.join("key", work, LONG) is not None
    await settle()
    assert (work.begun, work.ended) == (2, 2)


async def test_each_has_a_deadline_of_its_own() -> None:
    """One whose time is over is told whether it was being done; the others go on."""
    flights: Flights[object] = Flights()
    work = Work()
    patient = asyncio.create_task(flights.join("key", work, LONG))
    with pytest.raises(OutOfTime) as caught:
        await flights.join("key", work, 0.01)
    assert caught.value.has_begun
    work.go.set()
    assert await patient is not None

    async def wait(flight: Flight[object]) -> object:
        del flight
        return await asyncio.Event().wait()

    with pytest.raises(OutOfTime) as caught:
        await flights.join("waits", wait, 0.01)
    assert not caught.value.has_begun
    with pytest.raises(OutOfTime):
        await flights.join("waits", wait, 0.0)
    assert len(flights) == 0


@pytest.mark.parametrize(
    "error", [SourceUnavailable("gone"), Overloaded("full", retry_after=7.0), TimeoutError("own")]
)
async def test_all_are_told_why_it_failed(error: Exception) -> None:
    """Each has the error, a time-out of the work's own included."""
    flights: Flights[object] = Flights()
    work = Work()
    work.error = error
    asked = [asyncio.create_task(flights.join("key", work, LONG)) for _ in range(3)]
    await settle()
    work.go.set()
    found: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    assert [(type(each), str(each)) for each in found] == [(type(error), str(error))] * 3
    assert [getattr(each, "retry_after", 7.0) for each in found] == [7.0] * 3
    assert work.begun == 1


async def test_closing_ends_all() -> None:
    """Those who wait are told why nothing comes any more, and so are those who come later."""
    flights: Flights[object] = Flights()
    work = Work()
    asked = [asyncio.create_task(flights.join("key", work, LONG)) for _ in range(2)]
    await settle()
    late = asyncio.create_task(flights.join("late", work, LONG))
    closing = asyncio.create_task(flights.close(NotUsable("closed")))
    found = await asyncio.gather(*asked, late, return_exceptions=True)
    await closing
    assert [(type(each), str(each)) for each in found] == [(NotUsable, "closed")] * 3
    assert found[0] is not found[1]
    assert (work.begun - work.ended, len(flights)) == (0, 0)
    with pytest.raises(NotUsable):
        await flights.join("key", work, LONG)
    await flights.close(NotUsable("closed"))


async def test_who_is_cancelled_while_it_closes_is_just_that() -> None:
    """Nobody's own end is turned into an error of the closing."""
    flights: Flights[object] = Flights()
    asked = asyncio.create_task(flights.join("key", Work(), LONG))
    await settle()
    closing = asyncio.create_task(flights.close(NotUsable("closed")))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    await closing
    assert asked.cancelled()


async def test_closing_doesnt_wait_for_what_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that ignores that it should end is left alone; whoever waits for it is told."""
    monkeypatch.setattr("warmcube.fallback.flights.CLOSE_SECONDS", 0.05)
    flights: Flights[object] = Flights()
    go = asyncio.Event()

    async def stubborn(flight: Flight[object]) -> object:
        flight.has_begun = True
        while not go.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await go.wait()
        return object()

    asked = asyncio.create_task(flights.join("key", stubborn, LONG))
    await settle()
    async with asyncio.timeout(LONG):
        await flights.close(NotUsable("closed"))
        with pytest.raises(NotUsable):
            await asked
    go.set()
    await settle()


STEPS = st.lists(
    st.tuples(st.sampled_from(["join", "cancel", "end", "fail", "turn"]), st.integers(0, 7)),
    max_size=60,
)


@given(steps=STEPS)
def test_any_interleaving(steps: list[tuple[str, int]]) -> None:
    """Whoever isn't cancelled has what the one flight of their key came to that they waited for.

    At no time are there two flights of a key with somebody waiting for each, and in the end nothing
    is left under way.
    """
    asyncio.run(_interleave(steps))


async def _interleave(  # noqa: C901, PLR0912 - one branch for each step
    steps: list[tuple[str, int]],
) -> None:
    flights: Flights[tuple[int, int]] = Flights()
    inside: Counter[int] = Counter()
    serial = 0
    running: dict[int, asyncio.Future[None]] = {}
    asked: list[tuple[int, asyncio.Task[tuple[int, int]]]] = []
    cancelled = set()

    def work(key: int) -> Any:
        async def do(flight: Flight[tuple[int, int]]) -> tuple[int, int]:
            nonlocal serial
            serial += 1
            mine = serial
            flight.has_begun = True
            inside[key] += 1
            assert inside[key] == 1
            running[key] = asyncio.get_running_loop().create_future()
            try:
                await running[key]
                return key, mine
            finally:
                inside[key] -= 1

        return do

    for what, number in steps:
        key = number % 2
        if what == "join":
            asked.append((key, asyncio.create_task(flights.join(key, work(key), LONG))))
        elif what == "cancel" and asked:
            _, task = asked[number % len(asked)]
            if not task.done() and task.cancel():
                cancelled.add(task)
        elif what == "turn":
            await settle()
        elif key in running and not running[key].done():
            if what == "end":
                running[key].set_result(None)
            elif what == "fail":
                running[key].set_exception(SourceUnavailable(f"of {key}"))
    while not all(task.done() for _, task in asked):
        await settle()
        for future in running.values():
            if not future.done():
                future.set_result(None)
    await settle()
    assert len(flights) == 0
    assert not +inside
    for key, task in asked:
        if task.cancelled():
            assert task in cancelled
        elif task.exception() is not None:
            assert str(task.exception()) == f"of {key}"
        else:
            assert task.result()[0] == key
