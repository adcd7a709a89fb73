"""Verifying by a schedule, on real servers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from tests.integration.worker.test_worker import Running, status_when, until
from tests.support.caches import TABLE, execute, select
from tests.support.workers import configure

from warmcube import AnalyticsCache
from warmcube.config import load
from warmcube.entry.keys import Keys
from warmcube.errors import Damage
from warmcube.jobs.job import JobState
from warmcube.worker import verifying as verifying_module
from warmcube.worker.cron import next_fire
from warmcube.worker.events import EventKind
from warmcube.worker.status import Status

MORE = "[worker]\npause = 0.2\nrepair_pause = 0.0\n"
HOUR_MS = 3_600_000
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def cron() -> str:
    """It fired half an hour ago, and will in half an hour."""
    return f"{(datetime.now(UTC).minute + 30) % 60} * * * *"


@pytest.fixture
async def cache(
    tmp_path: Path, redis_url: str, postgres_db: str, cron: str
) -> AsyncIterator[AnalyticsCache]:
    """An engine on an empty store, whose data sources are verified every hour."""
    execute(postgres_db, TABLE)
    file = configure(tmp_path, redis_url, postgres_db, 2, more=MORE)
    text = file.read_text()
    for each in ("id = 1\n", "id = 2\n"):
        text = text.replace(each, f'{each}verify_at = "{cron}"\n', 1)
    file.write_text(text)
    async with AnalyticsCache(load(file, {})) as opened:
        yield opened


async def aged(cache: AnalyticsCache, *ids: int) -> Running:
    """A worker that takes itself to have run for an hour, so that a round is due at once."""
    running = Running(cache, *(ids or (1,)))
    since_ms = await cache.jobs.now_ms() - HOUR_MS
    running.worker._card = replace(running.worker._card, since_ms=since_ms)
    return running


def is_looked_at(status: Status) -> bool:
    """Whether a worker has said what comes next."""
    return status.datasources[0].outlook is not None


async def test_it_verifies_at_its_times_and_says_when(cache: AnalyticsCache, cron: str) -> None:
    """What is due is verified once it is warm, by one of several workers; the next time is told."""
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(await aged(cache)) for _ in range(3)]
        await until(lambda: any(each.of(EventKind.VERIFIED) for each in workers))
        (job, *more) = await cache.verifications.last(1)
        assert not more
        (event,) = [event for each in workers for event in each.of(EventKind.VERIFIED)]
        assert event.verified is not None
        assert event.verified.is_equal
        assert (job.state, job.reason) == (JobState.DONE, "scheduled")
        assert job.actor.startswith("worker:")
        after = next_fire(cron, "UTC", job.queued_ms)

        def is_told(status: Status) -> bool:
            (each,) = status.datasources
            return each.outlook is not None and each.outlook.verify_ms == after

        status = await status_when(cache, is_told, 1)
        told = status.datasources[0].as_dict()["next_verify"]
        stats = await cache.stats(1)
        assert (stats.next_verify, stats.verdict) == (told, "equal")


async def test_what_it_finds_damaged_is_repaired(cache: AnalyticsCache) -> None:
    """Although nobody has asked for it since."""
    first = (await cache.warm(1)).snapshot
    (keys,) = await cache.store.run([(b"KEYS", b"cache:{ds:1:m:Charges:freq:Monthly}:*:prov:*")])
    await cache.store.run([(b"UNLINK", keys[0])])
    async with await aged(cache) as running:
        await running.until(EventKind.VERIFIED)
        (repaired,) = await running.until(EventKind.WARMED)
        assert repaired.reason == "damage"
        assert repaired.report is not None
        assert repaired.report.snapshot != first
    assert (await cache.verify(1)).is_equal


async def test_a_worker_that_has_just_begun_makes_up_for_nothing(cache: AnalyticsCache) -> None:
    """It waits for the next time, which isn't the one that was missed."""
    await cache.warm(1)
    began_ms = await cache.jobs.now_ms()
    async with Running(cache, 1) as running:
        status = await status_when(cache, is_looked_at, 1)
        assert status.datasources[0].outlook is not None
        next_ms = status.datasources[0].outlook.verify_ms
        assert next_ms is not None
        assert began_ms < next_ms <= began_ms + HOUR_MS
        assert not running.of(EventKind.VERIFYING)


async def test_what_is_switched_off_is_left_alone(cache: AnalyticsCache) -> None:
    """Like what is cold: there is nothing to be compared."""
    await cache.warm(1)
    await cache.disable(1)
    async with await aged(cache) as running:
        status = await status_when(cache, is_looked_at, 1)
        assert status.datasources[0].outlook is not None
        assert status.datasources[0].outlook.verify_ms is None
        assert status.datasources[0].outlook.state == "held"
        assert not running.of(EventKind.VERIFYING)
    assert await cache.verifications.last(1) == ()


