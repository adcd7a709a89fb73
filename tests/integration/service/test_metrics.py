"""``/metrics`` says what was really done, whichever process is asked."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from fastapi import FastAPI
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import NOTHING_KEPT, make_cache, select
from tests.support.leaks import LeakScan
from tests.support.scraping import Scrape, scrape
from tests.support.services import as_user, open_client, query_of

from warmcube.config import Settings
from warmcube.embedded import EmbeddedRedis


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A client of a service."""
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        yield client, app


async def ask(client: httpx.AsyncClient, user: str, **fields: Any) -> int:
    """The status of one query of somebody."""
    body = query_of(**fields)
    return (await client.post("/api/query", json=body, headers=as_user(user))).status_code


async def test_every_number_is_what_was_done(
    tmp_path: Path, redis_factory: Callable[..., EmbeddedRedis], facts: str
) -> None:
    """Hits, misses by reason, fallbacks, denials, rows and requests, on real servers."""
    server = redis_factory()
    settings = make_cache(
        tmp_path, server.url, facts, access=ACCESS, environment=NOTHING_KEPT
    ).settings
    async with opened(settings) as (client, app):
        assert [await ask(client, "root") for _ in range(2)] == [200, 200]  # cold
        report = await app.state.service.cache.warm(1)
        assert [await ask(client, "root") for _ in range(3)] == [200] * 3
        assert await ask(client, "north") == 200
        assert await ask(client, "north", column="x") == 422
        assert [await ask(client, "stranger") for _ in range(2)] == [403, 403]
        assert await ask(client, "north", practices=[110]) == 403
        assert await ask(client, "north", datasource=9) == 404
        assert await ask(client, "") == 401
        damage(server.url)
        assert await ask(client, "root") == 200
        before = await scrape(client)
        server.stop()
        assert await ask(client, "root") == 200
        found = await scrape(client)
    rows, entries = counted(facts)
    norths, north_entries = counted(facts, "practice_uid IN (101, 102, 103)")
    assert found.of("hits_total") == {("1", "store"): 4}
    assert found.of("misses_total") == {
        ("1", "cold"): 2,
        ("1", "damage"): 1,
        ("1", "store"): 1,
    }
    assert found.of("fallbacks_total") == {
        ("1", "answered", "cold"): 2,
        ("1", "answered", "damage"): 1,
        ("1", "answered", "store"): 1,
    }
    assert found.of("denied_total") == {
        ("unknown user",): 2,
        ("practice outside the scope",): 1,
        ("unknown data source",): 1,
    }
    told = {("1", "store"): 3 * rows + norths, ("1", "database"): 4 * rows}
    assert found.of("rows_fetched_total") == told
    assert found.of("rows_used_total") == told
    assert found.of("entries_fetched_total") == {("1",): 3 * entries + north_entries}
    assert found.of("query_seconds_count") == {("1", "store"): 4, ("1", "database"): 4}
    assert found.of("lookup_seconds_count") == {("store",): 4}
    assert found.of("decode_seconds_count") == {("store",): 4}
    assert found.of("fetch_seconds_count") == {("store",): 4, ("database",): 4}
    assert found.of("evaluate_seconds_count") == {("store",): 4, ("database",): 4}
    assert found.of("warms_total") == {("1", "done"): 1}
    assert found.of("warm_phase_seconds_count") == {("1", phase): 1 for phase in report.phases}
    query = ("POST", "/api/query")
    assert found.of("http_requests_total") == {
        (*query, "200"): 8,
        (*query, "422"): 1,
        (*query, "403"): 3,
        (*query, "404"): 1,
        (*query, "401"): 1,
        ("GET", "/metrics", "200"): 1,
    }
    assert found.of("http_request_seconds_count") == {query: 14, ("GET", "/metrics"): 1}
    assert found.of("http_requests_in_flight") == {(): 1}  # the scrape itself
    assert before.of("store_up") == {(): 1}
    assert before.of("snapshot_state") == {("1", "fresh"): 1}
    assert before.of("snapshot_entries") == {("1",): report.entries}
    assert before.of("snapshot_rows") == {("1",): report.rows}
    assert before.of("snapshot_bytes") == {
        ("1", "entries"): report.bytes,
        ("1", "index"): report.index_bytes,
        ("1", "sums"): report.sums_bytes,
    }
    assert 0 < before.of("snapshot_age_seconds")["1",] < 600


def counted(url: str, condition: str = "TRUE") -> tuple[Any, Any]:
    """Rows and entries of the partition that is asked for, by SQL."""
    ((rows, entries),) = select(
        url,
        "SELECT count(*), count(DISTINCT (practice_uid, provider_uid)) FROM ih.facts "
        f"WHERE measure = 'Charges' AND frequency = 'Monthly' AND {condition}",
    )
    return rows, entries


