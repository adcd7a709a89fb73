"""Defects of the system that this one replaces, by their line in ``rivals.md``: never again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import redis
from tests.support.caches import NOTHING_KEPT, TABLE, execute, make_cache, select
from tests.support.fallback import SEEN
from tests.support.own_redis import OwnRedis, own_redis

from warmcube import AnalyticsCache, Query
from warmcube.jobs.job import JobState
from warmcube.warm.refresh import Refresh
from warmcube.worker.worker import Worker

OTHER: Final = "A/R > 90 days: {net} 100%"
PARTITIONS: Final = [(each, f) for f in ("Monthly", "Weekly") for each in ("Charges", OTHER)]
LARGE: Final = """
INSERT INTO ih.facts
SELECT 'Large', 101, NULL, 'Monthly', DATE '2024-01-01', n, repeat(md5(n::text), 20)
FROM generate_series(1, 8000) n;
"""
"""One entry of more than 4 MB, whose texts are too many for a dictionary."""


async def work(cache: AnalyticsCache) -> None:
    """Warm as a worker does that has to repair."""
    job = await cache.jobs.start(1, actor="worker", reason="damage", state=JobState.RUNNING)
    await cache.warm(1, job=job)


async def work_on_one(cache: AnalyticsCache) -> None:
    """The same, of the partition that is damaged."""
    part = Refresh(measures=("Charges",), frequencies=("Monthly",))
    job = await cache.jobs.start(
        1, actor="worker", reason="damage", state=JobState.RUNNING, refresh=part
    )
    await cache.warm(1, job=job)


async def work_when_cold(cache: AnalyticsCache) -> None:
    """Warm as a worker does that finds nothing."""
    await cache.invalidate(1)
    assert await Worker(cache, cache.datasources, lambda _event: None).run_once() == 0


WAYS: Final[dict[str, Callable[[AnalyticsCache], Awaitable[object]]]] = {
    "whole": lambda cache: cache.warm(1),
    "forced": lambda cache: cache.warm(1, force=True),
    "by measure": lambda cache: cache.warm(1, measures=["Charges"]),
    "by frequency": lambda cache: cache.warm(1, measures=["Charges"], frequencies=["Monthly"]),
    "what has changed": lambda cache: cache.warm(1, changed=True),
    "again what has changed": lambda cache: cache.warm(1, changed=True),
    "as a job": work,
    "as a repair": work_on_one,
    "by a worker": work_when_cold,
}


async def is_sqls(cache: AnalyticsCache, database: str, measure: str, frequency: str) -> set[str]:
    """Have every user's count and sum compared with SQL's, of all and by provider.

    Returns:
        where they were answered from.
    """
    told = f"measure = '{measure}' AND frequency = '{frequency}'"
    origins: set[str] = set()
    for user, seen in SEEN.items():
        grant = await cache.authorize(user)
        for aggregate in ("count", "sum"):
            asked: dict[str, Any] = {"measure": measure, "frequency": frequency}
            query = Query(datasource=1, aggregate=aggregate, **asked)
            result = await cache.query(query, grant)
            (row,) = result.rows()
            expected = select(
                database,
                f"SELECT {aggregate}(measure_value)::text FROM ih.facts WHERE {told} AND {seen}",
            )
            assert [(None if row[aggregate] is None else str(row[aggregate]),)] == expected
            origins.add(result.meta.origin)
            query = Query(datasource=1, aggregate=aggregate, group_by=["provider_uid"], **asked)
            result = await cache.query(query, grant)
            found = {(row["provider_uid"], str(row[aggregate])) for row in result.rows()}
            assert found == set(
                select(
                    database,
                    f"SELECT provider_uid, {aggregate}(measure_value)::text FROM ih.facts "
                    f"WHERE {told} AND {seen} GROUP BY 1",
                )
            )
            origins.add(result.meta.origin)
    return origins


@pytest.mark.parametrize("sums", ["true", "false"])
async def test_line_9_every_way_to_warm_counts_rows_without_a_provider_once(
    tmp_path: Path, redis_url: str, postgres_db: str, sums: str
) -> None:
    """Line 9: whole or in part, asked for, as a job or a repair: all give what SQL gives.

    Rows without a provider belong to those who see all of a practice, and to nobody's own.
    """
    execute(postgres_db, TABLE)
    environment = NOTHING_KEPT | {"WARMCUBE_CACHE__PRACTICE_SUMS": sums}
    async with make_cache(tmp_path, redis_url, postgres_db, environment=environment) as cache:
        await cache.warm(1)
        for way, warm in WAYS.items():
            if "again" not in way:
                execute(
                    postgres_db,
                    "UPDATE ih.facts SET measure_value = measure_value + 1.25 WHERE provider_uid "
                    "IS NULL AND measure = 'Charges' AND frequency = 'Monthly'",
                )
            await warm(cache)
            for name in PARTITIONS if way in {"whole", "what has changed"} else PARTITIONS[:1]:
                assert await is_sqls(cache, postgres_db, *name) == {"store"}, way


@pytest.fixture
def server(tmp_path: Path, redis_executable: Path | None) -> Iterator[OwnRedis]:
    """A Redis of this test's own."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with own_redis(folder, redis_executable) as started:
        yield started


