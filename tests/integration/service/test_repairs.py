"""Damage where no worker is alive: a service repairs it, once, in a process of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from tests.support.caches import make_cache
from tests.support.services import query_of
from tests.support.web import web
from tests.support.workers import wait_until

from warmcube import AnalyticsCache, Query
from warmcube.blocking import AnalyticsCache as SyncCache
from warmcube.entry.keys import Keys
from warmcube.jobs.workers import WorkerCard, Workers
from warmcube.service.repairing import Repairs
from warmcube.service.warming import Warming

KEPT = "[worker]\nrepair_pause = 0.0\n[cache]\nresident_bytes = 0\nindex_bytes = 0"


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm engine."""
    async with make_cache(tmp_path, redis_url, facts, more=KEPT) as opened:
        await opened.warm(1)
        yield opened


def lose_entries(redis_url: str) -> None:
    """Lose all entries of the live snapshot, as an eviction would."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        for key in client.scan_iter("cache:{ds:1:*"):
            client.delete(key)


def test_damage_is_repaired_by_one_process_of_a_service(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Whoever of the service's processes met it; those who asked were answered by the database;
    not in a process that answers queries.
    """
    with SyncCache(make_cache(tmp_path, redis_url, facts, more=KEPT).settings) as cache:
        before = cache.warm(1).snapshot
    file = tmp_path / "warmcube.toml"
    lose_entries(redis_url)
    with web(file) as one, web(file) as other:
        answers = [
            client.post("/api/query", json=query_of(practices=[101])).json()
            for client in (one, other) * 5
        ]
        assert answers[0]["meta"]["origin"] == "database"
        assert {len(each["rows"]) for each in answers} == {31}, "right, before and after"

        def status() -> Any:
            (found,) = other.admin("GET", "/warming/status").json()["datasources"]
            return found

        wait_until(lambda: len(status()["history"]) == 2)
        repair, _ = status()["history"]
        assert (repair["reason"], repair["actor"], repair["state"]) == ("damage", "service", "done")
        assert repair["report"]["snapshot"] != before
        own = {str(one.process.pid), str(other.process.pid)}
        assert repair["process"].rpartition(" ")[2] not in own
        deadline = time.monotonic() + 30
        while True:
            answered = one.post("/api/query", json=query_of(practices=[101]))
            if answered.json()["meta"]["origin"] == "store":
                break
            assert time.monotonic() < deadline
        time.sleep(0.5)
        assert len(status()["history"]) == 2, "and that was all"
        assert status()["worker"]["workers"] == 0


async def meet(cache: AnalyticsCache) -> None:
    """Meet the damage, and report it."""
    query = Query(datasource=1, measure="Charges", frequency="Monthly")
    result = await cache.query(query, await cache.authorize("root"))
    assert result.meta.origin == "database"
    await cache.damage.settled()


async def test_where_a_worker_is_alive_the_service_leaves_it_to_that(
    cache: AnalyticsCache, redis_url: str
) -> None:
    """One that looks after the data source; one that looks after others doesn't count."""
    lose_entries(redis_url)
    await meet(cache)
    warming = Warming(cache.settings, cache)
    repairs = Repairs(cache, warming)
    workers = Workers(cache.store, "")
    card = WorkerCard(id="a" * 16, host="h", process=1, version="1", since_ms=1, datasources=(1, 2))
    now = await cache.jobs.now_ms()
    await cache.store.run(workers.sign(card, now))
    await repairs.look()
    assert len(await cache.jobs.last(1)) == 1
    other = WorkerCard(id="b" * 16, host="h", process=2, version="1", since_ms=1, datasources=(2,))
    await cache.store.run(workers.sign(other, now))
    await workers.withdraw(card)
    await repairs.look()
    await repairs.look()
    (repair, _) = await cache.jobs.last(1)
    assert (repair.reason, repair.actor) == ("damage", "service")
    await warming.close(30)
    assert (await cache.jobs.last(1))[0].state == "done"
    keys = Keys("", 1)
    (of,) = await cache.store.run([(b"HGET", keys.damage, b"of")])
    (current,) = await cache.store.run([(b"GET", keys.current)])
    assert of != current, "what was reported counts no more"


async def test_a_snapshot_that_is_old_or_gone_is_not_the_services(cache: AnalyticsCache) -> None:
    """It repairs; to keep warm is a worker's."""
    await cache.invalidate(1)
    await Repairs(cache, Warming(cache.settings, cache)).look()
    assert len(await cache.jobs.last(1)) == 1
