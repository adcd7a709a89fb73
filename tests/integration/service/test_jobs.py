"""Warms asked for over HTTP, with services and workers as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from tests.integration.service.conftest import ACCESS
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.services import as_user, query_of
from tests.support.web import Web, web

from warmcube import AnalyticsCache
from warmcube.config import load
from warmcube.embedded import EmbeddedRedis
from warmcube.entry.keys import Keys

LARGE = """
CREATE TABLE ih.large AS
SELECT 'Charges ' || m AS measure, p AS practice_uid, v AS provider_uid, 'Monthly' AS frequency,
       DATE '2024-01-01' + d AS date_index, (p * v + d)::numeric(14, 2) AS measure_value
FROM generate_series(1, 3) m, generate_series(1, 200) p, generate_series(1, 10) v,
     generate_series(0, 149) d;
"""
ROWS = 3 * 200 * 10 * 150


@pytest.fixture(scope="module")
def database(postgres_module_db: str) -> str:
    """A database with a small table and a large one."""
    execute(postgres_module_db, TABLE, LARGE)
    return postgres_module_db


def configured(folder: Path, redis_url: str, database: str, **more: Any) -> Path:
    """A configuration's file."""
    make_cache(folder, redis_url, database, access=ACCESS, **more)
    return folder / "warmcube.toml"


@pytest.fixture
def small(tmp_path: Path, redis_url: str, database: str) -> Path:
    """A configuration over the small table, to be changed."""
    return configured(tmp_path, redis_url, database)


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, redis_server: EmbeddedRedis, database: str
) -> Iterator[tuple[Path, Web]]:
    """A configuration over the small table that stays as it is, and a service that nothing ends."""
    config = configured(tmp_path_factory.mktemp("shared"), redis_server.url, database)
    with web(config) as client:
        yield config, client


@pytest.fixture
def config(redis_url: str, shared: tuple[Path, Web]) -> Path:
    """The configuration of `other`; the store is empty."""
    return shared[0]


@pytest.fixture
def other(config: Path, shared: tuple[Path, Web]) -> Web:
    """A service that goes on, whatever happens to those that a test starts beside it."""
    return shared[1]


@pytest.fixture
def large(tmp_path: Path, redis_url: str, database: str) -> Path:
    """A configuration over the large table."""
    return configured(tmp_path, redis_url, database, table="ih.large")


@contextmanager
def held(database: str, table: str = "ih.facts") -> Iterator[None]:
    """Keep everybody from reading a table: whoever warms it waits."""
    with psycopg.connect(database) as connection:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


def start(client: Web, **body: Any) -> str:
    """Start a job; its id."""
    answered = client.admin("POST", "/warm", json={"datasource": 1, **body})
    assert answered.status_code == 202, answered.text
    job: str = answered.json()["job"]
    assert answered.headers["location"].endswith(f"/warming/status?job={job}")
    return job


def job_of(client: Web, job: str) -> dict[str, Any]:
    """How a job gets on, as a service sees it."""
    answered = client.admin("GET", "/warming/status", params={"job": job})
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()["job"]
    return found


def until(
    client: Web, job: str, condition: Callable[[dict[str, Any]], bool]
) -> list[dict[str, Any]]:
    """Everything that was seen of a job until a condition came true of it."""
    seen = [job_of(client, job)]
    deadline = time.monotonic() + 90
    while not condition(seen[-1]):
        assert time.monotonic() < deadline, seen[-1]
        time.sleep(0.02)
        seen.append(job_of(client, job))
    return seen


def has_ended(job: dict[str, Any]) -> bool:
    """Whether nothing more will come of it."""
    return job["state"] not in ("queued", "running")


def is_at_work(job: dict[str, Any]) -> bool:
    """Whether a process of its own works on it."""
    return bool(job["state"] == "running")


def worker_of(job: dict[str, Any]) -> int:
    """The process that works on a job."""
    return int(job["process"].rpartition(" ")[2])


