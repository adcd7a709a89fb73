"""Every part of the library on a cluster: what each does there is what it does on one server."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import argon2
import httpx
import pytest
from tests.integration.service.conftest import ACCESS
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.charges import CHARGES, ask, expected, told
from tests.support.clusters import RedisCluster
from tests.support.keys import parse_key
from tests.support.services import as_user, identify_by_name, query_of
from tests.support.web import Web, web
from tests.support.workers import working

from warmcube import AnalyticsCache, Query
from warmcube.authn.credentials import CredentialsFile
from warmcube.query.result import Result
from warmcube.service.app import create_app

NORTH = "practice_uid IN (101, 102, 103)"
NAMES = ("practice_uid", "provider_uid", "measure_value", "note")
ENVIRONMENT = {
    "WARMCUBE_CACHE__KEEP_SNAPSHOTS": "1",
    "WARMCUBE_STORE__READ_REPLICAS": "true",
}


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, cluster_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A cache that keeps a snapshot, and reads from replicas too; not warm."""
    async with make_cache(
        tmp_path, cluster_url, facts, access=ACCESS, environment=ENVIRONMENT
    ) as made:
        yield made


def texts(url: str, where: str = NORTH) -> Counter[tuple[object, ...]]:
    """Practice, provider, value and note of rows of the charges, as text."""
    return Counter(
        select(
            url,
            "SELECT practice_uid::text, provider_uid::text, measure_value::text, note "
            f"FROM ih.facts WHERE ({where}) AND measure = 'Charges' AND frequency = 'Monthly'",
        )
    )


def texts_of(lines: str) -> Counter[tuple[object, ...]]:
    """The same of a file of JSON lines."""
    rows = [json.loads(line, parse_float=str) for line in lines.splitlines()]
    return Counter(
        tuple(None if row[name] is None else str(row[name]) for name in NAMES) for row in rows
    )


async def agrees(cache: AnalyticsCache, facts: str, origin: str = "store") -> None:
    """What two users are answered is SQL's, and comes from there."""
    for user, where in (("north", NORTH), ("root", "true")):
        found = await ask(cache, user)
        assert told(found) == expected(facts, where)
        assert found.meta.origin == origin


async def test_refreshes(cache: AnalyticsCache, facts: str, redis_cluster: RedisCluster) -> None:
    """By name and by what has changed: the rest is carried over, on whichever master it lies."""
    first = await cache.warm(1)
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1 WHERE practice_uid < 103")
    report = await cache.warm(1, measures=["Charges"])
    assert (report.refreshed + report.carried, report.because) == (first.partitions, "")
    assert report.carried > 0
    await agrees(cache, facts)
    await cache.warm(1, changed=True)  # takes fingerprints
    execute(facts, "DELETE FROM ih.facts WHERE measure = 'Charges' AND provider_uid = 2")
    report = await cache.warm(1, changed=True)
    assert (report.refreshed, report.because) == (2, "")
    await agrees(cache, facts)
    verified = await cache.verify(1, seed=7)
    ((rows,),) = select(facts, "SELECT count(*) FROM ih.facts")
    assert (str(verified.verdict), verified.findings_total, verified.rows) == ("equal", 0, rows)
    await cache.invalidate(1)
    left = {parse_key(key).kind for key in redis_cluster.all_keys()}
    assert left <= {"fence", "history", "jobs", "jobs_order"}


