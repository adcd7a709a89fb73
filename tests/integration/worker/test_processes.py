"""`warmcube worker` as processes of its own, on real servers, killed and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from tests.support.caches import TABLE, execute, select
from tests.support.workers import configure, wait_until, working

from warmcube.embedded.redis_server import redis_executable
from warmcube.entry.keys import Keys
from warmcube.jobs.job import Job, JobState, unpack_job


@pytest.fixture(scope="module")
def database(postgres_module_db: str) -> str:
    """A database with a small table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@contextmanager
def held(database: str) -> Iterator[None]:
    """Keep everybody from reading the table: whoever warms it waits."""
    with psycopg.connect(database) as connection:
        connection.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        yield


def jobs_of(redis_url: str, *ids: int) -> list[Job]:
    """Every job that data sources had, in the order of the ids, the newest first."""
    found: list[Job] = []
    with closing(redis.Redis.from_url(redis_url)) as client:
        for each in ids:
            keys = Keys("", each)
            ids_of_jobs: Any = client.lrange(keys.jobs_order, 0, -1)
            records: Any = [client.hget(keys.jobs, job) for job in ids_of_jobs]
            found += map(unpack_job, records)
    return found


def live(redis_url: str, datasource: int = 1) -> bytes | None:
    """The version of the live snapshot."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        value: bytes | None = client.get(Keys("", datasource).current)  # type: ignore[assignment]
        return value


def lease(redis_url: str, datasource: int = 1) -> bytes | None:
    """Who holds a lease."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        value: bytes | None = client.get(Keys("", datasource).lock)  # type: ignore[assignment]
        return value


def test_two_workers_share_three_sources_and_one_is_killed(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """Each data source is warmed once, whoever does it. Of one that is killed in the middle of a
    warm, the other takes over when its lease is over.
    """
    file = configure(tmp_path, redis_url, database, 2, 3, more="[worker]\npause = 0.5")
    with working(file) as one, working(file) as other:
        wait_until(lambda: all(live(redis_url, each) for each in (1, 2, 3)))
        wait_until(lambda: not any(lease(redis_url, each) for each in (1, 2, 3)))
        one.await_event("started")
        other.await_event("started")
        time.sleep(1.5)  # in which each looks once more, and must not find anything due
        jobs = jobs_of(redis_url, 1, 2, 3)
        assert Counter(job.datasource for job in jobs) == {1: 1, 2: 1, 3: 1}
        assert {(job.state, job.reason) for job in jobs} == {(JobState.DONE, "cold")}
        assert {job.actor.partition(":")[0] for job in jobs} == {"worker"}
        processes = {one.process.pid, other.process.pid}
        assert {int(job.process.rpartition(" ")[2]) for job in jobs} <= processes

        with held(database):
            with closing(redis.Redis.from_url(redis_url)) as client:
                client.delete(Keys("", 1).current)
            wait_until(lambda: lease(redis_url) is not None)
            holder = one if str(one.process.pid).encode() in (lease(redis_url) or b"") else other
            holder.signal(signal.SIGKILL)
            holder.wait()
            assert lease(redis_url) is not None
        with closing(redis.Redis.from_url(redis_url)) as client:
            client.pexpire(Keys("", 1).lock, 500)  # not half a minute, for the test's sake
            client.pexpire(Keys("", 1).job, 500)
        wait_until(lambda: live(redis_url) is not None)
        survivor = other if holder is one else one
        newest, abandoned, *_ = jobs_of(redis_url, 1)
        assert int(newest.process.rpartition(" ")[2]) == survivor.process.pid
        assert int(abandoned.process.rpartition(" ")[2]) == holder.process.pid
        survivor.signal(signal.SIGTERM)
        assert survivor.wait() == 0


def test_sigterm_lets_a_warm_get_done(tmp_path: Path, redis_url: str, database: str) -> None:
    """What runs is finished, nothing more is begun, and the worker's traces are gone."""
    file = configure(tmp_path, redis_url, database, 2, more="[worker]\nconcurrency = 1")
    with working(file) as worker:
        with held(database):
            worker.await_event("warming")
            wait_until(lambda: lease(redis_url) or lease(redis_url, 2))
            worker.signal(signal.SIGTERM)
            worker.await_event("ending")
        assert worker.wait() == 0
        assert [event["event"] for event in worker.events if event["event"] != "progress"] == [
            *("started", "warming", "ending", "warmed", "ended")
        ]
    assert [job.state for job in jobs_of(redis_url, 1, 2)] == [JobState.DONE]
    with closing(redis.Redis.from_url(redis_url)) as client:
        assert list(client.scan_iter("cache:meta:{workers}*")) == []
        assert list(client.scan_iter("*:outlook")) == []


@pytest.mark.parametrize("signals", [1, 2])
def test_sigterm_gives_up_what_takes_too_long(
    tmp_path: Path, redis_url: str, database: str, signals: int
) -> None:
    """When its time is over, or at a second signal: status 0, the lease given back, no snapshot
    taken away, and another worker need not wait.
    """
    more = f"[worker]\nshutdown = {0.5 if signals == 1 else 300.0}"
    file = configure(tmp_path, redis_url, database, more=more)
    with held(database), working(file) as worker:
        worker.await_event("warming")
        wait_until(lambda: lease(redis_url))
        for _ in range(signals):
            worker.signal(signal.SIGTERM)
            worker.await_event("ending")
        assert worker.wait() == 0
        worker.await_event("given_up")
    (job,) = jobs_of(redis_url, 1)
    assert (job.state, job.failure.kind if job.failure else None) == (JobState.FAILED, "Stopped")
    assert lease(redis_url) is None
    if signals == 1:
        with working(file, "--once") as again:
            assert again.wait() == 0
            assert [event["reason"] for event in again.of("warmed")] == ["cold"]


class BareRedis:
    """A Redis that keeps nothing when it is killed, on a socket that stays the same."""

    def __init__(self, folder: Path, executable: Path | None) -> None:
        self._socket = folder / "s"
        self._executable = executable or redis_executable()
        self.url = f"unix://{self._socket}"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        options = ("--port", "0", "--unixsocket", str(self._socket), "--save", "")
        process = subprocess.Popen(
            [str(self._executable), *options],
            cwd=self._socket.parent,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)
        return process

    def _answers(self) -> bool:
        try:
            with closing(redis.Redis.from_url(self.url)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again, empty."""
        self.process = self._start()


@pytest.fixture
def bare_redis(redis_executable: Path | None) -> Iterator[BareRedis]:
    """A Redis of the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="wc-"))
    server = BareRedis(folder, redis_executable)
    yield server
    server.kill()
    shutil.rmtree(folder)


