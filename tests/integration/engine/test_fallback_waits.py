"""How long one waits for the database: as long as one may oneself, whatever others do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import ACCESS, TABLE, execute, select
from tests.support.fallback import (
    CHARGES,
    SLACK,
    a_cache,
    frozen,
    until,
    waiting_for_flights,
)
from tests.support.own_redis import OwnRedis, own_redis

from warmcube import AnalyticsCache, Query
from warmcube.embedded import EmbeddedPostgres
from warmcube.errors import NotUsable, Overloaded, QueryTimeout, SourceUnavailable
from warmcube.fallback.spool import Spool
from warmcube.query.result import Result

ROOTS = 12 * 5 * 6 + 1  # one value more is NULL
NORTHS = 3 * 5 * 6
EXPORTING = ACCESS.replace('"analytics:read:all"', '"analytics:read:all", "analytics:export:all"')
ROWS = Query(datasource=1, measure="Charges", frequency="Monthly")


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A database of these tests' own, with the table, to be frozen."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("own") / "postgres") as started:
        execute(started.url, TABLE)
        yield started


@pytest.fixture
def server(tmp_path: Path, redis_executable: Path | None) -> Iterator[OwnRedis]:
    """A Redis of this test's own."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder, redis_executable) as started:
        yield started


def allow(cache: AnalyticsCache, seconds: float, for_reads: float | None = None) -> None:
    """Give whoever asks from now on so much time, and as much, or so much, to reads that begin."""
    answerer = cache._parts.answerer
    answerer._seconds = seconds
    answerer.shared._seconds = seconds if for_reads is None else for_reads


