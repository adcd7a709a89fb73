"""Verifying a cache: what is equal, changed, wrong or damaged is found and named so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import redis.asyncio as redis
from tests.support.caches import TABLE, execute, make_cache, select

from warmcube import AnalyticsCache, blocking
from warmcube.compare.report import Stage, Table, Verdict, VerifyReport
from warmcube.entry.keys import Keys
from warmcube.entry.manifest import pack_manifest
from warmcube.entry.seal import seal
from warmcube.errors import SourceError, UnknownDatasource, VerifyError

ODD = """
CREATE TABLE ih.odd (
    measure text, practice_uid bigint, provider_uid uuid, frequency integer,
    date_index timestamptz, measure_value numeric, i2 smallint, i8 bigint, r real,
    d double precision,
    wide numeric(38,6), day date, flag boolean, note text, kind uuid
);
INSERT INTO ih.odd
SELECT 'Ä {x} ' || m, nullif(p, 0), nullif(('00000000-0000-0000-0000-00000000000' || v)::uuid,
       '00000000-0000-0000-0000-000000000000'), nullif(f, 0),
       CASE WHEN x = 0 THEN 'infinity' WHEN x = 1 THEN '-infinity'
            WHEN x = 2 THEN NULL ELSE '0044-03-15 BC'::timestamptz + x * interval '17 years' END,
       CASE WHEN x = 0 THEN 'NaN' WHEN x = 3 THEN NULL ELSE (x * 7 - p)::numeric / 8 END,
       x, 9223372036854775807 - x - p, CASE WHEN x = 1 THEN 'NaN'::real ELSE x / 3.0 END,
       CASE WHEN x = 2 THEN '-Infinity'::float8 WHEN x = 4 THEN '-0'::float8
            WHEN x = 5 THEN 1.7e308 ELSE x / 7.0 END,
       CASE WHEN x = 1 THEN NULL ELSE 12345678901234567890123456789012.5 + p END,
       CASE WHEN x = 1 THEN 'infinity'::date WHEN x = 2 THEN '-infinity'
            ELSE DATE '2024-01-01' + x END,
       x % 2 = 0, repeat('long text ', p * 40) || x, md5((p + x)::text)::uuid
FROM generate_series(1, 3) m, generate_series(0, 6) p, generate_series(0, 3) v,
     generate_series(0, 2) f, generate_series(0, 7) x;
