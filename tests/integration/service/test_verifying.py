"""Verifications asked for over HTTP, with services as processes of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.integration.service.conftest import ACCESS
from tests.support.audit import read_lines
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.services import as_user
from tests.support.web import Web, web

import warmcube
from warmcube.blocking import AnalyticsCache
from warmcube.compare.report import VerifyReport
from warmcube.jobs.job import JobState
from warmcube.jobs.verification import Verification

MORE = '[audit]\npath = "audit.jsonl"\n[worker]\nrepair = "off"'


@pytest.fixture
def database(postgres_db: str) -> str:
    """A database with a small table."""
    execute(postgres_db, TABLE)
    return postgres_db


@pytest.fixture
def config(tmp_path: Path, redis_url: str, database: str) -> Path:
    """A configuration over a warm snapshot."""
    made = make_cache(tmp_path, redis_url, database, access=ACCESS, more=MORE)
    with AnalyticsCache(made.settings) as cache:
        cache.warm(1)
    return tmp_path / "warmcube.toml"


def ended(client: Web, job: str) -> dict[str, Any]:
    """A verification, once nothing more will come of it."""
    found = {}

    def has_ended() -> bool:
        answered = client.admin("GET", "/verify/status", params={"job": job})
        assert answered.status_code == 200, answered.text
        found.update(answered.json()["job"])
        return found["state"] not in ("queued", "running")

    wait_for(has_ended)
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    """Until something is so."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.03)


def start(client: Web, **body: Any) -> str:
    """Start a verification; its id."""
    answered = client.admin("POST", "/verify", json={"datasource": 1, **body})
    assert answered.status_code == 202, answered.text
    job: str = answered.json()["job"]
    assert answered.headers["location"].endswith(f"/verify/status?job={job}")
    return job


@contextmanager
def held(database: str) -> Iterator[None]:
    """Keep everybody from reading the table: whoever verifies waits."""
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        yield


def test_it_is_done_elsewhere_and_seen_everywhere(config: Path, database: str) -> None:
    """Started through one process it is seen in another and done in a third, which needs no more
    than the pointer; while it goes on, whoever asks for another is told of it; its verdict is in
    statistics, metrics and the audit.
    """
    with web(config) as one, web(config) as other:
        with held(database):
            job = start(one, sample=7, seed=11)
            answered = other.admin("POST", "/verify", json={"datasource": 1})
            assert answered.status_code == 409
            problem = answered.json()
            assert problem["type"] == "urn:warmcube:problem:verify-in-progress"
            assert (problem["by"], problem["job"]) == ("root through test", job)
            (status,) = other.admin("GET", "/verify/status").json()["datasources"]
            assert (status["active"]["id"], status["history"]) == (job, [])
        done = ended(other, job)
        assert (done["state"], done["done"], done["failure"]) == ("done", 1.0, None)
        assert (done["actor"], done["sample"], done["seed"]) == ("root through test", 7, 11)
        assert int(done["process"].rpartition(" ")[2]) not in (one.process.pid, other.process.pid)
        report = done["report"]
        ((rows,),) = select(database, "SELECT count(*) FROM ih.facts")
        assert (report["verdict"], report["findings"]) == ("equal", [])
        assert report["rows"] == report["database_rows"] == rows
        assert set(report) == set(VerifyReport.__dataclass_fields__)
        counted = 'warmcube_verifications_total{datasource="1",verdict="equal"} 1'
        wait_for(lambda: counted in one.get("/metrics").text)
        told = other.get("/metrics").text
        assert 'warmcube_verified{datasource="1",verdict="equal"} 1' in told
        assert 'warmcube_verified{datasource="1",verdict="wrong"} 0' in told
        assert 'warmcube_verified_age_seconds{datasource="1"}' in told
        (stats,) = other.admin("GET", "/stats").json()["datasources"]
        assert (stats["verdict"], stats["verified_snapshot"]) == ("equal", stats["snapshot"])
    (line,) = [
        each
        for each in read_lines((config.parent / "audit.jsonl").read_bytes())
        if each["event"] == "verified"
    ]
    assert (line["outcome"], line["actor"], line["verdict"]) == (
        "done",
        "root through test",
        "equal",
    )


def test_it_tells_what_differs(config: Path, database: str) -> None:
    """By partition; and why there was nothing to verify. What isn't asked rightly is refused."""
    execute(database, "UPDATE ih.facts SET measure_value = 5 WHERE measure = 'Charges'")
    with web(config) as client:
        changed = ended(client, start(client))["report"]
        assert changed["verdict"] == "differs"
        assert {each["measure"] for each in changed["findings"]} == {"Charges"}
        assert {each["kind"] for each in changed["findings"]} >= {"sum", "checksum"}
        client.admin("POST", "/invalidate", json={"datasource": 1})
        nothing = ended(client, start(client))
        assert (nothing["state"], nothing["report"]) == ("failed", None)
        assert nothing["failure"]["kind"] == "NothingToVerify"
        assert "is cold" in nothing["failure"]["message"]
        (status,) = client.admin("GET", "/verify/status", params={"datasource": 1}).json()[
            "datasources"
        ]
        assert [each["state"] for each in status["history"]] == ["failed", "done"]
        failed = 'warmcube_verifications_total{datasource="1",verdict="failed"} 1'
        wait_for(lambda: failed in client.get("/metrics").text)
        for wrong in (
            {},
            {"datasource": True},
            {"datasource": 1, "sample": -1},
            {"datasource": 1, "sample": 10_001},
            {"datasource": 1, "seed": 2**53},
            {"datasource": 1, "seed": "7"},
            {"datasource": 1, "force": True},
        ):
            assert client.admin("POST", "/verify", json=wrong).status_code == 422, wrong
        unknown = client.admin("GET", "/verify/status", params={"job": "1-0000000000000000"})
        assert unknown.json()["type"] == "urn:warmcube:problem:unknown-job"
        both = {"job": "1-0000000000000000", "datasource": 1}
        assert client.admin("GET", "/verify/status", params=both).status_code == 422
        denied = client.admin("GET", "/verify/status", headers=as_user("north"))
        assert denied.status_code == 403


async def recorded(config: Path, job: str) -> Verification:
    """A verification's record."""
    async with warmcube.AnalyticsCache.from_config(config) as cache:
        return await cache.verifications.find(job)


@pytest.mark.long
def test_a_service_that_ends_ends_its_verifications(config: Path, database: str) -> None:
    """In order, and soon: the record says that it was stopped."""
    with held(database), web(config) as client:
        job = start(client)
        client.process.terminate()
        assert client.process.wait(60) == 0
    found = asyncio.run(recorded(config, job))
    assert found.state in (JobState.FAILED, JobState.ABANDONED)
    assert found.failure is not None
    assert found.failure.kind in ("Stopped", "Killed")