def damage(url: str) -> None:
    """Spoil every entry."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(match="cache:{ds:1:*:p:*"):
            client.set(key, b"spoiled", keepttl=True)


async def test_nothing_is_told_of_a_store_that_is_gone(
    tmp_path: Path, redis_factory: Callable[..., EmbeddedRedis], facts: str
) -> None:
    """Neither what it held before, nor that it is empty."""
    server = redis_factory()
    settings = make_cache(tmp_path, server.url, facts, access=ACCESS).settings
    async with opened(settings) as (client, app):
        await app.state.service.cache.warm(1)
        server.stop()
        found = await scrape(client)
    assert found.of("store_up") == {}
    assert {
        labels["datasource"] for labels in found.labels if "state" in labels or "part" in labels
    } == set()


async def test_what_fails_counts_as_that(tmp_path: Path, redis_url: str) -> None:
    """A miss that the database can't answer either, a request that is wrong, a failed warm."""
    source = "postgresql://nobody@127.0.0.1:1/none"
    settings = make_cache(tmp_path, redis_url, source, access=ACCESS).settings
    async with opened(settings) as (client, app):
        assert [await ask(client, "root") for _ in range(2)] == [503, 503]
        with pytest.raises(Exception, match="can't be reached"):
            await app.state.service.cache.warm(1)
        found = await scrape(client)
    assert found.of("hits_total") == {}
    assert found.of("misses_total") == {("1", "cold"): 2}
    assert found.of("fallbacks_total") == {("1", "failed", "cold"): 2}
    assert found.of("warms_total") == {("1", "failed"): 1}
    assert found.of("query_seconds_count") == {}
    assert found.of("snapshot_state") == {("1", "never warmed"): 1}