async def test_who_joins_a_read_late_has_a_deadline_of_their_own(
    tmp_path: Path, redis_url: str, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with the time of whoever began it: the next one is theirs who have more left."""
    monkeypatch.setattr("warmcube.fallback.shared.GRACE", 0.0)
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        gate.opened = 0
        gate.open.clear()
        allow(cache, 0.5)
        first = asyncio.create_task(cache.query(CHARGES, root))
        await until(lambda: gate.inside == 1)
        allow(cache, 30.0, 0.5)
        late = [asyncio.create_task(cache.query(CHARGES, root)) for _ in range(3)]
        await until(lambda: gate.opened >= 1 and waiting_for_flights(cache) >= 3)
        with pytest.raises(QueryTimeout):
            await first
        await until(lambda: gate.opened >= 2)
        assert not any(each.done() for each in late)
        allow(cache, 30.0)
        await until(lambda: gate.opened >= 3)  # one that began with enough time
        gate.open.set()
        assert [(await each).rows() for each in late] == [[{"count": ROOTS}]] * 3


async def test_who_joins_late_waits_for_a_place_as_long_as_they_may(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Whoever began it gives up at their own deadline; the read keeps its turn for the others."""
    async with a_cache(tmp_path, redis_url, facts, cache__fallback_slots=1) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        await cache.query(CHARGES, root)
        gate.open.clear()
        other = asyncio.create_task(cache.query(CHARGES, north))
        await until(lambda: gate.inside == 1)
        allow(cache, 0.3)
        first = asyncio.create_task(cache.query(CHARGES, root))
        await until(lambda: waiting_for_flights(cache) == 2)
        allow(cache, 30.0)
        late = asyncio.create_task(cache.query(CHARGES, root))
        with pytest.raises(Overloaded, match=r"none became free in 0\.\d+ s"):
            await first
        await asyncio.sleep(0.1)
        gate.open.set()
        assert (await other).rows() == [{"count": NORTHS}]
        assert (await late).rows() == [{"count": ROOTS}]


async def test_who_joins_with_less_time_gives_up_alone(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """At their own deadline, in words of their own; the read goes on for whoever has more."""
    async with a_cache(tmp_path, redis_url, facts) as (cache, gate):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        gate.opened = 0
        gate.open.clear()
        first = asyncio.create_task(cache.query(CHARGES, root))
        await until(lambda: gate.inside == 1)
        allow(cache, 0.2)
        with pytest.raises(QueryTimeout, match=r"0\.2 s .*reading the database"):
            await cache.query(CHARGES, root)
        gate.open.set()
        assert (await first).rows() == [{"count": ROOTS}]
        assert gate.opened == 1


async def test_nobody_joins_a_read_of_a_database_that_is_known_to_be_silent(
    tmp_path: Path, server: OwnRedis, postgres: EmbeddedPostgres
) -> None:
    """Once a look has found it so, whoever asks for the same is told at once."""
    server.kill()
    async with a_cache(tmp_path, server.url, postgres.url) as (cache, _):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        with frozen(postgres):
            first = asyncio.create_task(cache.query(CHARGES, root))
            guard = cache._parts.answerer.shared.guard("main")
            await until(lambda: guard._breaker.is_open)
            assert not first.done()
            began = time.monotonic()
            with pytest.raises(SourceUnavailable, match="source 'main'"):
                await cache.query(CHARGES, root)
            assert time.monotonic() - began < 1 + SLACK
            first.cancel()
            await asyncio.wait([first])
        await until(lambda: not guard._breaker.is_open)


async def test_closing_tells_all_who_wait(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Readers, those who wait for a place, and exports: a clear error, and nothing goes on."""
    settings: dict[str, Any] = {"cache__fallback_slots": 2, "access": EXPORTING}
    async with a_cache(tmp_path, redis_url, facts, **settings) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        await cache.query(CHARGES, root)
        gate.open.clear()
        export = asyncio.create_task(cache.export_stream(ROWS, root, "csv"))
        reads = [asyncio.create_task(cache.query(CHARGES, root)) for _ in range(3)]
        await until(lambda: gate.inside == 2)
        waiting = asyncio.create_task(cache.query(CHARGES, north))
        batch = asyncio.create_task(cache.query_many([CHARGES], north))
        await until(lambda: waiting_for_flights(cache) == 5)
        began = time.monotonic()
        await cache.__aexit__(None, None, None)
        assert time.monotonic() - began < 2 + SLACK
        found = await asyncio.gather(export, *reads, waiting, return_exceptions=True)
        assert [type(each) for each in found] == [NotUsable] * 5
        assert {str(each) for each in found} == {
            "the cache was closed while this was read; ask again when it is open"
        }
        assert [type(each) for each in await batch] == [NotUsable]
        assert gate.inside == 0
    left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'warmcube' AND datname ="
    assert select(facts, f"{left} current_database()") == [(0,)]


async def test_closing_doesnt_wait_for_a_silent_database(
    tmp_path: Path, server: OwnRedis, postgres: EmbeddedPostgres
) -> None:
    """What it holds on to is let go of; whoever waits for it is told at once."""
    server.kill()
    async with a_cache(tmp_path, server.url, postgres.url) as (cache, gate):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        with frozen(postgres):
            reads = [asyncio.create_task(cache.query(CHARGES, root)) for _ in range(3)]
            await until(lambda: gate.inside == 1)
            await asyncio.sleep(0.2)  # so that a thread waits for it
            began = time.monotonic()
            closing = asyncio.create_task(cache.__aexit__(None, None, None))
            found = await asyncio.gather(*reads, return_exceptions=True)
            assert [type(each) for each in found] == [NotUsable] * 3
            assert time.monotonic() - began < 1 + SLACK
            await closing
            assert time.monotonic() - began < 5 + SLACK


@pytest.mark.parametrize("batches", [0, 3])
async def test_an_export_from_a_database_that_falls_silent_ends(
    tmp_path: Path,
    server: OwnRedis,
    postgres: EmbeddedPostgres,
    monkeypatch: pytest.MonkeyPatch,
    batches: int,
) -> None:
    """Before its first piece or between two: an error in time, which others needn't wait for."""
    server.kill()
    monkeypatch.setattr("warmcube.source.postgres_snapshot._FETCHED_ROWS", 20)
    settings: dict[str, Any] = {"cache__query_timeout": 2000, "access": EXPORTING}
    async with a_cache(tmp_path, server.url, postgres.url, **settings) as (cache, _):
        root = await cache.authorize("root")
        await cache.query(CHARGES, root)
        came = 0
        go_on, arrived = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        add = Spool.add

        def added(spool: Spool, batch: Any) -> None:
            nonlocal came
            came += 1
            if came == batches:
                loop.call_soon_threadsafe(arrived.set)
                asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(20)
            add(spool, batch)

        monkeypatch.setattr(Spool, "add", added)
        export: asyncio.Task[Any] | None = None
        if batches:
            export = asyncio.create_task(cache.export_stream(ROWS, root, "csv"))
            await arrived.wait()
        with frozen(postgres):
            began = time.monotonic()
            go_on.set()
            export = export or asyncio.create_task(cache.export_stream(ROWS, root, "csv"))
            with pytest.raises(QueryTimeout, match="reading the database"):
                await export
            assert time.monotonic() - began < 2 + 1 + 2 + SLACK
            guard = cache._parts.answerer.shared.guard("main")
            await until(lambda: guard._breaker.is_open)
            began = time.monotonic()
            with pytest.raises(SourceUnavailable, match="source 'main'"):
                await cache.export_stream(ROWS, root, "csv")
            assert time.monotonic() - began < 1 + SLACK
        await until(lambda: not guard._breaker.is_open)
        assert cache._parts.answerer._falling_back.taken == 0
        stream = await cache.export_stream(ROWS, root, "csv")
        lines = b"".join([data async for data in stream]).splitlines()
        assert len(lines) == 1 + ROOTS + 1  # its head, and the row whose value is NULL


async def test_an_export_whose_store_is_slow_ends_at_its_deadline(
    tmp_path: Path, server: OwnRedis, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a query does, and says what it was at."""
    monkeypatch.setattr("warmcube.store.paced.STEP_SECONDS", 30.0)
    async with a_cache(tmp_path, server.url, facts, access=EXPORTING) as (cache, _):
        await cache.warm(1)
        root = await cache.authorize("root")
        stream = await cache.export_stream(ROWS, root, "csv")
        assert stream.meta.origin == "store"
        await stream.aclose()
        allow(cache, 0.4)
        server.freeze()
        began = time.monotonic()
        with pytest.raises((QueryTimeout, SourceUnavailable), match=r"0\.4 s .*reading the store"):
            await cache.export_stream(ROWS, root, "csv")
        assert time.monotonic() - began < 0.4 + SLACK
        server.thaw()


async def test_closing_doesnt_wait_for_a_silent_store(
    tmp_path: Path, server: OwnRedis, facts: str
) -> None:
    """What was counted and couldn't be written yet is given up after a second."""
    async with a_cache(tmp_path, server.url, facts) as (cache, _):
        await cache.warm(1)
        root = await cache.authorize("root")
        result: Result = await cache.query(CHARGES, root)
        assert result.meta.origin == "store"
        server.freeze()
        began = time.monotonic()
    took = time.monotonic() - began
    server.thaw()
    assert took < 1 + SLACK / 2
