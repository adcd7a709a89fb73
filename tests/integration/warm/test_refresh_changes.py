"""Random changes of a table, each followed by a refresh: every answer is SQL's, every key known."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import execute, make_cache, select
from tests.support.held import live_manifest, partition_keys, settled

from warmcube import NULL, AnalyticsCache, Query
from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.manifest import Manifest
from warmcube.entry.seal import Checksum
from warmcube.source.api import Source
from warmcube.source.connect import open_source
from warmcube.store.api import Store
from warmcube.warm.refresh import Refresh
from warmcube.warm.report import WarmReport
from warmcube.warm.warmer import Warmer, WarmSettings

CHANGED = Refresh(changed=True)
COLUMNS = "measure, practice_uid, provider_uid, frequency, date_index, measure_value, note, big"
TABLE = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid integer, provider_uid integer, frequency text,
    date_index date, measure_value numeric(14,2), note text, big bigint
);
INSERT INTO ih.facts
SELECT 'measure ' || m, p, nullif(v, 0), f, DATE '2024-01-01' + d, m * 10 + v, 'note ' || p, d
FROM generate_series(1, 6) m, generate_series(1, 6) p, generate_series(0, 3) v,
     unnest(ARRAY['Monthly', 'Weekly', NULL]) f, generate_series(0, 3) d;
"""
DATASOURCE = 1
MEASURES = [f"'measure {n}'" for n in range(1, 8)] + ["NULL", "'it''s {new}'"]
FREQUENCIES = ["'Monthly'", "'Weekly'", "NULL"]


@dataclass
class World:
    """A table, a store, and who warms and reads."""

    store: Store
    url: str
    cache: AnalyticsCache
    warmer: Warmer
    source: Source
    keys: Keys

    async def refresh(self, refresh: Refresh | None = CHANGED) -> WarmReport:
        """Warm from the table as it is now."""
        datasource = self.cache.settings.datasource(DATASOURCE)
        return await self.warmer.warm(datasource, self.source, refresh=refresh, force=True)

    async def live(self) -> Manifest:
        """The live snapshot's manifest."""
        return await live_manifest(self.store, self.keys)

    async def read(self) -> list[Any]:
        """All rows that the cache gives, partition by partition."""
        grant = await self.cache.authorize("root")
        rows: list[Any] = []
        for name in (await self.live()).partitions:
            result = await self.cache.query(
                Query(
                    datasource=DATASOURCE,
                    measure=NULL if name.measure is None else name.measure,
                    frequency=NULL if name.frequency is None else name.frequency,
                ),
                grant,
            )
            assert result.meta.origin == "store"
            rows += [tuple(row[c] for c in COLUMNS.split(", ")) for row in result.rows()]
        return sorted(rows, key=str)

    async def sums(self) -> dict[PartitionName, dict[Any, Any]]:
        """Of each partition the sums by date, which practice-level sums may answer."""
        grant = await self.cache.authorize("root")
        found: dict[PartitionName, dict[Any, Any]] = {}
        for name in (await self.live()).partitions:
            result = await self.cache.query(
                Query(
                    datasource=DATASOURCE,
                    measure=NULL if name.measure is None else name.measure,
                    frequency=NULL if name.frequency is None else name.frequency,
                    group_by=["date_index"],
                    aggregate="sum",
                ),
                grant,
            )
            assert result.meta.origin == "store"
            found[name] = {row["date_index"]: row["sum"] for row in result.rows()}
        return found

    def truth(self, where: str = "TRUE") -> list[Any]:
        """What SQL says."""
        asked = COLUMNS.replace("measure_value", "measure_value::text")
        rows = select(self.url, f"SELECT {asked} FROM ih.facts WHERE {where}")
        exact = (
            (*row[:5], None if row[5] is None else Decimal(str(row[5])), *row[6:]) for row in rows
        )
        return sorted(exact, key=str)


@pytest.fixture
async def world(
    tmp_path: Path, store: Store, redis_url: str, postgres_db: str
) -> AsyncIterator[World]:
    """A table of eighteen partitions."""
    execute(postgres_db, TABLE)
    more = "[cache]\nmax_pointer_age = 0\nresident_bytes = 0"
    cache = make_cache(tmp_path, redis_url, postgres_db, more=more)
    warmer = Warmer(store, "", Checksum(), WarmSettings(grace=0.05))
    source = open_source("main", postgres_db)
    async with cache:
        yield World(store, postgres_db, cache, warmer, source, Keys("", DATASOURCE))
    await source.close()


