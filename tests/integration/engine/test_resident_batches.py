"""Batches of what is kept: the same rows for the same rights, all of one snapshot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.audit import read_lines
from tests.support.caches import ACCESS, TABLE, execute, make_cache, select
from tests.support.recording import RecordingStore

from warmcube import AnalyticsCache, Query
from warmcube.query.result import Result

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
BY_PRACTICE: dict[str, Any] = {"group_by": ["practice_uid"], "aggregate": "sum"}
COUNT: dict[str, Any] = {"aggregate": "count"}
VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
}


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache that keeps answers."""
    async with make_cache(tmp_path, redis_url, facts) as made:
        await made.warm(1)
        yield made


@pytest.fixture
def recorded(cache: AnalyticsCache) -> RecordingStore:
    """What the cache's reads ask of the store from now on."""
    store = RecordingStore(cache._parts.store)
    cache._parts.snapshots._store = store
    cache._parts.answerer._reader._store = store
    return store


async def ask(cache: AnalyticsCache, user: str, *queries: dict[str, Any]) -> list[Result]:
    """Answers to all, each of which there has to be."""
    found = await cache.query_many(
        [Query(**(CHARGES | query)) for query in queries], await cache.authorize(user)
    )
    assert [each for each in found if not isinstance(each, Result)] == []
    return [each for each in found if isinstance(each, Result)]


def sums(results: list[Result]) -> dict[Any, str]:
    """What the first answer says of each practice."""
    return {row["practice_uid"]: str(row["sum"]) for row in results[0].rows()}


def expected(url: str, where: str) -> dict[Any, str]:
    """What SQL says of each practice."""
    rows = select(
        url,
        "SELECT practice_uid, sum(measure_value)::text FROM ih.facts "
        f"WHERE measure = 'Charges' AND frequency = 'Monthly' AND ({where}) GROUP BY 1",
    )
    return {practice: str(total) for practice, total in rows}


async def test_a_repeated_batch_is_answered_without_the_store(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """With the same rows, and without a trip while the pointer was looked at just now."""
    first = await ask(cache, "north", BY_PRACTICE, COUNT)
    trips = len(recorded.commands)
    second = await ask(cache, "north", BY_PRACTICE, COUNT)
    assert [each.meta.origin for each in first] == ["store", "store"]
    assert [each.meta.origin for each in second] == ["resident", "resident"]
    assert len(recorded.commands) == trips
    assert sums(second) == sums(first) == expected(facts, VISIBLE["north"])
    assert [each.meta.rows_fetched for each in second] == [91, 91]


async def test_of_a_mixture_only_what_is_missing_is_read(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """What a single query has left behind, or another batch, isn't read again."""
    await cache.query(Query(**(CHARGES | BY_PRACTICE)), await cache.authorize("north"))
    other = {"practices": [101], **COUNT}
    recorded.commands.clear()
    found = await ask(cache, "north", BY_PRACTICE, other)
    assert [each.meta.origin for each in found] == ["resident", "store"]
    assert found[0].meta.snapshot == found[1].meta.snapshot
    assert sums(found) == expected(facts, VISIBLE["north"])
    counted = select(
        facts,
        "SELECT count(measure_value) FROM ih.facts WHERE measure = 'Charges' "
        "AND frequency = 'Monthly' AND practice_uid = 101",
    )
    assert [tuple(row.values()) for row in found[1].rows()] == counted
    fetched = [each for each in recorded.commands if each[0] == b"MGET"]
    keys = {word for each in fetched for word in each[1:] if isinstance(word, bytes)}
    assert 0 < len(keys) <= 6  # 5 entries and the pointer, of 15 in the whole scope


async def test_each_user_has_their_own(cache: AnalyticsCache, facts: str) -> None:
    """Whoever asks first, nobody gets what was kept for other rights."""
    for _ in range(3):
        for user, where in VISIBLE.items():
            assert sums(await ask(cache, user, BY_PRACTICE, COUNT)) == expected(facts, where), user


async def test_another_snapshot_ends_all_of_it(cache: AnalyticsCache, facts: str) -> None:
    """After a warm a batch is of the new rows alone, what was kept of it and what wasn't."""
    await ask(cache, "north", BY_PRACTICE)
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    found = await ask(cache, "north", BY_PRACTICE, COUNT)
    assert {each.meta.origin for each in found} == {"store"}
    assert len({each.meta.snapshot for each in found}) == 1
    assert sums(found) == expected(facts, VISIBLE["north"])


async def test_another_process_s_snapshot_ends_it_too(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """At the pointer's age, all of a batch is of the new snapshot; before, all is of the old."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with (
        make_cache(tmp_path, redis_url, facts) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        now = [cache._parts.snapshots.now()]
        cache._parts.snapshots._clock = lambda: now[0]
        old = await ask(cache, "north", BY_PRACTICE, COUNT)
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await other.warm(1)
        kept = await ask(cache, "north", BY_PRACTICE, COUNT)
        assert {each.meta.origin for each in kept} == {"resident"}
        assert sums(kept) == sums(old)
        now[0] += 1
        new = await ask(cache, "north", BY_PRACTICE, COUNT)
        assert {each.meta.origin for each in new} == {"store"}
        assert sums(new) == expected(facts, VISIBLE["north"]) != sums(old)


async def test_a_mixture_is_of_one_snapshot(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Where a part is kept and the rest is read, the reading finds out that the pointer moved."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with (
        make_cache(tmp_path, redis_url, facts) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        old = await ask(cache, "north", BY_PRACTICE)
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await other.warm(1)
        found = await ask(cache, "north", BY_PRACTICE, COUNT)
        assert {each.meta.origin for each in found} == {"store"}
        assert len({each.meta.snapshot for each in found}) == 1
        assert sums(found) == expected(facts, VISIBLE["north"]) != sums(old)


async def test_rights_that_move_move_the_answer(cache: AnalyticsCache, tmp_path: Path) -> None:
    """What is kept for rights that somebody had isn't given to whom has them no more."""
    assert set(sums(await ask(cache, "north", BY_PRACTICE))) == {101, 102, 103}
    access = ACCESS.replace("practices = [101, 102]", "practices = [101]")
    (tmp_path / "access.toml").write_text(access, encoding="utf-8")
    assert set(sums(await ask(cache, "north", BY_PRACTICE))) == {101, 103}


async def test_each_has_its_line_in_the_audit(cache: AnalyticsCache, tmp_path: Path) -> None:
    """An answer that was kept is audited like any other."""
    await ask(cache, "north", BY_PRACTICE, COUNT)
    await ask(cache, "north", BY_PRACTICE, COUNT)
    await cache._parts.trail.close()
    written = (tmp_path / ".warmcube" / "audit.jsonl").read_bytes()
    lines = [each for each in read_lines(written) if each["event"] == "granted"]
    assert [each["origin"] for each in lines] == ["store", "store", "resident", "resident"]
