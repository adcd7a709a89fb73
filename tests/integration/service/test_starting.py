"""`warmcube.service.warming`: whatever becomes of a job's process, its record says so."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from tests.support.caches import TABLE, execute, make_cache, select
from tests.support.fallback import frozen

from warmcube import AnalyticsCache
from warmcube.config.handover import pack_settings
from warmcube.embedded import EmbeddedPostgres
from warmcube.entry.keys import Keys
from warmcube.errors import Overloaded, StoreError, UnknownDatasource, WarmInProgress
from warmcube.jobs.job import Job, JobFailure, JobState, pack_job
from warmcube.jobs.ledger import Ledger
from warmcube.service.verifying import VerifyJobs
from warmcube.service.warming import Warming
from warmcube.store.readonly import ReadOnlyStore

WAITS = (sys.executable, "-c", "import sys; sys.stdin.read(); import time; time.sleep(600)")
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.read()
open(sys.argv[1], "w").close()
time.sleep(600)
"""
THREAD = """
import asyncio, sys, time
from warmcube.service import job_process
class Cache(job_process.AnalyticsCache):
    async def warm(self, *given, **named):
        asyncio.get_running_loop().run_in_executor(None, time.sleep, 300)
        return await super().warm(*given, **named)
job_process.AnalyticsCache = Cache
job_process.END_SECONDS = 1.0
sys.exit(job_process.main())
"""
FROZEN = """
import os, signal, sys
sys.stdin.read()
open(sys.argv[1], "w").write(str(os.getpid()))
os.kill(os.getpid(), signal.SIGSTOP)
"""
BRIEF = """
import sys
from warmcube.service import job_process
job_process.END_SECONDS = 4.0
sys.exit(job_process.main())
"""


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """An engine whose jobs are the tests' to do."""
    async with make_cache(tmp_path, redis_url, facts) as opened:
        yield opened


async def ended(cache: AnalyticsCache, job: Job) -> Job:
    """A job, once nothing more will come of it."""
    async with asyncio.timeout(30):
        while True:
            found = await cache.jobs.find(job.id)
            if found.failure is not None:
                return found
            await asyncio.sleep(0.01)


async def until_done(jobs: VerifyJobs) -> None:
    """Nothing of some jobs is under way any more."""
    async with asyncio.timeout(30):
        while jobs._tasks:  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("command", "state", "kind"),
    [
        (("/no/such/program",), JobState.FAILED, "FileNotFoundError"),
        ((sys.executable, "-c", "raise SystemExit(3)"), JobState.FAILED, "Unrecorded"),
        (
            (sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"),
            JobState.ABANDONED,
            "Killed",
        ),
    ],
)
async def test_a_process_that_does_nothing(
    cache: AnalyticsCache, command: tuple[str, ...], state: JobState, kind: str
) -> None:
    """It can't be started, ends before it has begun, or is killed: the next job may start."""
    warming = Warming(cache.settings, cache, command)
    job = await warming.start(1, actor="ana")
    assert (job.state, job.actor) == (JobState.QUEUED, "ana")
    found = await ended(cache, job)
    assert found.failure is not None
    assert (found.state, found.failure.kind) == (state, kind)
    second = await warming.start(1, actor="bob", force=True)
    assert second.forced
    await warming.close(1)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("/no/such/program",), "FileNotFoundError"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "Unrecorded"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "Killed"),
    ],
)
async def test_a_verification_whose_process_comes_to_nothing_has_failed(
    cache: AnalyticsCache, command: tuple[str, ...], kind: str
) -> None:
    """That is the last verdict then, in the place of an older one."""
    await cache.warm(1)
    await cache.verify(1)
    verifying = VerifyJobs(cache.settings, cache, command)
    job = await verifying.start(1, actor="ana", sample=1, seed=1)
    await until_done(verifying)
    found = await cache.verifications.find(job.id)
    assert found.failure is not None
    assert found.failure.kind == kind
    stats = await cache.stats(1)
    assert (stats.verdict, stats.verified_snapshot) == ("failed", None)


async def test_what_is_heard_of_late_is_no_verdict(cache: AnalyticsCache) -> None:
    """A process that is found dead when another verification has ended leaves its verdict alone."""
    await cache.warm(1)
    dead = await cache.verifications.start(1, actor="ana", sample=1, seed=1)
    await cache.store.run([(b"DEL", Keys(cache.settings.store.namespace, 1).verifying)])
    assert (await cache.verify(1)).is_equal
    failure = JobFailure("Killed", "its process was ended by SIGKILL; start it anew")
    await cache.observe_verification(dead.changed(state=JobState.ABANDONED, failure=failure))
    assert (await cache.stats(1)).verdict == "equal"


async def test_what_cant_be_started(cache: AnalyticsCache) -> None:
    """No such data source, one that is being warmed, a service that is about to end."""
    warming = Warming(cache.settings, cache, WAITS)
    with pytest.raises(UnknownDatasource):
        await warming.start(9, actor="ana")
    first = await warming.start(1, actor="ana")
    with pytest.raises(WarmInProgress, match=first.id):
        await warming.start(1, actor="bob")
    await warming.close(0.5)
    assert (await ended(cache, first)).state in (JobState.FAILED, JobState.ABANDONED)
    with pytest.raises(Overloaded):
        await warming.start(1, actor="ana")