"""


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, postgres_db: str) -> AsyncIterator[AnalyticsCache]:
    """A cache of a table of its own, not warm."""
    execute(postgres_db, TABLE, ODD)
    async with make_cache(tmp_path, redis_url, postgres_db) as made:
        yield made


@pytest.fixture
async def raw(redis_url: str) -> AsyncIterator[redis.Redis]:
    """The store itself."""
    async with redis.Redis.from_url(redis_url) as opened:
        yield opened


def kinds(report: VerifyReport) -> set[str]:
    """Of what sort the findings are."""
    return {each.kind for each in report.findings}


async def warm_with_fingerprints(cache: AnalyticsCache) -> None:
    """Twice: the second time is told that changes are wanted."""
    await cache.warm(1)
    await cache.warm(1, changed=True)


async def test_a_warm_cache_is_equal(cache: AnalyticsCache, postgres_db: str) -> None:
    """After a warm nothing differs, and as many rows were compared as SQL counts."""
    await cache.warm(1)
    report = await cache.verify(1, seed=7)
    ((rows, partitions),) = select(
        postgres_db,
        "SELECT count(*), count(DISTINCT (measure, frequency)) FROM ih.facts",
    )
    assert (report.verdict, report.findings, report.advice) == (Verdict.EQUAL, (), "")
    assert report.is_equal
    assert (report.rows, report.database_rows, report.partitions) == (rows, rows, partitions)
    assert report.seed == 7
    assert report.slices > 20
    again = await cache.verify(1, seed=7)
    assert (again.slices, again.slice_rows) == (report.slices, report.slice_rows)


async def test_odd_values_are_equal(tmp_path: Path, redis_url: str, postgres_db: str) -> None:
    """NaN, infinities, NULL keys, BC dates, wide numerics, long texts and -0 compare equal."""
    execute(postgres_db, TABLE, ODD)
    async with make_cache(tmp_path, redis_url, postgres_db, table="ih.odd") as made:
        await made.warm(1)
        report = await made.verify(1, sample=100)
        assert (report.findings, report.verdict) == ((), Verdict.EQUAL)
        assert report.slices > 20
        execute(postgres_db, "UPDATE ih.odd SET d = 0 WHERE d = 0 AND i2 = 4 AND practice_uid = 1")
        report = await made.verify(1)
        assert {"checksum"} <= kinds(report) <= {"checksum", "slice"}
        assert report.verdict is Verdict.DIFFERS


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE ih.facts SET measure_value = measure_value + 1 WHERE practice_uid = 105", "sum"),
        ("UPDATE ih.facts SET note = NULL WHERE practice_uid = 105", "nulls"),
        ("UPDATE ih.facts SET note = 'other' WHERE practice_uid = 105", "checksum"),
        ("UPDATE ih.facts SET date_index = '2030-01-01' WHERE practice_uid = 105", "range"),
        ("DELETE FROM ih.facts WHERE practice_uid = 105", "rows"),
        ("INSERT INTO ih.facts SELECT 'New', 1, 1, 'Daily', NULL, 1, ''", "partition"),
        ("DELETE FROM ih.facts WHERE frequency = 'Weekly'", "partition"),
        ("TRUNCATE ih.facts", "partition"),
    ],
)
async def test_a_changed_table_is_named_so(
    cache: AnalyticsCache, postgres_db: str, change: str, found: str
) -> None:
    """With fingerprints each difference is one of a table that has changed; without, unknown."""
    await cache.warm(1)
    execute(postgres_db, change)
    report = await cache.verify(1)
    assert found in kinds(report)
    assert report.verdict is Verdict.DIFFERS
    assert {each.table for each in report.findings} == {Table.UNKNOWN}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ih.facts SET note = 'other' WHERE practice_uid = 105 AND frequency = 'Weekly'",
        "INSERT INTO ih.facts SELECT 'New', 1, 1, 'Daily', NULL, 1, ''",
        "DELETE FROM ih.facts WHERE frequency = 'Weekly'",
    ],
)
async def test_what_has_changed_is_told_by_fingerprints(
    cache: AnalyticsCache, postgres_db: str, change: str
) -> None:
    """A difference in what has changed since is that, and a warm of what has changed ends it."""
    await warm_with_fingerprints(cache)
    assert (await cache.verify(1)).is_equal
    execute(postgres_db, change)
    report = await cache.verify(1)
    assert report.has_fingerprints
    assert report.verdict is Verdict.CHANGED
    assert {each.table for each in report.findings} == {Table.CHANGED}
    await cache.warm(1, changed=True)
    assert (await cache.verify(1)).is_equal


async def test_a_changed_schema_is_told(cache: AnalyticsCache, postgres_db: str) -> None:
    """Columns that only one side has are named; the others are compared all the same."""
    await cache.warm(1)
    execute(postgres_db, "ALTER TABLE ih.facts ADD more integer, DROP note")
    report = await cache.verify(1)
    assert report.verdict is Verdict.CHANGED
    assert {each.what for each in report.findings} == {
        "column 'note' is in the cache only",
        "column 'more' is in the database only",
    }


async def keys_like(raw: redis.Redis, pattern: str) -> list[bytes]:
    """Keys of the store; a test may look for them."""
    return sorted([key async for key in raw.scan_iter(match=pattern)])


@pytest.mark.parametrize(
    "pattern",
    [
        "cache:*:p:105:prov:2",
        "idx:*-*[0-9a-f]",
        "idx:*:counts",
        "idx:*:counts:0",
        "cache:*:p:105:sums",
        "*:dict:*",
    ],
)
@pytest.mark.parametrize("how", ["gone", "altered"])
async def test_damage_is_found(
    cache: AnalyticsCache, raw: redis.Redis, pattern: str, how: str
) -> None:
    """Whatever of a snapshot is gone or altered in the store is damage, whatever the table did."""
    await cache.warm(1)
    found = await keys_like(raw, pattern)
    assert found
    key = found[0]
    if how == "gone":
        await raw.delete(key)
    elif await raw.type(key) == b"string":
        await raw.setrange(key, 9, b"\xff\x00\xff")
    elif await raw.type(key) == b"set":
        member = min(await raw.smembers(key))
        await raw.srem(key, member)
        await raw.sadd(key, b"p:999:prov:1")
    elif await raw.type(key) == b"list":
        await raw.lset(key, 0, "p:999:prov:1")
    else:
        fields = sorted(await raw.hkeys(key))
        await raw.hset(key, fields[0], b"\x00" * 12)
    report = await cache.verify(1)
    assert report.verdict is Verdict.DAMAGED
    assert "damage" in kinds(report)
    assert "warmcube warm 1" in report.advice


async def test_wrong_values_under_right_seals_are_wrong(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Rows that differ although the table is as it was when it was read are a defect."""
    execute(postgres_db, TABLE)
    async with make_cache(tmp_path, redis_url, postgres_db) as made:
        await warm_with_fingerprints(made)
        run = made._parts.verifying._verifier
        # What a defect of the warm would do: the manifest says that the changed rows were read.
        execute(postgres_db, "UPDATE ih.facts SET measure_value = 5 WHERE practice_uid = 105")
        source = run._sources["main"]
        live = await made._parts.snapshots.load(made.datasources[0])
        assert live is not None
        async with source.snapshot(made.datasources[0]) as snapshot:
            now = {
                each.name: each.fingerprint for each in await snapshot.fingerprint_by_partition()
            }
        manifest = replace(
            live.manifest,
            partitions={
                name: replace(each, fingerprint=now[name])
                for name, each in live.manifest.partitions.items()
            },
        )
        key = Keys("", 1).manifest(str(manifest.version))
        sealed = seal(made._parts.seal, key, pack_manifest(manifest))
        async with redis.Redis.from_url(redis_url) as raw:
            await raw.set(key, sealed, keepttl=True)
        report = await made.verify(1, sample=500)
        assert report.verdict is Verdict.WRONG
        assert {"sum", "checksum", "slice"} <= kinds(report)
        assert {each.table for each in report.findings} == {Table.UNCHANGED}
        slices = {each.practice for each in report.findings if each.kind == "slice"}
        assert slices - {None} == {"105"}  # NULL's are looked at by provider


