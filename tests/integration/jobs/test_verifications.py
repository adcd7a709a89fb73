"""Verifications as jobs: recorded by whoever verifies, told to everybody, in no warm's way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import redis.asyncio as redis
from tests.support.caches import TABLE, execute, make_cache

from warmcube import AnalyticsCache
from warmcube.entry.keys import Keys
from warmcube.errors import (
    InvalidQuery,
    NothingToVerify,
    TableMismatch,
    UnknownJob,
    VerifyInProgress,
    VerifyOutrun,
)
from warmcube.jobs.job import JobState
from warmcube.jobs.ledger import Seen
from warmcube.jobs.verification import Verification
from warmcube.jobs.verifications import MOST_VERIFICATIONS, Verifications
from warmcube.store.api import Store

KEYS = Keys("", 1)
ASKED = {"actor": "ana", "sample": 5, "seed": 6}


@pytest.fixture
def database(postgres_db: str) -> str:
    """A database with a small table."""
    execute(postgres_db, TABLE)
    return postgres_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, database: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache."""
    async with make_cache(tmp_path, redis_url, database) as opened:
        await opened.warm(1)
        yield opened


@pytest.fixture
async def raw(redis_url: str) -> AsyncIterator[redis.Redis]:
    """The store itself."""
    async with redis.Redis.from_url(redis_url) as opened:
        yield opened


async def test_every_verification_is_recorded(cache: AnalyticsCache, tmp_path: Path) -> None:
    """Who asked, how it ended and with which report; the last verdict is in the statistics."""
    assert (await cache.stats(1)).verdict is None
    report = await cache.verify(1, sample=3, seed=9, actor="ana")
    (job,) = await cache.verifications.last(1)
    assert (job.actor, job.reason, job.sample, job.seed) == ("ana", "asked", 3, 9)
    assert (job.state, job.done, job.phase) == (JobState.DONE, 1.0, "reading the cache")
    assert job.report == {**asdict(report), "findings": []}
    stats = await cache.stats(1)
    assert (stats.verdict, stats.verified_snapshot) == ("equal", report.snapshot)
    assert stats.snapshot == report.snapshot
    assert stats.verified_at is not None
    assert stats.verified_age_seconds is not None
    assert await cache.jobs.last(1) != ()
    with pytest.raises(UnknownJob, match="/verify/status"):
        await cache.verifications.find((await cache.jobs.last(1))[0].id)


async def test_one_that_comes_to_no_verdict_says_why(cache: AnalyticsCache, database: str) -> None:
    """As a failure in its record, and as the last verdict; whatever it is that went wrong."""

    def breaks(*_told: object) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError):
        await cache.verify(1, progress=breaks)
    (job,) = await cache.verifications.last(1)
    assert job.failure is not None
    assert (job.state, job.report, job.failure.kind) == (JobState.FAILED, None, "RuntimeError")
    stats = await cache.stats(1)
    assert (stats.verdict, stats.verified_snapshot) == ("failed", None)
    assert (await cache.verify(1)).is_equal
    execute(database, "DROP TABLE ih.facts")
    with pytest.raises(TableMismatch):
        await cache.verify(1)
    job = (await cache.verifications.last(1))[0]
    assert job.failure is not None
    assert (job.state, job.report, job.failure.kind) == (JobState.FAILED, None, "TableMismatch")
    stats = await cache.stats(1)
    assert (stats.verdict, stats.verified_snapshot) == ("failed", None)
    for sample in (-1, 10_001):
        with pytest.raises(InvalidQuery, match="from 0 to 10,000"):
            await cache.verify(1, sample=sample)


async def test_where_there_is_nothing_to_verify_the_last_verdict_stays(
    cache: AnalyticsCache,
) -> None:
    """Whoever switches off what is wrong still sees that it is; the records say what happened."""
    report = await cache.verify(1)
    await cache.disable(1)
    with pytest.raises(NothingToVerify, match="switched off"):
        await cache.verify(1)
    await cache.enable(1)
    await cache.invalidate(1)
    with pytest.raises(NothingToVerify, match="is cold"):
        await cache.verify(1)
    for job in (await cache.verifications.last(1))[:2]:
        assert job.failure is not None
        assert (job.state, job.report) == (JobState.FAILED, None)
        assert job.failure.kind == "NothingToVerify"
    stats = await cache.stats(1)
    assert (stats.verdict, stats.verified_snapshot) == ("equal", report.snapshot)


async def test_damage_that_is_found_is_reported(cache: AnalyticsCache, raw: redis.Redis) -> None:
    """Like what a reader meets: so whoever repairs hears of it, with its partition."""
    heard: list[int] = []
    cache.damage.heard = heard.append
    key = next(iter(await raw.keys("cache:{ds:1:m:Charges:freq:Monthly}*:prov:*")))
    await raw.delete(key)
    assert (await cache.verify(1)).verdict.value == "damaged"
    await cache.damage.settled()
    assert heard == [1]
    found = await raw.hgetall(KEYS.damage)
    assert set(found) == {b"of", b"m:Charges:freq:Monthly"}
    await raw.delete(KEYS.manifest(str((await cache.stats(1)).snapshot)), KEYS.damage)
    with pytest.raises(Exception, match="manifest"):
        await cache.verify(1)
    await cache.damage.settled()
    assert set(await raw.hgetall(KEYS.damage)) == {b"of", b"*"}


