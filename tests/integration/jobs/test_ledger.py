"""`warmcube.jobs`: jobs in a real store, as several processes would keep and see them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from tests.support.memory import until

from warmcube.entry.keys import Keys
from warmcube.errors import StoreUnavailable, UnknownJob, WarmInProgress
from warmcube.jobs.job import Job, JobFailure, JobState
from warmcube.jobs.ledger import MOST_JOBS, Ledger
from warmcube.jobs.recorder import Recorder
from warmcube.store.api import Store
from warmcube.store.connect import open_store
from warmcube.warm.lease import Lease
from warmcube.warm.report import Phase, Progress, WarmReport

REPORT = WarmReport(
    datasource=1, snapshot="1-a", rows=5, entries=4, partitions=3, bytes=2, index_bytes=1, seconds=1
)


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """The jobs of an empty store."""
    return Ledger(store, "ns:")


@pytest.fixture
async def other(redis_url: str) -> AsyncIterator[Ledger]:
    """The same through a connection of its own."""
    opened = open_store(redis_url)
    yield Ledger(opened, "ns:")
    await opened.close()


async def test_of_many_who_start_one_does(ledger: Ledger, other: Ledger) -> None:
    """Decided in the store; everybody else is told who was faster."""
    attempts = [each.start(1, actor="ana") for each in (ledger, other) * 10]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    (job,) = (each for each in outcomes if isinstance(each, Job))
    errors = [each for each in outcomes if isinstance(each, WarmInProgress)]
    assert len(errors) == 19
    assert {(error.job, error.by) for error in errors} == {(job.id, "ana")}
    assert await other.last(1) == (job,)
    assert await other.find(job.id) == job
    assert (await ledger.start(2, actor="ana")).datasource == 2


async def test_a_lease_without_a_job_keeps_out_too(ledger: Ledger, store: Store) -> None:
    """Such as that of a process that was killed: who it was, and how long it holds."""
    assert await ledger.holder(1) is None
    async with Lease(store, Keys("ns:", 1), seconds=20):
        holder = await ledger.holder(1)
        assert holder is not None
        assert "process" in holder
        with pytest.raises(WarmInProgress, match="for its lease to end") as caught:
            await ledger.start(1, actor="ana")
        assert caught.value.job is None
        assert caught.value.by in holder
        assert 1 <= caught.value.retry_after <= 20
    await ledger.start(1, actor="ana")


async def test_without_a_sign_it_is_abandoned(store: Store, other: Ledger) -> None:
    """Seen so by everybody, and no hindrance to the next one."""
    ledger = Ledger(store, "ns:")
    job = await ledger.start(1, actor="ana")
    assert (await other.find(job.id)).state is JobState.QUEUED
    await ledger.beat(job, 0.05)
    await _seen(other, job.id, lambda each: each.state is JobState.ABANDONED)
    second = await other.start(1, actor="bob")
    assert [each.state for each in await other.last(1)] == [JobState.QUEUED, JobState.ABANDONED]
    # Who comes back from the dead finds the place taken, and takes nothing away.
    assert not await ledger.write(job.changed(state=JobState.RUNNING))
    assert (await other.find(job.id)).state is JobState.ABANDONED
    assert (await other.find(second.id)).state is JobState.QUEUED
    with pytest.raises(WarmInProgress, match="has got another job"):
        async with Recorder(ledger, job):
            pytest.fail("it must not begin")
    assert (await other.find(job.id)).state is JobState.FAILED
    assert (await other.find(second.id)).state is JobState.QUEUED


async def test_the_last_fifty_stay(ledger: Ledger, store: Store) -> None:
    """The newest first; nothing is left of older ones, and everything expires."""
    ids = []
    for _ in range(MOST_JOBS + 3):
        job = await ledger.start(1, actor="ana")
        await ledger.write(job.changed(state=JobState.DONE))
        ids.append(job.id)
    assert [job.id for job in await ledger.last(1)] == ids[:2:-1]
    with pytest.raises(UnknownJob, match="there is no job"):
        await ledger.find(ids[0])
    keys = Keys("ns:", 1)
    replies = await store.run(
        [
            (b"HLEN", keys.jobs),
            (b"LLEN", keys.jobs_order),
            (b"PTTL", keys.jobs),
            (b"PTTL", keys.jobs_order),
            (b"EXISTS", keys.job),
        ]
    )
    assert replies[:2] == [MOST_JOBS, MOST_JOBS]
    assert all(29 * 86_400_000 < left <= 30 * 86_400_000 for left in replies[2:4])
    assert replies[4] == 0


@pytest.mark.parametrize("id", ["", "x", "1-0123456789abcdef", "{ds:1}", "1-" + "g" * 16])
async def test_an_unknown_job(ledger: Ledger, id: str) -> None:
    """Whatever is asked for."""
    with pytest.raises(UnknownJob):
        await ledger.find(id)
    assert await ledger.last(1) == ()


async def test_records_that_cant_be_read(ledger: Ledger, store: Store) -> None:
    """They are passed over, and keep nobody from seeing the others, or from being told of them."""
    good = await ledger.start(1, actor="ana")
    await ledger.write(good.changed(state=JobState.DONE))
    bad = await ledger.start(1, actor="ana")
    await store.run([(b"HSET", Keys("ns:", 1).jobs, bad.id.encode(), b"rubbish")])
    assert [job.id for job in await ledger.last(1)] == [good.id]
    with pytest.raises(UnknownJob):
        await ledger.find(bad.id)
    with pytest.raises(WarmInProgress, match="wait for it") as caught:
        await ledger.start(1, actor="ana")
    assert (caught.value.job, caught.value.since) == (bad.id, None)


async def test_a_recorded_warm(ledger: Ledger, other: Ledger) -> None:
    """It runs, moves without falling back, and ends with its report."""
    told: list[Progress] = []
    queued = await ledger.start(1, actor="ana")
    async with Recorder(ledger, queued, told.append) as recorder:
        running = await other.find(queued.id)
        assert (running.state, running.done, running.actor) == (JobState.RUNNING, 0.0, "ana")
        writing = Progress(phase=Phase.WRITING, rows=2, total_rows=4, entries=1, bytes=7, seconds=3)
        recorder.tell(writing)
        recorder.tell(Progress(phase=Phase.READING, rows=0, total_rows=4))
        recorder.tell(writing)
        moved = await _seen(other, queued.id, lambda job: job.phase == "writing")
        assert (moved.done, moved.rows, moved.total_rows, moved.entries) == (0.7, 2, 4, 1)
        assert moved.eta_seconds == 1.3
        recorder.finish(REPORT)
    ended = await other.find(queued.id)
    assert (ended.state, ended.done, ended.eta_seconds) == (JobState.DONE, 1.0, None)
    assert ended.report is not None
    assert ended.report["rows"] == 5
    assert ended.revision > moved.revision
    assert [progress.rows for progress in told] == [2, 0, 2]
    await ledger.start(1, actor="bob")


async def _seen(ledger: Ledger, id: str, condition: Callable[[Job], bool]) -> Job:
    """A job as soon as a condition is true of it."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(UnknownJob):
                job = await ledger.find(id)
                if condition(job):
                    return job
            await asyncio.sleep(0.01)


