"""`warmcube.fallback.guard`: reads end in time, and tell how their database is."""

from __future__ import annotations

import asyncio

import pytest

from warmcube.errors import NotUsable, QueryTimeout, SourceUnavailable
from warmcube.fallback.guard import SourceGuard

LONG = 30.0


class Database:
    """Answers pings, or doesn't."""

    def __init__(self) -> None:
        self.pings = 0
        self.error: Exception | None = None

    async def ping(self) -> None:
        """Be there, or not."""
        self.pings += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    """One that is there, looked at soon."""
    monkeypatch.setattr("warmcube.fallback.guard.NOTICE", 0.02)
    monkeypatch.setattr("warmcube.fallback.guard.PAUSE", 0.01)
    return Database()


async def until_pinged(database: Database, times: int = 1) -> None:
    """Wait until it was looked at so often."""
    async with asyncio.timeout(LONG):
        while database.pings < times:  # noqa: ASYNC110 - nobody signals it
            await asyncio.sleep(0.005)


async def test_a_slow_read_has_the_database_looked_at(database: Database) -> None:
    """Also between two pieces; a database that is there lets others begin meanwhile."""
    guard = SourceGuard("main", database.ping)
    async with guard.watch(LONG, LONG) as watch:
        await until_pinged(database)
        watch.came(LONG)
        await until_pinged(database, 2)
        guard.require()
    await guard.close()


async def test_a_read_ends_when_nothing_comes(database: Database) -> None:
    """First, or after a piece; whoever comes next finds out whether the database is there."""
    guard = SourceGuard("main", database.ping)
    with pytest.raises(QueryTimeout, match=r"in 7 s .*reading the database"):
        async with guard.watch(0.0, 7.0):
            await asyncio.Event().wait()
    database.error = SourceUnavailable("gone", is_unreachable=True)

    async def take_one() -> None:
        async with guard.watch(LONG, 7.0) as watch:
            watch.came(0.0)
            await asyncio.Event().wait()

    with pytest.raises(QueryTimeout):
        await take_one()
    await until_pinged(database, 2)
    with pytest.raises(SourceUnavailable, match="gone"):
        async with guard.watch(LONG, 7.0):
            raise AssertionError
    database.error = None
    async with asyncio.timeout(LONG):
        while True:
            try:
                guard.require()
            except SourceUnavailable:
                await asyncio.sleep(0.005)
            else:
                break
    await guard.close()


async def test_one_that_cant_be_reached_keeps_others_out(database: Database) -> None:
    """At once, with its reason; one that says why it can't keeps nobody out."""
    guard = SourceGuard("main", database.ping)
    with pytest.raises(SourceUnavailable):
        async with guard.watch(LONG, LONG):
            raise SourceUnavailable("it was stopped")
    guard.require()
    database.error = SourceUnavailable("no route", is_unreachable=True)
    with pytest.raises(SourceUnavailable):
        async with guard.watch(LONG, LONG):
            raise SourceUnavailable("no route", is_unreachable=True)
    with pytest.raises(SourceUnavailable, match="no route"):
        guard.require()
    await guard.close()


async def test_what_comes_as_it_closes_keeps_no_read_going(database: Database) -> None:
    """A read of which something comes in the very moment of closing ends all the same."""
    guard, arrived = SourceGuard("main", database.ping), asyncio.Event()

    async def read() -> None:
        async with guard.watch(LONG, LONG) as watch:
            await arrived.wait()
            watch.came(LONG)
            await asyncio.Event().wait()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    arrived.set()
    async with asyncio.timeout(10):
        await guard.close()
        with pytest.raises(NotUsable, match="closed while this was read"):
            await reading


async def test_closing_ends_reads(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told; one that doesn't end is left alone; none begins any more."""
    guard = SourceGuard("main", database.ping)

    async def read() -> None:
        async with guard.watch(LONG, LONG):
            await asyncio.Event().wait()

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    await guard.close()
    with pytest.raises(NotUsable, match="closed while this was read"):
        await reading
    with pytest.raises(NotUsable):
        guard.require()
    guard.suspect()
    assert guard._task is None
    monkeypatch.setattr("warmcube.fallback.guard.CLOSE_SECONDS", 0.02)
    other, go = SourceGuard("main", database.ping), asyncio.Event()

    async def stubborn() -> None:
        async with other.watch(LONG, LONG) as watch:
            try:
                await asyncio.Event().wait()
            finally:
                watch.came(LONG)  # which is too late
                await go.wait()

    reading = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(LONG):
        await other.close()
    go.set()
    with pytest.raises(NotUsable):
        await reading