async def test_nothing_live_is_said(cache: AnalyticsCache) -> None:
    """A cold data source, and one that isn't there, are clear errors."""
    with pytest.raises(VerifyError, match="is cold"):
        await cache.verify(1)
    with pytest.raises(UnknownDatasource):
        await cache.verify(2)


async def test_a_table_that_is_gone_is_said(cache: AnalyticsCache, postgres_db: str) -> None:
    """Without its table a whole cache can't be compared; a damaged one is damaged all the same."""
    await cache.warm(1)
    execute(postgres_db, "DROP TABLE ih.facts")
    with pytest.raises(SourceError):
        await cache.verify(1)


async def test_damage_is_told_although_the_table_is_gone(
    cache: AnalyticsCache, raw: redis.Redis, postgres_db: str
) -> None:
    """What is damaged for certain is reported even if the database can't be compared."""
    await cache.warm(1)
    execute(postgres_db, "DROP TABLE ih.facts")
    await raw.delete((await keys_like(raw, "cache:*:p:105:prov:2"))[0])
    report = await cache.verify(1)
    assert (report.verdict, report.compared_at) == (Verdict.DAMAGED, None)
    assert "ih.facts" in (report.database_error or "")


async def test_carried_partitions_are_equal(cache: AnalyticsCache, postgres_db: str) -> None:
    """A snapshot of partitions of several reads equals the table, each partition as of its read."""
    await warm_with_fingerprints(cache)
    execute(
        postgres_db,
        "UPDATE ih.facts SET note = 'a new text' WHERE frequency = 'Weekly' AND practice_uid = 102",
    )
    await cache.warm(1, changed=True)
    report = await cache.verify(1, sample=200)
    assert (report.findings, report.verdict) == ((), Verdict.EQUAL)