def leases(redis_url: str) -> bytes | None:
    """What the lock of the data source holds."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        value: bytes | None = client.get(Keys("", 1).lock)  # type: ignore[assignment]
        return value


def test_line_19_progress_moves_and_shows_in_every_process(large: Path, database: str) -> None:
    """Line 19: a job started through one process moves in another, from 0 to 1, never backwards,
    and is in the next one's history after both are gone.
    """
    with web(large) as one, web(large) as other:
        job = start(one)
        seen = until(other, job, has_ended)
        shares = [each["done"] for each in seen]
        assert shares == sorted(shares)
        assert len({share for share in shares if 0 < share < 1}) >= 3
        assert len({each["phase"] for each in seen}) >= 3
        ended = seen[-1]
        assert (ended["state"], ended["done"], ended["failure"]) == ("done", 1.0, None)
        counted = select(database, "SELECT count(*) FROM ih.large")
        assert [(ended["report"]["rows"],)] == counted == [(ROWS,)]
        assert worker_of(ended) not in (one.process.pid, other.process.pid)
        counted_once = 'warmcube_warm_seconds_count{datasource="1"} 1'
        deadline = time.monotonic() + 30
        while counted_once not in one.get("/metrics").text:  # once its process has ended
            assert time.monotonic() < deadline
            time.sleep(0.05)
    with web(large) as later:
        (status,) = later.admin("GET", "/warming/status").json()["datasources"]
        assert (status["active"], status["warming"]) == (None, None)
        assert status["history"] == [ended]


def test_events_tell_the_same(large: Path) -> None:
    """The stream of another process tells every job's progress, its end, and then ends itself."""
    with web(large) as one, web(large) as other:
        job = start(one)
        url = "/api/admin/analytics/cache/warming/events"
        with other.stream("GET", url, params={"job": job}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            events = read_events(stream.iter_lines())
        kinds = [kind for _, kind, _ in events]
        assert kinds == ["progress"] * (len(kinds) - 1) + ["end"]
        assert len(kinds) >= 4
        shares = [data["done"] for _, _, data in events]
        assert shares == sorted(shares)
        assert events[-1][2] == job_of(one, job)
        # Whoever knows how it ended needn't come back; whoever doesn't is told.
        again = other.get(url, headers={"Last-Event-ID": events[-1][0]})
        assert (again.status_code, again.content) == (204, b"")
        late = other.get(url, headers={"Last-Event-ID": events[-2][0]})
        assert read_events(iter(late.text.split("\n"))) == events[-1:]


def read_events(lines: Iterator[str]) -> list[tuple[str, str, Any]]:
    """Id, name and data of each event."""
    events: list[tuple[str, str, Any]] = []
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            events.append((fields["id"], fields["event"], json.loads(fields["data"])))
            fields = {}
    return events


def test_of_two_at_once_one_works(config: Path, other: Web, database: str) -> None:
    """Through whichever process: exactly one is accepted, the others are told of it."""
    with web(config) as one, held(database):
        body = {"datasource": 1}
        with ThreadPoolExecutor(8) as pool:
            answered = list(
                pool.map(lambda client: client.admin("POST", "/warm", json=body), [one, other] * 4)
            )
        assert sorted(each.status_code for each in answered) == [202] + [409] * 7
        (job,) = (each.json()["job"] for each in answered if each.status_code == 202)
        for each in answered:
            if each.status_code == 409:
                problem = each.json()
                assert problem["type"] == "urn:warmcube:problem:warm-in-progress"
                assert (problem["job"], problem["by"]) == (job, "root through test")
                assert problem["since"] is not None
                assert int(each.headers["retry-after"]) >= 1
        everything = one.admin("POST", "/warm", json={"datasource": "all"})
        assert everything.status_code == 409


def test_a_killed_worker_is_abandoned(
    config: Path, other: Web, database: str, redis_url: str
) -> None:
    """It says so at once, and the data source can be warmed again as soon as its lease is over."""
    with web(config) as one:
        first = start(one)
        until(one, first, has_ended)
        with held(database):
            job = start(one)
            seen = until(
                other, job, lambda each: is_at_work(each) and leases(redis_url) is not None
            )
            os.kill(worker_of(seen[-1]), signal.SIGKILL)
            ended = until(other, job, lambda each: each["failure"] is not None)[-1]
            assert (ended["state"], ended["failure"]["kind"]) == ("abandoned", "Killed")
            assert "SIGKILL" in ended["failure"]["message"]
            refused = other.admin("POST", "/warm", json={"datasource": 1})
            assert (refused.status_code, refused.json()["job"]) == (409, None)
            assert str(worker_of(seen[-1])) in refused.json()["by"]
            assert 1 <= int(refused.headers["retry-after"]) <= 31
        answered = other.post("/api/query", json=query_of())
        assert answered.json()["meta"]["origin"] == "store"
        with closing(redis.Redis.from_url(redis_url)) as client:
            client.delete(Keys("", 1).lock)  # as it will be in half a minute
        assert until(other, start(other), has_ended)[-1]["state"] == "done"


def test_a_killed_service_loses_no_job(config: Path, other: Web, database: str) -> None:
    """The worker goes on, and other processes see it do so."""
    with web(config) as one:
        with held(database):
            job = start(one)
            until(other, job, is_at_work)
            one.process.kill()
            one.process.wait(30)
            assert is_at_work(job_of(other, job))
        assert until(other, job, has_ended)[-1]["state"] == "done"


def test_a_service_killed_with_its_queue(small: Path, redis_url: str, database: str) -> None:
    """A job that nobody will do any more is abandoned, not queued for ever."""
    with small.open("a") as file:
        file.write('[[datasources]]\nid = 2\nname = "Large"\nsource = "main"\ntable = "ih.large"\n')
    with web(small) as one, web(small) as other:
        with held(database):
            answered = one.admin("POST", "/warm", json={"datasource": "all"})
            assert answered.status_code == 202
            assert answered.json()["job"] is None
            first, second = (each["id"] for each in answered.json()["jobs"])
            until(other, first, is_at_work)
            assert job_of(other, second)["state"] == "queued"
            one.process.kill()
            one.process.wait(30)
        assert until(other, second, has_ended)[-1]["state"] == "abandoned"
        assert until(other, first, has_ended)[-1]["state"] == "done"


def test_sigterm_gives_time_and_then_ends_in_order(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """A warm that doesn't get done gives its lease back, and the old snapshot goes on serving."""
    config = configured(tmp_path, redis_url, database, more="[service]\nshutdown = 5.0\n")
    with web(config) as one, web(config) as other:
        first = until(other, start(one), has_ended)[-1]
        with held(database):
            job = start(one)
            at_work = until(other, job, lambda each: is_at_work(each) and bool(leases(redis_url)))
            one.process.terminate()
            assert one.process.wait(30) == 0
            ended = job_of(other, job)
            assert (ended["state"], ended["failure"]["kind"]) == ("failed", "Stopped")
            assert leases(redis_url) is None
            with pytest.raises(ProcessLookupError):
                os.kill(worker_of(at_work[-1]), 0)
        answered = other.post("/api/query", json=query_of()).json()
        assert answered["meta"]["origin"] == "store"
        assert answered["meta"]["snapshot"] == first["report"]["snapshot"]


def test_sigterm_lets_a_warm_get_done(config: Path, other: Web, database: str) -> None:
    """Within the time that the service has."""
    with web(config) as one:
        with held(database):
            job = start(one)
            until(other, job, is_at_work)
            one.process.terminate()
        assert one.process.wait(60) == 0
        assert job_of(other, job)["state"] == "done"


def test_an_emptied_store(other: Web, database: str, redis_url: str) -> None:
    """FLUSHALL in the middle: the job ends as it ends, is told truly, and the next one works."""
    with held(database):
        job = start(other)
        until(other, job, lambda each: is_at_work(each) and leases(redis_url) is not None)
        with closing(redis.Redis.from_url(redis_url)) as client:
            client.flushall()
    deadline = time.monotonic() + 60
    while (found := other.admin("GET", "/warming/status", params={"job": job})).status_code == 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ended = until(other, found.json()["job"]["id"], has_ended)[-1]
    assert (ended["state"], ended["failure"]["kind"]) == ("failed", "WarmFenced")
    assert until(other, start(other), has_ended)[-1]["state"] == "done"


def test_invalidating_stops_a_job(config: Path, other: Web, database: str, redis_url: str) -> None:
    """What was taken away isn't brought back by a warm that had begun before."""
    with web(config) as one:
        with held(database):
            job = start(one)
            until(one, job, lambda each: is_at_work(each) and leases(redis_url) is not None)
            gone = other.admin("POST", "/invalidate", json={"datasource": 1})
            assert gone.json() == {"invalidated": [{"datasource": 1, "was_live": False, "keys": 0}]}
        ended = until(one, job, has_ended)[-1]
        assert (ended["state"], ended["failure"]["kind"]) == ("failed", "WarmFenced")


def test_a_failed_warm_says_why(tmp_path: Path, redis_url: str, database: str) -> None:
    """In the words that the command line has, without credentials."""
    config = configured(tmp_path, redis_url, database, table="ih.absent")
    with web(config) as one:
        ended = until(one, start(one), has_ended)[-1]
        assert (ended["state"], ended["failure"]["kind"]) == ("failed", "TableMismatch")
        assert "ih.absent" in ended["failure"]["message"]


def test_a_worker_shows_no_secret(tmp_path: Path, redis_url: str, database: str) -> None:
    """Neither on its command line nor in its environment."""
    key = "k" * 40
    make_cache(tmp_path, redis_url, database, access=ACCESS)
    config = tmp_path / "warmcube.toml"
    text = config.read_text()
    config.write_text(text.replace("[store]\n", f'[store]\nintegrity = "mac"\nmac_key = "{key}"\n'))
    with web(config) as one, held(database):
        at_work = until(one, start(one), is_at_work)[-1]
        facts = Path(f"/proc/{worker_of(at_work)}")
        for name in ("cmdline", "environ"):
            shown = (facts / name).read_bytes().decode(errors="replace")
            assert key not in shown
            assert database not in shown
        assert b"warmcube.service.job_process" in (facts / "cmdline").read_bytes()


def test_a_warm_without_a_service_shows_too(config: Path, other: Web, database: str) -> None:
    """One by the library or the command line is a job like any other, and keeps others out."""

    async def warm() -> None:
        async with AnalyticsCache(load(config, {}), actor="cli:somebody") as cache:
            await cache.warm(1)

    with ThreadPoolExecutor(1) as pool:
        with held(database):
            warming = pool.submit(asyncio.run, warm())
            deadline = time.monotonic() + 30
            while (status := other.admin("GET", "/warming/status").json()["datasources"][0])[
                "warming"
            ] is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert status["active"]["actor"] == "cli:somebody"
            assert status["active"]["state"] == "running"
            assert str(os.getpid()) in status["warming"]
            refused = other.admin("POST", "/warm", json={"datasource": 1})
            assert (refused.status_code, refused.json()["by"]) == (409, "cli:somebody")
            assert refused.json()["job"] == status["active"]["id"]
        warming.result(60)
        assert job_of(other, status["active"]["id"])["state"] == "done"


def test_a_listener_whose_right_ends(small: Path, database: str) -> None:
    """The stream of events ends with the right to listen, though the job goes on."""
    with web(small) as one, held(database):
        job = start(one)
        url = "/api/admin/analytics/cache/warming/events"
        with one.stream("GET", url, headers=as_user("watcher")) as stream:
            lines = stream.iter_lines()
            while not next(lines).startswith("data: "):
                pass
            access = small.parent / "access.toml"
            access.write_text(
                access.read_text().replace('"cache:read:all"', '"analytics:read:all"')
            )
            for _ in lines:  # ends by itself
                pass
        assert not has_ended(job_of(one, job))