async def test_one_that_cant_be_recorded_is_tried_once(cache: AnalyticsCache) -> None:
    """Of a store that takes no writes there is no record to go by: the next time is the next one
    of the schedule, and not at once again.
    """
    await cache.warm(1)
    running = await aged(cache)
    worker, rounds = running.worker, running.worker._rounds
    await cache.store.run([(b"CONFIG", b"SET", b"min-replicas-to-write", 1)])
    try:
        for _ in range(3):
            looks = await worker._look()
            await rounds.begin_due(looks, worker._card.since_ms)
            if rounds._task is not None:
                await asyncio.wait([rounds._task])
    finally:
        await cache.store.run([(b"CONFIG", b"SET", b"min-replicas-to-write", 0)])
    (event,) = running.of(EventKind.UNVERIFIED)
    assert (event.error or "").startswith("StoreRefused")
    next_ms = rounds.next_ms(1, looks[1], worker._card.since_ms)
    assert next_ms is not None
    assert looks[1].facts.now_ms < next_ms <= looks[1].facts.now_ms + HOUR_MS


async def test_whoever_does_what_is_due_once_announces_none(
    cache: AnalyticsCache, postgres_db: str
) -> None:
    """`--once` verifies nothing, now or later."""
    cache.damage.report(1, (await cache.warm(1)).snapshot, Damage("as if"))
    await cache.damage.settled()
    running = await aged(cache)
    with psycopg.connect(postgres_db) as connection:
        connection.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        once = asyncio.create_task(running.worker.run_once())
        status = await status_when(cache, is_looked_at, 1)
        connection.rollback()
    async with asyncio.timeout(60):
        assert await once == 0
    assert status.datasources[0].outlook is not None
    assert status.datasources[0].outlook.verify_ms is None


async def test_one_whose_worker_was_killed_has_failed(cache: AnalyticsCache) -> None:
    """Nobody waits for a worker's process, so the next worker that looks says what became of it."""
    await cache.warm(1)
    assert (await cache.verify(1)).is_equal
    lost = await cache.verifications.start(1, actor="w", sample=1, seed=1, reason="scheduled")
    await cache.store.run([(b"DEL", Keys("", 1).verifying)])  # as its expiry does
    running = Running(cache, 1)
    for _ in range(2):
        looks = await running.worker._look()
        await running.worker._rounds.begin_due(looks, running.worker._card.since_ms)
        running.worker._rounds._looked = float("-inf")
    found = await cache.verifications.find(lost.id)
    assert found.failure is not None
    assert (found.state, found.failure.kind) == (JobState.ABANDONED, "Killed")
    assert found.revision == lost.revision + 2
    assert (await cache.stats(1)).verdict == "failed"


async def test_an_end_does_not_wait_for_it(cache: AnalyticsCache, postgres_db: str) -> None:
    """A verification that runs when the worker is told to end is given up, and recorded so."""
    await cache.warm(1)
    with psycopg.connect(postgres_db) as connection:
        connection.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(30), await aged(cache) as running:
            await running.until(EventKind.VERIFYING)
            await until(lambda: select(postgres_db, WAITING) != [(0,)])
    (job,) = await cache.verifications.last(1)
    assert job.state is JobState.FAILED
    assert job.failure is not None
    assert job.failure.kind == "Stopped"


async def test_what_can_not_be_read_keeps_nobody_from_the_rest(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of another type is told of; others are verified, and the worker says that it lives."""
    monkeypatch.setattr(verifying_module, "LOOK_SECONDS", 0.1)
    order = Keys("", 1).verifications_order
    for each in (1, 2):
        await cache.warm(each)
    await cache.store.run([(b"SET", order, b"x")])
    async with await aged(cache, 1, 2) as running:
        (verified,) = await running.until(EventKind.VERIFIED)
        assert verified.datasource == 2
        (told,) = running.of(EventKind.UNVERIFIED)
        assert told.datasource == 1
        assert (told.error or "").startswith("Damage: ")
        status = await status_when(cache, is_looked_at, 1)
        assert [card.process for card in status.workers] == [os.getpid()]
        assert status.datasources[0].outlook is not None
        assert status.datasources[0].outlook.verify_ms is None
        await cache.store.run([(b"DEL", order)])
        (_, verified) = await running.until(EventKind.VERIFIED, 2)
        assert verified.datasource == 1
        assert len(running.of(EventKind.UNVERIFIED)) == 1