async def test_sums_that_are_not_those_of_entries_are_damage(
    cache: AnalyticsCache, raw: redis.Redis
) -> None:
    """Even under a right seal: the sums of practices are made anew from their entries."""
    await cache.warm(1)
    using = cache._parts.seal
    key = (await keys_like(raw, "cache:*:p:105:sums"))[0]
    value = await raw.get(key)
    assert isinstance(value, bytes)
    body = bytearray(value[using.size :])
    body[-1] ^= 1
    await raw.set(key, seal(using, key, bytes(body)), keepttl=True)
    report = await cache.verify(1)
    assert report.verdict is Verdict.DAMAGED
    assert [each.what for each in report.findings] == [
        "the sums of a practice aren't those of its entries"
    ]


async def test_it_begins_anew_when_warmed_meanwhile(cache: AnalyticsCache) -> None:
    """A snapshot that is replaced while it is read is no damage: the new one is verified."""
    await cache.warm(1)
    was = await cache.verify(1)
    warmed: list[asyncio.Task[object]] = []

    def progress(stage: Stage, done: int, total: int) -> None:
        del done, total
        if stage is Stage.SLICES and not warmed:
            warmed.append(asyncio.ensure_future(cache.warm(1)))

    report = await cache.verify(1, progress=progress, sample=100)
    await warmed[0]
    assert report.verdict is Verdict.EQUAL
    again = await cache.verify(1)
    assert was.snapshot != again.snapshot
    assert again.is_equal


async def test_nothing_is_left_of_a_cancelled_one(cache: AnalyticsCache) -> None:
    """Ctrl-C in any stage ends it, and the next one works."""
    await cache.warm(1)
    for wanted in Stage:
        task: asyncio.Task[VerifyReport]

        def progress(stage: Stage, done: int, total: int, wanted: Stage = wanted) -> None:
            del done, total
            if stage is wanted:
                task.cancel()  # noqa: B023 - the one that is running

        task = asyncio.ensure_future(cache.verify(1, progress=progress))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (await cache.verify(1)).is_equal


async def test_what_is_switched_off_is_said(cache: AnalyticsCache) -> None:
    """A data source that is switched off isn't called cold."""
    await cache.warm(1)
    await cache.disable(1)
    with pytest.raises(VerifyError, match="switched off"):
        await cache.verify(1)


async def test_no_value_of_a_row_is_told(cache: AnalyticsCache, postgres_db: str) -> None:
    """The report has names, counts and types; texts and figures of rows aren't in it."""
    await cache.warm(1)
    execute(postgres_db, "UPDATE ih.facts SET note = 'secret words', measure_value = 987654321.25")
    told = json.dumps(asdict(await cache.verify(1, sample=200)))
    assert "slice" in told
    assert "secret words" not in told
    assert "note of practice" not in told
    assert "987654321" not in told


def test_it_is_the_same_without_await(tmp_path: Path, redis_url: str, postgres_db: str) -> None:
    """The synchronous cache verifies too, and tells its caller how far it is."""
    execute(postgres_db, TABLE)
    settings = make_cache(tmp_path, redis_url, postgres_db).settings
    told: list[Stage] = []
    with blocking.AnalyticsCache(settings) as cache:
        cache.warm(1)
        assert cache.verify(1, seed=1).is_equal
        assert cache.verify(1, progress=lambda stage, _done, _total: told.append(stage)).is_equal
    assert set(told) == set(Stage)