async def test_a_wrong_query_of_a_cold_data_source(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """The database is looked at, and nothing failed but the query."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings
    async with opened(settings) as (client, _):
        assert await ask(client, "root", group_by=["nothing"], aggregate="count") == 422
        found = await scrape(client)
    assert found.of("fallbacks_total") == {("1", "refused", "cold"): 1}


async def test_a_disabled_cache(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Everything is a miss, for that reason."""
    made = make_cache(
        tmp_path, redis_url, facts, access=ACCESS, environment={"CACHE_ENABLED": "false"}
    )
    async with opened(made.settings) as (client, _):
        assert await ask(client, "root") == 200
        found = await scrape(client)
    assert found.of("misses_total") == {("1", "disabled"): 1}
    assert found.of("fallbacks_total") == {("1", "answered", "disabled"): 1}


async def test_no_label_names_anybody(client: httpx.AsyncClient) -> None:
    """No user, practice, provider, organization, measure or path of a request is in any sample."""
    await ask(client, "north", organization="north", practices=[102], providers=[3])
    await ask(client, "stranger-4711")
    await client.get("/api/datasources/1/measures", headers=as_user("root"))
    await client.get("/secret-path-4711?token=4711")
    await client.request("BREW", "/api/query")
    found = await scrape(client)
    seen = {
        name: {labels.get(name) for labels in found.labels}
        for name in ("datasource", "route", "method", "reason", "origin")
    }
    assert seen["datasource"] == {None, "1"}
    assert seen["route"] == {
        None,
        "/api/query",
        "/api/datasources/{id}/measures",
        "unmatched",
    }
    assert seen["method"] == {None, "GET", "POST", "OTHER"}
    text = (await client.get("/metrics")).text
    for word in ("4711", "north", "Charges", "102", "BREW"):
        assert f'"{word}' not in text


async def test_turned_off(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Then there is nothing at the path, and nothing is counted."""
    made = make_cache(
        tmp_path, redis_url, facts, access=ACCESS, environment={"CACHE_METRICS_ENABLED": "false"}
    )
    async with opened(made.settings) as (client, app):
        assert await ask(client, "root") == 200
        assert (await client.get("/metrics")).status_code == 404
        assert app.state.service.cache.metrics is None


class Process:
    """One process of a service; see `tests.support.metrics_process`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def do(self, what: str, **more: Any) -> Any:
        """Have it do something; what came of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"what": what, **more}).encode() + b"\n")
        line = await self.process.stdout.readline()
        return json.loads(line)

    async def end(self, signal: signal.Signals | None = None) -> None:
        """Let it end, or end it."""
        assert self.process.stdin is not None
        if signal is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(signal)
        await self.process.wait()


async def start(config: Path, folder: Path) -> Process:
    """One more process."""
    return Process(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.metrics_process", str(config), str(folder)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=2**24,
        )
    )


async def test_several_processes_are_one(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Each tells the figures of all, also of those that were killed, until the service ends."""
    make_cache(tmp_path, redis_url, facts, access=ACCESS, more="[cache]\nresident_bytes = 0\n")
    config, folder = tmp_path / "warmcube.toml", tmp_path / "figures"
    one, two = await asyncio.gather(start(config, folder), start(config, folder))
    assert await one.do("ask", user="root") == 200  # cold
    await one.do("warm")
    for _ in range(3):
        assert await one.do("ask", user="root") == 200
    for _ in range(5):
        assert await two.do("ask", user="north") == 200
    assert await two.do("ask", user="stranger") == 403
    both = [Scrape(await each.do("scrape")) for each in (one, two)]
    for found in both:
        assert found.of("hits_total") == {("1", "store"): 8}
        assert found.of("misses_total") == {("1", "cold"): 1}
        assert found.of("denied_total") == {("unknown user",): 1}
        assert found.of("query_seconds_count") == {("1", "store"): 8, ("1", "database"): 1}
        assert found.of("warms_total") == {("1", "done"): 1}
        assert found.of("http_requests_in_flight") == {(): 1}
        assert found.of("snapshot_state") == {("1", "fresh"): 1}
    await one.end(signal.SIGKILL)
    three = await start(config, folder)
    assert await three.do("ask", user="root") == 200
    for process in (two, three, two):
        found = Scrape(await process.do("scrape"))
        assert found.of("hits_total") == {("1", "store"): 9}
        assert found.of("misses_total") == {("1", "cold"): 1}
        assert found.of("http_requests_in_flight") == {(): 1}
    await asyncio.gather(two.end(), three.end())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {each.stat().st_mode & 0o077 for each in folder.iterdir()} == {0}


async def test_kept_answers_are_hits_that_fetch_nothing(
    client: httpx.AsyncClient, facts: str
) -> None:
    """They are told apart from the store's, and their rows are used all the same."""
    for _ in range(3):
        await ask(client, "root")
    found = await scrape(client)
    rows, entries = counted(facts)
    assert found.of("hits_total") == {("1", "store"): 1, ("1", "resident"): 2}
    assert found.of("entries_fetched_total") == {("1",): entries}
    assert found.of("rows_fetched_total") == {("1", "store"): rows}
    assert found.of("rows_used_total") == {("1", "store"): rows, ("1", "resident"): 2 * rows}
    assert found.of("query_seconds_count") == {("1", "store"): 1, ("1", "resident"): 2}


async def test_two_caches_in_one_process(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Each has its own figures, and the library's global registry has none of them."""
    from prometheus_client import REGISTRY, generate_latest  # noqa: PLC0415

    folders: Mapping[str, Path] = {name: tmp_path / name for name in ("one", "two")}
    for folder in folders.values():
        folder.mkdir()
    one, two = (
        make_cache(folder, redis_url, facts, access=ACCESS).settings for folder in folders.values()
    )
    async with opened(one) as (first, _), opened(two) as (second, _):
        await ask(first, "root")
        for _ in range(2):
            await ask(second, "root")
        assert (await scrape(first)).of("misses_total") == {("1", "cold"): 1}
        assert (await scrape(second)).of("misses_total") == {("1", "cold"): 2}
    assert b"warmcube" not in generate_latest(REGISTRY)


async def test_in_the_registry_of_an_application(app: FastAPI, client: httpx.AsyncClient) -> None:
    """What embeds the cache registers it among its own metrics."""
    from prometheus_client import CollectorRegistry, Counter, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    Counter("own", "The application's own.", registry=registry).inc()
    registry.register(app.state.service.cache.metrics)
    await ask(client, "root")
    found = Scrape(generate_latest(registry).decode())
    assert found.of("hits_total") == {("1", "store"): 1}
    assert "own" in found.families


async def test_a_job_counts_as_a_warm(app: FastAPI, client: httpx.AsyncClient) -> None:
    """Though another process did it, whose own figures are gone with it."""
    before = (await scrape(client)).of("warms_total")
    started = await client.post(
        "/api/admin/analytics/cache/warm", json={"datasource": 1}, headers=as_user("root")
    )
    assert started.status_code == 202, started.text
    await asyncio.gather(*app.state.service.warming._tasks)
    found = await scrape(client)
    assert before == {("1", "done"): 1}
    assert found.of("warms_total") == {("1", "done"): 2}
    phases = found.of("warm_phase_seconds_count")
    assert set(phases.values()) == {2}
    assert {phase for _, phase in phases} == {
        *("counting", "reading", "writing", "verifying", "publishing", "cleaning")
    }
