"""`warmcube.service.warming`: whatever becomes of a job's process, its record says so."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.caches import make_cache

from warmcube import AnalyticsCache
from warmcube.entry.keys import Keys
from warmcube.errors import Overloaded, StoreError, UnknownDatasource, WarmInProgress
from warmcube.jobs.job import Job, JobState
from warmcube.jobs.ledger import Ledger
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