def a_change(chance: random.Random) -> str:
    """Some change of a few rows, of one partition or two."""
    measure, frequency = chance.choice(MEASURES), chance.choice(FREQUENCIES)
    where = (
        f"WHERE measure IS NOT DISTINCT FROM {measure}"
        f" AND frequency IS NOT DISTINCT FROM {frequency}"
    )
    some = f"{where} AND practice_uid = {chance.randint(1, 6)}"
    number, text = chance.randint(-(2**40), 2**40), f"text {chance.randint(0, 40)}"
    inserted = (
        f"INSERT INTO ih.facts VALUES ({measure}, {chance.randint(1, 9)}, 1, {frequency},"
        f" '2024-02-01', {number % 1000}, '{text}', {number})"
    )
    return chance.choice(
        [
            f"UPDATE ih.facts SET big = {number} {some}",
            f"UPDATE ih.facts SET note = '{text}' {some}",
            f"UPDATE ih.facts SET note = NULL, measure_value = NULL {some}",
            f"UPDATE ih.facts SET note = '' {some}",
            f"UPDATE ih.facts SET measure_value = -measure_value {some}",
            f"UPDATE ih.facts SET practice_uid = practice_uid + {chance.randint(1, 400)} {some}",
            f"UPDATE ih.facts SET provider_uid = NULL {some}",
            f"UPDATE ih.facts SET frequency = {chance.choice(FREQUENCIES)} {some}",
            f"DELETE FROM ih.facts {some}",
            f"DELETE FROM ih.facts {where}",
            f"INSERT INTO ih.facts SELECT {COLUMNS} FROM ih.facts {some}",
            inserted,
            # Swaps values between two practices: counts, sums and sets of values stay the same.
            f"UPDATE ih.facts SET big = 3 - big {where} AND practice_uid IN (1, 2)",
            f"UPDATE ih.facts SET note = 'n' || (3 - practice_uid) {where} AND practice_uid < 3",
        ]
    )


@pytest.mark.parametrize(
    ("seed", "rounds"),
    [(0, 6), (1, 6), *(pytest.param(n, 40, marks=pytest.mark.long) for n in range(2, 8))],
)
async def test_refreshed_answers_are_sqls(world: World, seed: int, rounds: int) -> None:
    """After each change and refresh the cache holds what the table holds; the rest is carried."""
    chance = random.Random(seed)
    await world.refresh()
    carried = 0
    for _ in range(rounds):
        before = await world.live()
        changes = [a_change(chance) for _ in range(chance.choice((0, 1, 1, 2)))]
        was = _by_partition(world.truth())
        execute(world.url, *changes)
        truth = world.truth()
        now = _by_partition(truth)
        unchanged = {name for name, rows in was.items() if now.get(name) == rows}
        report = await world.refresh()
        assert await world.read() == truth, changes
        after = await world.live()
        assert after.rows == len(truth)
        assert await world.sums() == {name: _sums(rows) for name, rows in now.items()}
        assert after.as_of_ms == max(each.as_of_ms for each in after.partitions.values())
        kept = {
            name
            for name, each in after.partitions.items()
            if name in before.partitions and before.partitions[name].version == each.version
        }
        assert kept == (set() if report.because else unchanged), changes
        assert len(kept) == report.carried
        carried += len(kept)
        for name in kept:
            assert await partition_keys(world.store, world.keys, after, name)
    assert carried > 5 * rounds
    await settled(world.store, world.keys)


async def test_a_dictionary_grows_and_is_written_anew_in_time(world: World) -> None:
    """New texts go behind the old ones, whose codes stay; runs don't become ever more."""
    await world.refresh()
    base = (await world.live()).dictionaries["note"]
    runs = []
    for number in range(18):
        execute(
            world.url,
            f"UPDATE ih.facts SET note = 'new {number}' WHERE measure = 'measure 1'"
            " AND frequency = 'Weekly' AND practice_uid = 1",
        )
        report = await world.refresh()
        assert report.carried == 17
        dictionary = (await world.live()).dictionaries["note"]
        assert dictionary.length == base.length + number + 1
        runs.append(len(dictionary.runs))
    assert runs[:3] == [2, 3, 4]
    assert max(runs) == 16
    assert runs[-1] < 10
    assert await world.read() == world.truth()
    await settled(world.store, world.keys)