def test_a_redis_that_is_restarted_empty_is_warmed_again(
    tmp_path: Path, bare_redis: BareRedis, database: str
) -> None:
    """The worker waits while it is away, tells of that once, and goes on by itself."""
    file = configure(tmp_path, bare_redis.url, database)
    with working(file) as worker:
        worker.await_event("warmed")
        before = live(bare_redis.url)
        bare_redis.kill()
        worker.await_event("waiting")
        bare_redis.restart()
        assert live(bare_redis.url) is None
        worker.await_event("back")
        worker.await_event("warmed", 2)
        assert live(bare_redis.url) not in (None, before)
        assert len(worker.of("waiting")) == 1
        worker.signal(signal.SIGINT)
        assert worker.wait() == 0


def test_once_is_for_schedulers(tmp_path: Path, redis_url: str, database: str) -> None:
    """What is due is warmed, and what isn't is left; what fails is in the exit status."""
    file = configure(tmp_path, redis_url, database, 2)
    with file.open("a") as opened:
        opened.write('[[datasources]]\nid = 3\nname = "Gone"\nsource = "main"\ntable = "ih.none"\n')
    for expected in ([1, 2], []):  # the second time without regard to the pause after a failure
        with working(file, "--once") as worker:
            assert worker.wait() == 1
            assert sorted(event["datasource"] for event in worker.of("warmed")) == expected
            (failed,) = worker.of("failed")
            assert (failed["datasource"], failed["reason"]) == (3, "cold")
            assert "ih.none" in failed["error"]


PATCHED = """
import sys
import warmcube.cli.app
from warmcube.cli import main
sys.modules["warmcube.cli.worker"].HARD_SECONDS = 1.0
main()
"""


def test_a_database_that_hangs_doesnt_keep_it(
    tmp_path: Path, redis_url: str, database: str
) -> None:
    """Told twice to end, while the session that it reads from answers nothing, not even that it
    is cancelled: it just ends, and its lease ends with it.
    """
    file = configure(tmp_path, redis_url, database)
    with held(database), working(file, program=PATCHED) as worker:
        worker.await_event("warming")
        wait_until(lambda: backends(database))
        frozen = backends(database)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            worker.signal(signal.SIGTERM)
            worker.await_event("ending")
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 1
        finally:
            for pid in frozen:
                os.kill(pid, signal.SIGCONT)


def backends(database: str) -> list[int]:
    """The sessions that wait for the table."""
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND wait_event_type = 'Lock'"
    )
    return [int(str(pid)) for (pid,) in select(database, query)]
