"""Figures over time: one sample a minute, of what was really done, whoever takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio as redis
from fastapi import FastAPI
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import make_cache
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client, query_of

from warmcube.config import Settings
from warmcube.engine import AnalyticsCache

PATH = "/api/admin/analytics/cache/history"
MINUTE = 60_000


class Clock:
    """Moves the stores' clocks: as many minutes on as is said."""

    def __init__(self) -> None:
        self.minutes = 0

    def hold(self, cache: AnalyticsCache) -> None:
        """Have a cache's samples go by this clock."""
        store = cache._parts.sampler._store
        now_ms = store.now_ms

        async def later() -> int:
            return await now_ms() + self.minutes * MINUTE

        store.now_ms = later  # type: ignore[method-assign]


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, facts: str) -> Settings:
    """Of a service that keeps nothing resident."""
    more = "[cache]\nresident_bytes = 0\nhistory_days = 2\n"
    return make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI, Clock]]:
    """A warm service whose own samples of this minute are taken, and its clock."""
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        cache, clock = app.state.service.cache, Clock()
        clock.hold(cache)
        await cache.warm(1)
        clock.minutes = 1
        await cache.sampler.sample()
        yield client, app, clock


async def points(client: httpx.AsyncClient, hours: int = 24) -> list[dict[str, Any]]:
    """What the route tells of the only data source."""
    answered = await client.get(PATH, params={"hours": hours}, headers=as_user("watcher"))
    assert answered.status_code == 200, answered.text
    (found,) = answered.json()["datasources"]
    return list(found["points"])


async def test_a_sample_says_what_was_done_and_what_there_is(
    opened: tuple[httpx.AsyncClient, FastAPI, Clock], redis_url: str
) -> None:
    """Queries since the one before; entries and memory as the store itself has them."""
    client, app, clock = opened
    for _ in range(3):
        await client.post("/api/query", json=query_of(), headers=as_user("north"))
    clock.minutes = 2
    assert await app.state.service.cache.sampler.sample() == 1
    last = (await points(client))[-1]
    assert (last["state"], last["queries"], last["hit_rate"]) == ("fresh", 3, 1.0)
    assert 0 < last["median_ms"] <= last["p95_ms"]
    stats = await app.state.service.cache.stats(1)
    assert (last["entries"], last["rows"]) == (stats.entries, stats.rows)
    async with redis.Redis.from_url(redis_url) as store:
        keys = [key async for key in store.scan_iter(f"*v{stats.snapshot}*")]
        keys += [f"cache:meta:{{ds:1}}:snapshot:{stats.snapshot}", "cache:meta:{ds:1}:current"]
        sizes = [await store.memory_usage(key, samples=0) for key in keys]
        assert last["memory_bytes"] == sum(size or 0 for size in sizes)


async def test_one_sample_a_minute_whoever_takes_it(
    opened: tuple[httpx.AsyncClient, FastAPI, Clock], settings: Settings
) -> None:
    """Several at once keep one; what each of them has answered is in it."""
    client, _, clock = opened
    before = len(await points(client))
    others = [AnalyticsCache(settings) for _ in range(3)]
    clock.minutes = 2
    for other in others:
        await other.__aenter__()
        clock.hold(other)
    try:
        grants = [await other.authorize("root") for other in others]
        for other, grant in zip(others, grants, strict=True):
            await other.measures(1, grant)
            await other.sampler._add_up()
        taken = await asyncio.gather(*(other.sampler.sample() for other in others))
    finally:
        for other in others:
            await other.__aexit__(None, None, None)
    assert sum(taken) == 1
    found = await points(client)
    assert len(found) == before + 1
    assert found[-1]["queries"] == 3


async def test_samples_are_bounded_and_grow_coarser(
    opened: tuple[httpx.AsyncClient, FastAPI, Clock], redis_url: str
) -> None:
    """A day of minutes, then a quarter of an hour apart; nothing stays for ever."""
    client, app, clock = opened
    sampler = app.state.service.cache.sampler
    for clock.minutes in range(2, 1500):
        await sampler._sample(app.state.service.cache.datasources[0])
    async with redis.Redis.from_url(redis_url) as store:
        assert await store.xlen("cache:meta:{ds:1}:figures") == 1440
        assert 100 <= await store.xlen("cache:meta:{ds:1}:figures:coarse") <= 102
        for name in ("figures", "figures:coarse", "figures:tally"):
            assert 0 < await store.pttl(f"cache:meta:{{ds:1}}:{name}") <= 2 * 86_400_000
    assert 100 <= len(await points(client, 48)) <= 102
    assert len(await points(client)) == 1440 / 3


async def test_after_flushall_counting_begins_anew(
    opened: tuple[httpx.AsyncClient, FastAPI, Clock], redis_url: str
) -> None:
    """What isn't known is null: a difference to what is lost would be made up."""
    client, app, clock = opened
    async with redis.Redis.from_url(redis_url) as store:
        await store.flushall()
    for clock.minutes in (2, 3):
        await app.state.service.cache.sampler.sample()
    first, second = await points(client)
    assert first["state"] == "never warmed"
    assert [first[name] for name in ("queries", "memory_bytes", "age_seconds", "entries")] == [
        None
    ] * 4
    assert (second["queries"], second["hit_rate"]) == (0, None)


@pytest.mark.parametrize("hours", ["0", "49", "-1", "1.5", "x", ""])
async def test_hours_that_are_none(client: httpx.AsyncClient, hours: str) -> None:
    """As far as something is kept, in whole hours."""
    wanted = "200" if hours == "49" else hours  # more than seven days, as it is by default
    answered = await client.get(PATH, params={"hours": wanted}, headers=as_user("root"))
    assert answered.status_code == 422, answered.text


async def test_without_metrics_nobody_counts(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Then queries and latency are null, and the rest is told all the same."""
    more = "[cache]\nmetrics = false\n"
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        cache, clock = app.state.service.cache, Clock()
        clock.hold(cache)
        await cache.warm(1)
        for clock.minutes in (1, 2):
            await cache.sampler.sample()
        last = (await points(client))[-1]
    assert (last["state"], last["queries"], last["median_ms"]) == ("fresh", None, None)


async def test_none_are_kept_where_none_are_wanted(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """With ``history_days = 0`` the service writes none."""
    more = "[cache]\nhistory_days = 0\n"
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, _):
        assert await points(client) == []
    async with redis.Redis.from_url(redis_url) as store:
        assert not await store.exists("cache:meta:{ds:1}:figures:tally")