async def test_a_warm_that_fails_or_is_stopped(ledger: Ledger) -> None:
    """Its record says how, at once."""
    for error, kind in ((ValueError("x"), "ValueError"), (asyncio.CancelledError(), "Stopped")):
        job = await ledger.start(1, actor="ana")
        with pytest.raises(type(error)):
            async with Recorder(ledger, job):
                raise error
        ended = await ledger.find(job.id)
        assert ended.state is JobState.FAILED
        assert isinstance(ended.failure, JobFailure)
        assert ended.failure.kind == kind


async def test_an_emptied_store_gets_the_record_again(ledger: Ledger, store: Store) -> None:
    """With the next news of a job that goes on."""
    job = await ledger.start(1, actor="ana")
    async with Recorder(ledger, job) as recorder:
        await store.run([(b"FLUSHALL",)])
        assert await ledger.last(1) == ()
        recorder.tell(Progress(phase=Phase.READING, rows=1, total_rows=4))
        await _seen(ledger, job.id, lambda each: each.rows == 1)
        recorder.finish(REPORT)
    assert [each.state for each in await ledger.last(1)] == [JobState.DONE]


async def test_a_store_that_is_away_holds_nobody_up(
    ledger: Ledger, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warm doesn't fail with what is told of it; with the store back, that is told again."""
    tried = 0
    write = store.script

    async def away(*_: object) -> object:
        nonlocal tried
        tried += 1
        raise StoreUnavailable("away")

    job = await ledger.start(1, actor="ana")
    async with Recorder(ledger, job) as recorder:
        monkeypatch.setattr(store, "script", away)
        recorder.tell(Progress(phase=Phase.READING, rows=1, total_rows=4))
        await until(lambda: tried > 0)
        monkeypatch.setattr(store, "script", write)
        recorder.tell(Progress(phase=Phase.READING, rows=2, total_rows=4))
        assert (await _seen(ledger, job.id, lambda each: each.rows == 2)).done == 0.275