def evict(client: redis.Redis) -> None:
    """Let the server throw away what it likes, as one does that has no room."""
    used = int(client.info("memory")["used_memory"])
    client.config_set("maxmemory-policy", "allkeys-random")
    client.config_set("maxmemory", used * 9 // 10)
    client.set("filler", b"x" * 1000)
    assert client.info("stats")["evicted_keys"] > 0


def lose(pattern: str) -> Callable[[redis.Redis], None]:
    """Lose the first key of a pattern."""

    def lose_one(client: redis.Redis) -> None:
        assert client.delete(min(client.scan_iter(pattern, count=1000))) == 1

    return lose_one


@pytest.mark.parametrize(
    ("fault", "measure"),
    [
        (None, "Charges"),
        (None, "Large"),
        (lose("cache:{ds:1:m:Charges:freq:Monthly}*:p:101:*"), "Charges"),
        (lose("cache:{ds:1:m:Large:*:part:1"), "Large"),
        (lose("cache:{ds:1:m:Large:*:prov:~"), "Large"),
        (evict, "Charges"),
    ],
    ids=["nothing", "a large one", "a null", "a part", "a large one's first part", "evicted"],
)
async def test_line_11_no_entry_is_left_out(
    tmp_path: Path,
    server: OwnRedis,
    postgres_db: str,
    fault: Callable[[redis.Redis], None] | None,
    measure: str,
) -> None:
    """Line 11: a null from MGET, an evicted entry, one that is too large for a single value.

    All rows are in the answer, whoever asks; where the store lacks one, the database gives them.
    """
    execute(postgres_db, TABLE, LARGE)
    async with make_cache(tmp_path, server.url, postgres_db, environment=NOTHING_KEPT) as cache:
        await cache.warm(1)
        with server.client() as client:
            assert list(client.scan_iter("cache:{ds:1:m:Large:*:part:1", count=1000))
            if fault is not None:
                fault(client)
        origins = await is_sqls(cache, postgres_db, measure, "Monthly")
        if measure == "Charges" and fault is not None:
            await is_sqls(cache, postgres_db, OTHER, "Weekly")
        whole = await cache.query(
            Query(datasource=1, measure=measure, frequency="Monthly", practices=[101]),
            await cache.authorize("north"),
        )
        ((rows,),) = select(
            postgres_db,
            f"SELECT count(*) FROM ih.facts WHERE measure = '{measure}' "
            "AND frequency = 'Monthly' AND practice_uid = 101",
        )
        assert len(whole.rows()) == rows
        assert "store" in origins if fault is None else "database" in {*origins, whole.meta.origin}