async def test_a_process_that_wont_end_is_killed(cache: AnalyticsCache, tmp_path: Path) -> None:
    """The service doesn't wait for it for ever."""
    mark = tmp_path / "started"
    warming = Warming(cache.settings, cache, (sys.executable, "-c", STUBBORN, str(mark)))
    job = await warming.start(1, actor="ana")
    async with asyncio.timeout(30):
        while not mark.exists():  # noqa: ASYNC110 (the file system tells nobody)
            await asyncio.sleep(0.01)
    await warming.close(0.5)
    found = await ended(cache, job)
    assert found.failure is not None
    assert (found.state, found.failure.kind) == (JobState.ABANDONED, "Killed")
    assert "SIGKILL" in found.failure.message


@pytest.mark.parametrize("is_recorded", [False, True])
async def test_a_process_that_hangs_is_ended_and_the_next_has_its_turn(
    cache: AnalyticsCache,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    is_recorded: bool,
) -> None:
    """One that gives no sign of life, and one whose job has ended; by its id, and so it is told."""
    for name in ("START_SECONDS", "HUNG_SECONDS", "END_SECONDS"):
        monkeypatch.setattr(f"warmcube.service.job_processes.{name}", 0.5)
    monkeypatch.setattr("warmcube.service.job_processes._end.__defaults__", (0.5,))
    namespace = cache.settings.store.namespace
    brief = Ledger(cache.store, namespace, alive_seconds=0.5)
    monkeypatch.setattr(cache._parts, "jobs", brief)
    mark = tmp_path / "pid"
    warming = Warming(cache.settings, cache, (sys.executable, "-c", FROZEN, str(mark)))
    job = await warming.start(1, actor="ana")
    async with asyncio.timeout(30):
        while not (mark.exists() and mark.read_text()):  # noqa: ASYNC110 (the file system)
            await asyncio.sleep(0.01)
    pid = int(mark.read_text())
    if is_recorded:
        done = job.changed(state=JobState.DONE, ended_ms=job.queued_ms)
        await brief.write(done)
    async with asyncio.timeout(30):
        while warming._at_work is not None:  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    found = await brief.find(job.id)
    if is_recorded:
        assert (found.state, found.failure) == (JobState.DONE, None)
    else:
        assert found.failure is not None
        assert (found.state, found.failure.kind) == (JobState.ABANDONED, "Hung")
        assert f"process {pid} gave no sign" in found.failure.message
    assert f"job {job.id}: its process {pid} is over or gives no sign" in caplog.text
    await warming.start(1, actor="bob")
    await warming.close(0.5)


async def test_a_process_whose_threads_hang_ends_all_the_same(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str
) -> None:
    """It is told to end while a thread of it waits for a silent database: it says so, and ends."""
    with EmbeddedPostgres(tmp_path / "postgres") as postgres:
        execute(postgres.url, TABLE)
        other = make_cache(tmp_path, redis_url, postgres.url)
        job = await cache.jobs.start(1, actor="ana")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BRIEF),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        with psycopg.connect(postgres.url) as locking:
            locking.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
            process.stdin.write(pack_job(job) + b"\n" + pack_settings(other.settings))
            process.stdin.close()
            async with asyncio.timeout(60):
                waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                while select(postgres.url, waits) != [(1,)]:  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(0.02)
            with frozen(postgres):
                process.terminate()
                async with asyncio.timeout(60):
                    _, told = await process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert f"job {job.id}: its process {process.pid} hangs".encode() in told
        found = await cache.jobs.find(job.id)
        assert found.failure is not None
        assert (found.state, found.failure.kind) == (JobState.FAILED, "Stopped")


async def test_a_process_that_has_done_its_work_waits_for_no_thread(cache: AnalyticsCache) -> None:
    """One that still hangs then, among those that the event loop waits for when it ends."""
    job = await cache.jobs.start(1, actor="ana")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", THREAD),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            settings = pack_settings(cache.settings)
            _, told = await process.communicate(pack_job(job) + b"\n" + settings)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert f"job {job.id}: its process {process.pid} hangs".encode() in told
    assert (await cache.jobs.find(job.id)).state is JobState.DONE


async def test_what_waits_for_its_turn(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays alive however long that takes, and ends at once with the service."""
    namespace = cache.settings.store.namespace
    brief = Ledger(cache.store, namespace, alive_seconds=1.0)
    monkeypatch.setattr(cache._parts, "jobs", brief)
    warming = Warming(cache.settings, cache, WAITS)
    async with warming._turn:  # as if another job were at work
        job = await warming.start(1, actor="ana")
        key = Keys(namespace, 1).job
        signs = 0
        before = 0
        async with asyncio.timeout(30):
            while signs < 6:  # more than it would live without one
                (left,) = await cache.store.run([(b"PTTL", key)])
                assert left > 0
                signs += left > before
                before = left
                await asyncio.sleep(0.01)
        assert (await cache.jobs.find(job.id)).state is JobState.QUEUED
        await warming.close(30)
    found = await cache.jobs.find(job.id)
    assert found.failure is not None
    assert (found.state, found.failure.kind) == (JobState.FAILED, "Stopped")
    assert await cache.store.run([(b"EXISTS", key)]) == [0]


async def test_a_probe_warms_nothing(tmp_path: Path, redis_url: str, facts: str) -> None:
    """What may only look at the store can neither start nor record a job."""
    settings = make_cache(tmp_path, redis_url, facts).settings
    async with AnalyticsCache(settings, is_probe=True) as probe:
        assert isinstance(probe.store, ReadOnlyStore)
        with pytest.raises(StoreError, match="opened for reading only"):
            await Warming(settings, probe, WAITS).start(1, actor="ana")
        with pytest.raises(StoreError, match="opened for reading only"):
            await probe.warm(1)
        assert await probe.jobs.last(1) == ()
        assert (await probe.health()).state == "cold"
