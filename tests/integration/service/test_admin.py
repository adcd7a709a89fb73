"""``/api/admin/analytics/cache``: who may, what is told, and that it is what was really done."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import redis.asyncio as redis
from fastapi import FastAPI
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import make_cache, select
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client, query_of

from warmcube.engine import AnalyticsCache
from warmcube.entry.keys import Keys, PartitionName
from warmcube.jobs.job import JobState

Opened: TypeAlias = tuple[httpx.AsyncClient, FastAPI]

PREFIX = "/api/admin/analytics/cache"
READS = ("/stats", "/health", "/warming/status", "/warming/events")
WRITES = ("/warm", "/invalidate")
UNUSED = {"age": 1.0, "hit_rate": None, "completeness": 1.0, "coverage": 1.0}


def cache_of(app: FastAPI) -> AnalyticsCache:
    """The engine of an application."""
    cache: AnalyticsCache = app.state.service.cache
    return cache


async def health(client: httpx.AsyncClient) -> dict[str, Any]:
    """What the health route tells of the only data source."""
    answered = await client.get(f"{PREFIX}/health", headers=as_user("watcher"))
    assert answered.status_code == 200, answered.text
    (found,) = answered.json()["datasources"]
    return dict(found)


@pytest.mark.parametrize("user", ["root", "watcher", "north", "exporter", "provider", "x", ""])
async def test_who_may(client: httpx.AsyncClient, user: str) -> None:
    """Reading needs cache:read or cache:manage, acting cache:manage; nobody else learns a thing."""
    headers = as_user(user) if user else {}
    for paths, method, allowed in (
        (READS, "GET", ("root", "watcher")),
        (WRITES, "POST", ("root",)),
    ):
        for path in paths:
            # A data source that doesn't exist is told only to those who may.
            answered = await client.request(
                method,
                PREFIX + path,
                headers=headers,
                params={"datasource": 99} if method == "GET" else {},
                json={"datasource": 99} if method == "POST" else None,
            )
            expected = 401 if not user else 404 if user in allowed else 403
            assert answered.status_code == expected, (path, answered.text)
            assert answered.headers["content-type"] == "application/problem+json"


async def test_denials_are_audited(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Like all others: who, whose rights, and why."""
    await client.post(f"{PREFIX}/warm", json={"datasource": 1}, headers=as_user("north"))
    await client.post(f"{PREFIX}/invalidate", json={"datasource": 1}, headers=as_user("root"))
    audit = tmp_path / ".warmcube/audit.jsonl"

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in audit.read_text().splitlines()]

    service_trail = client._transport.app.state.service.cache._parts.trail  # type: ignore[attr-defined]
    await service_trail.close()
    (denied,) = (line for line in lines() if line["event"] == "denied")
    assert (denied["actor"], denied["subject"], denied["action"], denied["reason"]) == (
        "test",
        "north",
        "administer",
        "no permission for the cache",
    )
    (gone,) = (line for line in lines() if line["event"] == "invalidated")
    assert (gone["actor"], gone["outcome"], gone["was_live"]) == ("root through test", "done", True)


async def test_stats_agree_with_the_table(client: httpx.AsyncClient, facts: str) -> None:
    """Figures, as SQL counts them."""
    answered = await client.get(f"{PREFIX}/stats", headers=as_user("watcher"))
    (stats,) = answered.json()["datasources"]
    ((rows, measures, practices),) = select(
        facts,
        "SELECT count(*), count(DISTINCT coalesce(measure, '~')), "
        "count(DISTINCT coalesce(practice_uid, -1)) FROM ih.facts",
    )
    assert (stats["rows"], stats["measures"], stats["practices"]) == (rows, measures, practices)
    assert (stats["state"], stats["hits"], stats["misses"]) == ("fresh", 0, 0)


