"""Switching off and rolling back, seen by other processes that hold answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.caches import BY_ENTRIES, TABLE, execute, hold_partitions, make_cache
from tests.support.charges import ask, expected, told

from warmcube import AnalyticsCache
from warmcube.errors import RollbackRefused, UnknownDatasource

VISIBLE = "practice_uid IN (101, 102, 103)"
BOUND = 3.0
"""Seconds; a second is demanded, and the machine may be loaded."""


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache that keeps a snapshot; what others do to it comes through the store."""
    async with make_cache(
        tmp_path, redis_url, facts, environment={"WARMCUBE_CACHE__KEEP_SNAPSHOTS": "1"}
    ) as made:
        await made.warm(1)
        yield made


async def origin_becomes(cache: AnalyticsCache, wanted: set[str], facts: str) -> None:
    """Ask until answers come from there; each of them is right."""
    deadline = time.monotonic() + BOUND
    while True:
        found = await ask(cache, "north")
        assert told(found) == expected(facts, VISIBLE)
        if found.meta.origin in wanted:
            return
        assert time.monotonic() < deadline, f"still {found.meta.origin} after {BOUND} s"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("holds", ["answers", "partitions", "index"])
async def test_every_process_answers_from_the_database(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str, holds: str
) -> None:
    """Within a second, also one that holds answers, partitions or the index; and back again."""
    folder = tmp_path / "other"
    folder.mkdir()
    environment = BY_ENTRIES if holds == "index" else {}
    async with make_cache(folder, redis_url, facts, environment=environment) as other:
        if holds == "partitions":
            await hold_partitions(other)
        for _ in range(3):
            await ask(other, "north")
        done = await cache.disable(1)
        assert (done.changed, done.is_disabled) == (True, True)
        assert (await ask(cache, "north")).meta.origin == "database"
        await origin_becomes(other, {"database"}, facts)
        assert (await cache.stats(1)).state == "disabled"
        assert (await cache.health()).datasources[0].state == "cold"
        await cache.enable(1)
        await origin_becomes(other, {"store", "resident"}, facts)


async def test_misses_say_why(cache: AnalyticsCache) -> None:
    """An operator sees in the figures that it is the switch, and no fault."""
    await cache.disable(1)
    await ask(cache, "north")
    assert cache.metrics is not None
    text = (await cache.metrics.exposition())[0].decode()
    lines = [line for line in text.splitlines() if 'reason="disabled"' in line]
    assert [line.rsplit(" ", 1)[1] for line in lines if "miss" in line] == ["1.0"]


async def test_another_process_goes_back_too(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str
) -> None:
    """To the rows of the snapshot before, in what it holds as well; the table itself is later."""
    before = expected(facts, VISIBLE)
    snapshot = (await cache.stats(1)).snapshot
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    folder = tmp_path / "other"
    folder.mkdir()
    async with make_cache(folder, redis_url, facts) as other:
        for _ in range(3):
            assert told(await ask(other, "north")) == expected(facts, VISIBLE) != before
        done = await cache.rollback(1)
        assert (done.snapshot, done.pinned_by) == (snapshot, "library")
        assert told(await ask(cache, "north")) == before
        deadline = time.monotonic() + BOUND
        while (found := await ask(other, "north")).meta.snapshot != snapshot:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        assert told(found) == before
    assert (await cache.unpin(1)).pinned_by is None
    with pytest.raises(RollbackRefused):
        await cache.rollback(1)


async def test_only_configured_data_sources_are_steered(cache: AnalyticsCache) -> None:
    """An unknown id is an error, not a key."""
    for steer in (cache.rollback, cache.unpin, cache.disable, cache.enable):
        with pytest.raises(UnknownDatasource):
            await steer(99)