async def test_a_dictionary_without_room_has_all_read(world: World) -> None:
    """Of more texts than a dictionary may hold; the next refresh carries them beside the rows."""
    insert = (
        "INSERT INTO ih.facts SELECT {m}, 1, 1, 'f', NULL, 1, '{t} ' || g, 1"
        " FROM generate_series(1, {n}) g"
    )
    execute(world.url, insert.format(m="'large'", t="a", n=65_500))
    await world.refresh()
    execute(world.url, insert.format(m="'measure 1'", t="b", n=100))
    report = await world.refresh()
    assert "more values than its dictionary" in report.because
    assert await world.store.run([(b"EXISTS", world.keys.carrying)]) == [0]
    assert report.carried == 0
    assert (await world.live()).rows == len(world.truth())
    execute(world.url, insert.format(m="'measure 2'", t="c", n=1))
    report = await world.refresh()
    assert (report.because, report.refreshed) == ("", 1)
    execute(world.url, "DELETE FROM ih.facts WHERE measure = 'large'")
    await world.refresh()
    assert await world.read() == world.truth()


async def test_a_lost_dictionary_has_all_read(world: World) -> None:
    """Nothing can be carried over whose texts can't be told any more."""
    await world.refresh()
    dictionary = (await world.live()).dictionaries["note"]
    key = world.keys.dictionary("note", str(dictionary.runs[0].version), 0)
    await world.store.run([(b"UNLINK", key)])
    report = await world.refresh()
    assert "dictionary of the snapshot isn't whole" in report.because
    assert await world.store.run([(b"EXISTS", world.keys.carrying)]) == [0]
    assert await world.read() == world.truth()
    assert (await world.refresh()).carried == 18


async def test_a_changed_table_has_all_read(world: World) -> None:
    """A column more, another type: what is held of the others fits no more."""
    await world.refresh()
    execute(world.url, "ALTER TABLE ih.facts ALTER COLUMN big TYPE integer")
    report = await world.refresh()
    assert "have changed" in report.because
    execute(world.url, "ALTER TABLE ih.facts ADD COLUMN more text DEFAULT 'x'")
    assert "have changed" in (await world.refresh()).because
    assert await world.read() == world.truth()


async def test_partitions_that_are_named_are_as_the_table_is(world: World) -> None:
    """The others stay as they were, and as old; the answers say how old."""
    await world.refresh()
    old = world.truth("measure <> 'measure 3' OR measure IS NULL")
    first = (await world.live()).as_of_ms
    execute(world.url, "UPDATE ih.facts SET big = big + 1000000000000, note = note || '!'")
    report = await world.refresh(Refresh(measures=("measure 3",)))
    assert (report.refreshed, report.carried) == (3, 15)
    assert await world.read() == sorted(old + world.truth("measure = 'measure 3'"), key=str)
    after = await world.live()
    assert after.as_of_ms == first
    fresh = after.partitions[PartitionName("measure 3", "Weekly")]
    assert fresh.as_of_ms > first
    assert len(after.layouts) == 2
    expected = _by_partition(old + world.truth("measure = 'measure 3'"))
    assert await world.sums() == {name: _sums(rows) for name, rows in expected.items()}
    await world.refresh()
    assert await world.read() == world.truth()


async def test_the_engine_asks_for_refreshes(world: World) -> None:
    """By names and by change; the job says what it was asked for."""
    cache = world.cache
    await cache.warm(DATASOURCE, changed=True)
    execute(world.url, "UPDATE ih.facts SET big = 77 WHERE measure = 'measure 2'")
    report = await cache.warm(DATASOURCE, changed=True)
    assert (report.refreshed, report.carried) == (3, 15)
    report = await cache.warm(DATASOURCE, measures=["measure 2"], frequencies=[NULL, "Weekly"])
    assert (report.refreshed, report.carried) == (2, 16)
    job, *_ = await cache.jobs.last(DATASOURCE)
    assert job.refresh == Refresh(measures=("measure 2",), frequencies=(None, "Weekly"))
    assert job.report is not None
    assert job.report["carried"] == 16
    assert await world.read() == world.truth()


def _sums(rows: list[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for row in rows:
        before = found.setdefault(row[4], None)
        if row[5] is not None:
            found[row[4]] = row[5] + (before or 0)
    return found


def _by_partition(rows: list[Any]) -> dict[PartitionName, list[Any]]:
    found: dict[PartitionName, list[Any]] = {}
    for row in rows:
        found.setdefault(PartitionName(row[0], row[3]), []).append(row)
    return found