async def test_line_15_never_warmed_says_so(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Line 15: it is cold with score 0; no hit rate, no age and no completeness is made up."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, _):
        for _ in range(3):  # asking it doesn't make it warm
            answered = await client.post("/api/query", json=query_of(), headers=as_user("root"))
            assert answered.json()["meta"]["origin"] == "database"
        told = (await client.get(f"{PREFIX}/health", headers=as_user("root"))).json()
        nothing = {"age": None, "hit_rate": None, "completeness": None, "coverage": 0.0}
        assert told == {
            "weights": {"age": 25, "hit_rate": 35, "completeness": 25, "coverage": 15},
            "state": "cold",
            "score": 0,
            "parts": nothing,
            "datasources": [
                {
                    "datasource": 1,
                    "name": "Facts",
                    "state": "cold",
                    "why": "never warmed",
                    "score": 0,
                    "parts": nothing,
                    "hits": None,
                    "misses": None,
                    "window_seconds": None,
                    "partitions": None,
                    "proven_partitions": None,
                    "entries": None,
                    "checked": None,
                    "found": None,
                }
            ],
        }
        (stats,) = (await client.get(f"{PREFIX}/stats", headers=as_user("root"))).json()[
            "datasources"
        ]
        assert stats["state"] == "never warmed"
        assert {stats[name] for name in ("rows", "hits", "hit_rate", "last_warm")} == {None}


@pytest.fixture
async def plain(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[Opened]:
    """A warm service that keeps nothing resident, so that damage in the store is met at once."""
    more = "[cache]\nresident_bytes = 0\n"
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        await cache_of(app).warm(1)
        yield client, app


async def test_the_hit_rate_is_that_of_what_was_done(plain: Opened, redis_url: str) -> None:
    """Null before the first query; then hits and misses as they happened, one by one."""
    client, app = plain
    cache = cache_of(app)
    before = await health(client)
    assert (before["state"], before["score"], before["parts"]) == ("excellent", 100, UNUSED)
    for _ in range(3):
        answered = await client.post("/api/query", json=query_of(), headers=as_user("root"))
        assert answered.json()["meta"]["origin"] == "store"
    # Damage under an unchanged pointer is a miss: the database answers.
    snapshot = (await cache._parts.snapshots.load(cache.datasources[0])) or pytest.fail("cold")
    name = PartitionName("Charges", "Monthly")
    version = str(snapshot.manifest.partitions[name].version)
    own = Keys("", 1).partition(name, version)
    async with redis.Redis.from_url(redis_url) as store:
        member = await store.lindex(own.all, 0)
        assert isinstance(member, bytes)
        await store.delete(own.entry(member))
    answered = await client.post("/api/query", json=query_of(), headers=as_user("root"))
    assert answered.json()["meta"]["origin"] == "database"
    await cache._parts.usage.flush()
    after = await health(client)
    assert (after["hits"], after["misses"]) == (3, 1)
    assert after["parts"]["hit_rate"] == 0.75
    assert after["window_seconds"] > 0
    entries = snapshot.manifest.entries
    assert (after["entries"], after["checked"], after["found"]) == (entries, entries, entries - 1)
    assert after["parts"]["completeness"] == (entries - 1) / entries
    assert after["state"] == "degraded"
    assert "the database answers" in after["why"]


async def test_a_partition_that_lost_its_proof(
    client: httpx.AsyncClient, app: FastAPI, redis_url: str
) -> None:
    """Nothing in it counts as there, since nothing in it can be answered with."""
    snapshot = await cache_of(app)._parts.snapshots.load(cache_of(app).datasources[0])
    assert snapshot is not None
    name = PartitionName("Charges", "Weekly")
    partition = snapshot.manifest.partitions[name]
    own = Keys("", 1).partition(name, str(partition.version))
    async with redis.Redis.from_url(redis_url) as store:
        await store.hdel(own.counts, "total")
    told = await health(client)
    left = snapshot.manifest.entries - partition.entries
    assert told["proven_partitions"] == told["partitions"] - 1
    assert (told["checked"], told["found"]) == (left, left)
    assert told["parts"]["completeness"] == left / snapshot.manifest.entries


async def test_an_invalidated_one_is_cold(client: httpx.AsyncClient) -> None:
    """And says that it was warm once."""
    gone = await client.post(
        f"{PREFIX}/invalidate", json={"datasource": "all"}, headers=as_user("root")
    )
    (one,) = gone.json()["invalidated"]
    assert (one["datasource"], one["was_live"]) == (1, True)
    told = await health(client)
    assert (told["state"], told["score"]) == ("cold", 0)
    assert told["why"] == "its snapshot has expired or was invalidated"


@pytest.mark.parametrize(
    ("more", "state", "why"),
    [
        ("[cache]\nttl = 1\n", "stale", "life is over"),
        ("[cache]\nenabled = false\n", "cold", "enabled is false"),
    ],
)
async def test_one_that_isnt_fresh_or_doesnt_serve(
    tmp_path: Path, redis_url: str, facts: str, more: str, state: str, why: str
) -> None:
    """A snapshot past its life is stale, and one that serves nobody covers nothing."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        await cache_of(app).warm(1)
        told = await health(client)
        while told["state"] == "excellent":  # a second is short, but not always over
            told = await health(client)
        assert told["state"] == state
        assert why in told["why"]


async def test_a_warm_by_the_library_is_listed(client: httpx.AsyncClient, facts: str) -> None:
    """The fixture's own: what it did, as SQL counts it; nothing is under way."""
    answered = await client.get(f"{PREFIX}/warming/status", headers=as_user("watcher"))
    (status,) = answered.json()["datasources"]
    assert {name: status[name] for name in ("datasource", "name", "warming", "active")} == {
        "datasource": 1,
        "name": "Facts",
        "warming": None,
        "active": None,
    }
    (job,) = status["history"]
    ((rows,),) = select(facts, "SELECT count(*) FROM ih.facts")
    assert (job["state"], job["actor"], job["done"]) == ("done", "service", 1.0)
    assert job["report"]["rows"] == job["total_rows"] == rows
    events = await client.get(f"{PREFIX}/warming/events", headers=as_user("watcher"))
    assert events.status_code == 204
    one = await client.get(
        f"{PREFIX}/warming/events", params={"job": job["id"]}, headers=as_user("watcher")
    )
    assert one.text.startswith("retry: 2000\n\nid: ")
    assert json.loads(one.text.partition("data: ")[2]) == job


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("POST", "/warm", {"json": {}}, 422),
        ("POST", "/warm", {"json": {"datasource": None}}, 422),
        ("POST", "/warm", {"json": {"datasource": True}}, 422),
        ("POST", "/warm", {"json": {"datasource": "1"}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "force": 1}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "force": "yes"}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "forced": True}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "changed": "true"}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "changed": True, "measures": ["a"]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "measures": []}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "measures": "a"}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "measures": [None]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "measures": [1]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "measures": [{"null": 1}]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "frequencies": [""]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1, "frequencies": ["a"] * 1001}}, 422),
        ("POST", "/warm", {"json": {"datasource": "all", "measures": ["a"]}}, 422),
        ("POST", "/warm", {"json": {"datasource": 1}, "params": {"force": "true"}}, 422),
        ("POST", "/warm", {"content": b"{"}, 415),
        ("POST", "/warm", {"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ("POST", "/invalidate", {"json": {"datasource": 1, "force": True}}, 422),
        ("POST", "/invalidate", {"json": []}, 422),
        ("GET", "/stats", {"params": {"datasource": "01"}}, 422),
        ("GET", "/stats", {"params": {"id": "1"}}, 422),
        ("GET", "/health", {"params": {"datasource": ""}}, 422),
        ("GET", "/warming/status", {"params": {"job": "x"}}, 404),
        ("GET", "/warming/status", {"params": {"job": "1-0123456789abcdef"}}, 404),
        ("GET", "/warming/status", {"params": {"job": "x", "datasource": "1"}}, 422),
        ("GET", "/warming/events", {"params": {"job": "x"}}, 404),
        ("GET", "/warming/events", {"headers": {"Last-Event-ID": "x"}}, 422),
        ("GET", "/warm", {}, 405),
    ],
)
async def test_requests_are_read_strictly(
    client: httpx.AsyncClient,
    app: FastAPI,
    method: str,
    path: str,
    sent: dict[str, Any],
    status: int,
) -> None:
    """Nothing is guessed, and nothing is started by what can't be read."""
    headers = {**as_user("root"), **sent.pop("headers", {})}
    answered = await client.request(method, PREFIX + path, headers=headers, **sent)
    assert answered.status_code == status, answered.text
    assert answered.json()["status"] == status
    jobs = await cache_of(app).jobs.last(1)
    assert [job.state for job in jobs] == [JobState.DONE]


async def test_a_service_that_ends_starts_nothing(client: httpx.AsyncClient, app: FastAPI) -> None:
    """It says when it is worth asking again."""
    app.state.service.drain()
    answered = await client.post(f"{PREFIX}/warm", json={"datasource": 1}, headers=as_user("root"))
    assert (answered.status_code, answered.headers["retry-after"]) == (503, "5")
    assert [job.actor for job in await cache_of(app).jobs.last(1)] == ["service"]


async def test_large_snapshots_are_sampled(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a look at a huge one costs little; how many were looked for is told."""
    monkeypatch.setattr("warmcube.observe.measure.MOST_CHECKED", 50)
    told = await health(client)
    assert told["checked"] == told["found"]
    assert 40 <= told["checked"] <= 60
    assert told["parts"]["completeness"] == 1.0