async def test_steering(
    cache: AnalyticsCache, tmp_path: Path, cluster_url: str, facts: str
) -> None:
    """Back to the snapshot before, pinned; off and on again: in another process too."""
    before = expected(facts, NORTH)
    snapshot = (await cache.warm(1)).snapshot
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    await agrees(cache, facts)
    folder = tmp_path / "other"
    folder.mkdir()
    environment = ENVIRONMENT | {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0"}
    async with make_cache(
        folder, cluster_url, facts, access=ACCESS, environment=environment
    ) as other:
        await agrees(other, facts)
        done = await cache.rollback(1)
        assert (done.snapshot, done.pinned_by) == (snapshot, "library")
        for each in (cache, other):
            found = await ask(each, "north")
            assert (told(found), found.meta.snapshot) == (before, snapshot)
        assert (await cache.unpin(1)).pinned_by is None
        await cache.disable(1)
        for each in (cache, other):
            await agrees(each, facts, "database")
        await cache.enable(1)
        assert told(await ask(other, "north")) == before
        await other.warm(1)
        await agrees(other, facts)


async def test_questions_of_every_kind(cache: AnalyticsCache, facts: str) -> None:
    """Many at once, values of columns, measures, an export in pieces, figures."""
    await cache.warm(1)
    grant = await cache.authorize("exporter")
    many = await cache.query_many(
        [Query(**CHARGES), Query(**CHARGES, practices=[102]), Query(**CHARGES, practices=[])],
        grant,
    )
    results = [each for each in many if isinstance(each, Result)]
    assert [told(each) for each in results] == [
        expected(facts, NORTH),
        expected(facts, "practice_uid = 102"),
        Counter(),
    ]
    assert results[0].meta.origin == results[1].meta.origin == "store"
    for column in ("note", "practice_uid", "provider_uid"):
        found = await cache.values(1, column, grant, measure="Charges", frequency="Monthly")
        wanted = select(
            facts,
            f"SELECT DISTINCT {column} FROM ih.facts WHERE ({NORTH}) AND measure = 'Charges' "
            f"AND frequency = 'Monthly' AND {column} IS NOT NULL",
        )
        assert Counter(found) == Counter(value for (value,) in wanted)
    stream = await cache.export_stream(Query(**CHARGES), grant, "jsonl", chunk_rows=50)
    async with stream:
        written = b"".join([piece async for piece in stream])
    assert texts_of(written.decode()) == texts(facts)
    stats = await cache.stats(1)
    counted = select(facts, "SELECT count(*) FROM ih.facts")
    assert [(stats.rows,)] == counted
    assert (await cache.health(1)).datasources[0].state == "excellent"


def job_ends(client: Web, job: str) -> dict[str, Any]:
    """How a job ended, as a service sees it."""
    deadline = time.monotonic() + 60
    while True:
        answered = client.admin("GET", "/warming/status", params={"job": job})
        found: dict[str, Any] = answered.json()["job"]
        if found["state"] not in ("queued", "running"):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


async def test_a_service_and_its_jobs(cache: AnalyticsCache, tmp_path: Path, facts: str) -> None:
    """It answers, exports, and has a warm done by a process of its own, which others see."""
    ((rows,),) = select(facts, "SELECT count(*) FROM ih.facts")
    with web(tmp_path / "warmcube.toml") as service:
        assert service.get("/healthz").status_code == 200
        started = service.admin("POST", "/warm", json={"datasource": 1})
        assert started.status_code == 202, started.text
        ended = job_ends(service, started.json()["job"])
        assert (ended["state"], ended["report"]["rows"]) == ("done", rows)
        assert [job.id for job in await cache.jobs.last(1)] == [ended["id"]]
        answered = service.post("/api/query", json=query_of(), headers=as_user("north")).json()
        assert answered["meta"]["origin"] == "store"
        export = service.post(
            "/api/export", json=query_of(format="jsonl"), headers=as_user("exporter")
        )
        assert texts_of(export.text) == texts(facts)
        assert json.loads(export.headers["warmcube-meta"])["origin"] == "store"
        assert service.admin("POST", "/invalidate", json={"datasource": 1}).status_code == 200
    await agrees(cache, facts, "database")


async def test_a_worker(cache: AnalyticsCache, tmp_path: Path, facts: str) -> None:
    """It warms what is cold, and ends in order."""
    with working(tmp_path / "warmcube.toml") as worker:
        worker.await_event("warmed")
        await agrees(cache, facts)
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    (job,) = await cache.jobs.last(1)
    assert (job.state, job.reason) == ("done", "cold")


async def test_sessions(tmp_path: Path, cluster_url: str, facts: str) -> None:
    """Whoever signs in is known to every process until they sign out; wrong passwords count."""
    kdf = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    CredentialsFile(tmp_path / "credentials.toml").put("north", kdf.hash(b"right"))
    settings = make_cache(
        tmp_path, cluster_url, facts, access=ACCESS, more="[auth.local]\n"
    ).settings
    origin = "http://127.0.0.1:8080"
    one, other = (create_app(settings, identify_by_name) for _ in range(2))
    async with (
        one.router.lifespan_context(one),
        other.router.lifespan_context(other),
        httpx.AsyncClient(transport=httpx.ASGITransport(one), base_url=origin) as browser,
        httpx.AsyncClient(transport=httpx.ASGITransport(other), base_url=origin) as elsewhere,
    ):

        async def sign_in(password: str) -> httpx.Response:
            body = {"user": "north", "password": password}
            return await browser.post("/api/session", json=body, headers={"Origin": origin})

        assert (await sign_in("wrong")).status_code == 401
        answer = await sign_in("right")
        assert answer.status_code == 200
        elsewhere.cookies = browser.cookies
        assert (await elsewhere.get("/api/session")).json()["user"] == "north"
        headers = {"Origin": origin, "X-CSRF-Token": answer.json()["csrf_token"]}
        assert (await elsewhere.delete("/api/session", headers=headers)).status_code == 204
        assert (await browser.get("/api/session")).status_code == 401
        refused = [(await sign_in("wrong")).status_code for _ in range(8)]
        assert refused[-1] == 429
