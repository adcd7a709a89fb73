"""Reads wait their turn: each user's own, and those of the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import TABLE, execute, make_cache
from tests.support.gate import Gate

from warmcube import AnalyticsCache, Query
from warmcube.errors import Overloaded

CHARGES = Query(datasource=1, measure="Charges", frequency="Monthly", aggregate="count")
PARTITIONS = [
    replace(CHARGES, measure=measure, frequency=frequency)
    for measure in ("Charges", "A/R > 90 days: {net} 100%")
    for frequency in ("Monthly", "Weekly")
]

ROOTS = 12 * 5 * 6 + 1  # one value more is NULL
NORTHS = 3 * 5 * 6


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@asynccontextmanager
async def cold_cache(
    folder: Path, redis_url: str, facts: str, **settings: Any
) -> AsyncIterator[tuple[AnalyticsCache, Gate]]:
    """A cache that has to ask the database, and the gate before it; it knows the columns."""
    environment = {f"WARMCUBE_{name.upper()}": str(value) for name, value in settings.items()}
    async with make_cache(folder, redis_url, facts, environment=environment) as cache:
        gate = Gate(cache._parts.sources["main"])
        cache._parts.sources["main"] = gate
        gate.open.set()
        await cache.query(CHARGES, await cache.authorize("nobody"))
        gate.open.clear()
        gate.most = gate.opened = 0
        yield cache, gate


async def until(condition: Any) -> None:
    """Wait until others have brought something about."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.002)


async def test_the_database_gets_only_so_many_reads_at_a_time(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """The others wait, and all are answered in the end."""
    async with cold_cache(tmp_path, redis_url, facts, cache__fallback_slots=3) as (cache, gate):
        grants = [await cache.authorize(user) for user in ("root", "north", "provider")]
        asked = [
            asyncio.create_task(cache.query(query, grant))
            for query in PARTITIONS
            for grant in grants
        ]
        slots = cache._parts.answerer._falling_back
        await until(lambda: slots.waiting == 9)
        assert (slots.taken, gate.inside) == (3, 3)
        gate.open.set()
        counts = Counter(
            [
                (result.meta.origin, *result.rows()[0].values())
                for result in await asyncio.gather(*asked)
            ]
        )
        assert counts == {
            ("database", ROOTS): 1,
            ("database", ROOTS - 1): 3,
            ("database", NORTHS): 4,
            ("database", 3 * 6): 4,
        }
        assert (gate.most, slots.taken) == (3, 0)


async def test_waiting_for_the_database_ends_at_the_deadline(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """With a hint when to ask again, though another's read goes on."""
    settings = {"cache__fallback_slots": 1}
    async with cold_cache(tmp_path, redis_url, facts, **settings) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        first = asyncio.create_task(cache.query(CHARGES, root))
        await until(lambda: gate.inside == 1)
        cache._parts.answerer._seconds = 0.05
        with pytest.raises(Overloaded, match="fallback_slots = 1") as caught:
            await cache.query(CHARGES, north)
        assert caught.value.retry_after > 0
        gate.open.set()
        assert (await first).rows() == [{"count": ROOTS}]
        cache._parts.answerer._seconds = 10.0
        assert (await cache.query(CHARGES, north)).rows() == [{"count": NORTHS}]


async def test_a_user_has_only_so_many_reads_at_a_time(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Whoever asks for more waits, and nobody else does."""
    settings = {"limits__running_per_user": 2}
    async with cold_cache(tmp_path, redis_url, facts, **settings) as (cache, gate):
        root, north = await cache.authorize("root"), await cache.authorize("north")
        mine = [asyncio.create_task(cache.query(CHARGES, root)) for _ in range(6)]
        await until(lambda: gate.inside == 1)  # both ask for the same
        theirs = asyncio.create_task(cache.query(CHARGES, north))
        await until(lambda: gate.inside == 2)
        assert cache._parts.answerer._running.waiting == 4
        cache._parts.answerer._seconds = 0.05
        with pytest.raises(Overloaded, match="running_per_user = 2"):
            await cache.query(CHARGES, root)
        cache._parts.answerer._seconds = 10.0
        gate.open.set()
        assert (await theirs).rows() == [{"count": NORTHS}]
        assert [result.rows() for result in await asyncio.gather(*mine)] == [[{"count": ROOTS}]] * 6