async def test_all_damage_that_is_found_is_reported(
    cache: AnalyticsCache, raw: redis.Redis, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else differs, and however little of it is listed."""
    monkeypatch.setattr("warmcube.compare.report.MOST_LISTED", 1)
    execute(database, "UPDATE ih.facts SET measure_value = 7")
    for frequency in ("Monthly", "Weekly"):
        key = next(iter(await raw.keys(f"cache:{{ds:1:m:Charges:freq:{frequency}}}*:prov:*")))
        await raw.delete(key)
    report = await cache.verify(1)
    assert (report.verdict.value, len(report.findings)) == ("damaged", 1)
    assert report.findings[0].kind == "damage"
    assert report.findings_total > 10
    await cache.damage.settled()
    found = await raw.hgetall(KEYS.damage)
    assert set(found) == {b"of", b"m:Charges:freq:Monthly", b"m:Charges:freq:Weekly"}


async def test_one_at_a_time_and_in_no_warms_way(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, database: str
) -> None:
    """Whoever comes second is told who was first; meanwhile it can be warmed."""
    other = tmp_path / "other"
    other.mkdir()
    async with make_cache(other, redis_url, database) as second:
        job = await cache.verifications.start(1, **ASKED)  # type: ignore[arg-type]
        with pytest.raises(VerifyInProgress, match=f"by ana .* as job {job.id}") as caught:
            await second.verify(1)
        assert (caught.value.by, caught.value.job) == ("ana", job.id)
        warmed = await second.warm(1)
        report = await cache.verify(1, job=job)
        assert (report.snapshot, report.seed) == (warmed.snapshot, 6)
        assert (await second.verify(1)).is_equal
        ours, theirs = await second.verifications.last(1), await cache.verifications.last(1)
        assert ours == theirs
        assert ours[1].id == job.id


async def test_whose_place_is_taken_gives_up(cache: AnalyticsCache, raw: redis.Redis) -> None:
    """One that gave no sign for too long, and comes back, leaves it to the one after it."""
    late = await cache.verifications.start(1, **ASKED)  # type: ignore[arg-type]
    await raw.delete(KEYS.verifying)  # as its expiry does
    (seen,) = await cache.verifications.last(1)
    assert seen.state is JobState.ABANDONED
    next_one = await cache.verifications.start(1, **ASKED)  # type: ignore[arg-type]
    with pytest.raises(VerifyInProgress, match="another verification"):
        await cache.verify(1, job=late)
    assert (await cache.verify(1, job=next_one)).is_equal
    states = {each.id: each.state for each in await cache.verifications.last(1)}
    assert states == {late.id: JobState.FAILED, next_one.id: JobState.DONE}


async def test_where_nothing_can_be_written_it_is_verified_all_the_same(
    cache: AnalyticsCache, raw: redis.Redis
) -> None:
    """Nothing is recorded then, and the report is as good."""
    async with AnalyticsCache(cache.settings, is_probe=True) as probe:
        assert (await probe.verify(1)).is_equal
    assert await raw.exists(KEYS.verifications, KEYS.verified, KEYS.verifying) == 0


async def test_the_last_ones_stay(store: Store) -> None:
    """Of each data source so many; all have ended but the newest."""
    verifications = Verifications(store, "")
    began: list[Verification] = []
    for _ in range(MOST_VERIFICATIONS + 3):
        began.append(await verifications.start(1, **ASKED))  # type: ignore[arg-type]
        done = began[-1].changed(state=JobState.DONE)
        assert await verifications.write(done)
    last = await verifications.last(1)
    assert [each.id for each in last] == [each.id for each in began[:-21:-1]]


async def test_what_was_decided_upon_must_still_be_so(store: Store, raw: redis.Redis) -> None:
    """A worker that saw another snapshot, or another last verification, begins none."""
    verifications = Verifications(store, "")
    await raw.set(KEYS.current, b"5-0123456789abcdef")
    seen = Seen(current=b"5-0123456789abcdef", newest=None)
    first = await verifications.start(1, **ASKED, after=seen)  # type: ignore[arg-type]
    with pytest.raises(VerifyInProgress):
        await verifications.start(1, **ASKED, after=seen)  # type: ignore[arg-type]
    await verifications.write(first.changed(state=JobState.DONE))
    with pytest.raises(VerifyOutrun):
        await verifications.start(1, **ASKED, after=seen)  # type: ignore[arg-type]
    other = Seen(current=b"6-0123456789abcdef", newest=first.id.encode())
    with pytest.raises(VerifyOutrun):
        await verifications.start(1, **ASKED, after=other)  # type: ignore[arg-type]


async def test_a_record_says_what_differs(cache: AnalyticsCache, database: str) -> None:
    """By partition, as the report does, and no value of a row."""
    execute(database, "UPDATE ih.facts SET measure_value = 7 WHERE practice_uid = 101")
    report = await cache.verify(1)
    (job,) = await cache.verifications.last(1)
    assert job.report is not None
    assert job.report["verdict"] == report.verdict == "differs"
    assert job.report["findings"] == [asdict(each) for each in report.findings]
    assert {each["kind"] for each in job.report["findings"]} >= {"sum", "checksum"}
