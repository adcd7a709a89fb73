"""Partitions that a process holds: loaded when they are hot, right while live, then gone."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import (
    ACCESS,
    BY_ENTRIES,
    TABLE,
    execute,
    hold_partitions,
    make_cache,
)
from tests.support.charges import CHARGES, ask, expected, told

from warmcube import AnalyticsCache, Query
from warmcube.errors import StoreUnavailable
from warmcube.query import jsonform
from warmcube.query.jsonform import columns_json
from warmcube.query.result import Result

VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
}
QUICK = {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0.2"}


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache that holds everything."""
    async with make_cache(tmp_path, redis_url, facts) as made:
        await made.warm(1)
        await hold_partitions(made, 1)
        yield made


async def test_what_is_read_again_and_again_is_loaded(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Questions that were never asked before are then answered without the store, as it would."""
    async with make_cache(tmp_path, redis_url, facts) as cache:
        await cache.warm(1)
        partitions = cache._parts.answerer.partitions
        asked = 0
        while not len(partitions):
            asked += 1
            assert asked < 20
            await ask(cache, "north", limit=1000 + asked)
            await partitions.settled()
        assert asked > 1
        assert len(partitions) == 1
        stored = await ask(cache, "provider", limit=999)
        assert stored.meta.origin == "resident"
        for user, visible in VISIBLE.items():
            result = await ask(cache, user, limit=998)
            assert result.meta.origin == "resident"
            assert told(result) == expected(facts, visible)


@pytest.mark.parametrize("user", VISIBLE)
async def test_an_answer_says_what_the_stores_would_say(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str, user: str
) -> None:
    """The same rows in the same order, and the same figures, but for the tier."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with make_cache(folder, redis_url, facts, environment=BY_ENTRIES) as other:
        for more in (
            {},
            {"practices": [101]},
            {"providers": [3]},
            {"start": "2024-01-02"},
            {"group_by": ["date_index"], "aggregate": "sum"},
            {"group_by": ["practice_uid", "note"], "aggregate": "avg"},
        ):
            held, stored = [await ask(each, user, **more) for each in (cache, other)]
            assert (held.meta.origin, stored.meta.origin) == ("resident", "store")
            assert held.rows() == stored.rows()
            metas = [
                (m.snapshot, m.as_of, m.entries, m.rows_fetched, m.rows, m.stale, m.notes)
                for m in (held.meta, stored.meta)
            ]
            assert metas[0] == metas[1]
            assert held.explanation is not None
            assert stored.explanation is not None
            assert held.explanation.members == stored.explanation.members
            assert held.explanation.bytes_fetched == 0


async def test_a_batch_takes_what_is_held_and_reads_the_rest(
    cache: AnalyticsCache, facts: str
) -> None:
    """All of one snapshot."""
    partitions = cache._parts.answerer.partitions
    other = next(key for key in partitions._held if key[1].measure != "Charges")
    partitions._drop(other)
    queries = [
        Query(**CHARGES),
        Query(**(CHARGES | {"measure": other[1].measure, "frequency": other[1].frequency})),
        Query(**(CHARGES | {"group_by": ["practice_uid"], "aggregate": "count"})),
    ]
    results = await cache.query_many(queries, await cache.authorize("north"))
    assert all(isinstance(each, Result) for each in results)
    found = [each for each in results if isinstance(each, Result)]
    assert [each.meta.origin for each in found] == ["resident", "store", "resident"]
    assert len({each.meta.snapshot for each in found}) == 1
    assert told(found[0]) == expected(facts, VISIBLE["north"])


async def test_rights_that_move_move_the_slices(
    cache: AnalyticsCache, tmp_path: Path, facts: str
) -> None:
    """A grant in hand is worth what the directory says now."""
    grant = await cache.authorize("north")
    assert told(await cache.query(Query(**CHARGES), grant)) == expected(facts, VISIBLE["north"])
    (tmp_path / "access.toml").write_text(
        ACCESS.replace("practices = [101, 102]", "practices = [102]")
    )
    await cache.authorize("north")  # looks at the directory
    after = await cache.query(Query(**CHARGES), grant)
    assert after.meta.origin == "resident"
    assert told(after) == expected(facts, "practice_uid IN (102, 103)")


async def test_what_this_process_takes_away_is_gone_at_once(
    cache: AnalyticsCache, facts: str
) -> None:
    """By an invalidation, and by a warm."""
    partitions = cache._parts.answerer.partitions
    assert len(partitions)
    await cache.invalidate(1)
    assert (len(partitions), partitions.size) == (0, 0)
    assert (await ask(cache, "north")).meta.origin == "database"
    await cache.warm(1)
    await hold_partitions(cache, 1)
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    assert len(partitions) == 0
    assert told(await ask(cache, "north")) == expected(facts, VISIBLE["north"])


async def test_what_another_process_takes_away_is_gone_within_the_pointers_age(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Then the answers are the new snapshot's, or the database's where there is none."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with (
        make_cache(tmp_path, redis_url, facts, environment=QUICK) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        await hold_partitions(cache, 1)
        now = [cache._parts.snapshots.now()]
        cache._parts.snapshots._clock = lambda: now[0]
        old = await ask(cache, "north")
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await other.warm(1)
        held = await ask(cache, "north")
        assert (held.meta.origin, held.meta.snapshot) == ("resident", old.meta.snapshot)
        now[0] += 0.2
        new = await ask(cache, "north")
        assert new.meta.snapshot != old.meta.snapshot
        assert told(new) == expected(facts, VISIBLE["north"]) != told(old)
        await hold_partitions(cache, 1)
        assert (await ask(cache, "north")).meta.origin == "resident"
        await other.invalidate(1)
        now[0] += 0.2
        assert (await ask(cache, "north")).meta.origin == "database"
        assert len(cache._parts.answerer.partitions) == 0


async def test_without_the_store_slices_are_given_for_a_while(
    cache: AnalyticsCache, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the database answers."""
    now = [cache._parts.snapshots.now()]
    cache._parts.snapshots._clock = lambda: now[0]
    await ask(cache, "north")

    async def run(*_: object, **__: object) -> list[object]:
        raise StoreUnavailable("can't reach the store at nowhere")

    monkeypatch.setattr(cache._parts.store, "run", run)
    now[0] += 4.9
    assert (await ask(cache, "north", limit=999)).meta.origin == "resident"
    now[0] += 1.0
    late = await ask(cache, "north")
    assert late.meta.origin == "database"
    assert told(late) == expected(facts, VISIBLE["north"])


async def test_readers_during_warms_see_one_snapshot_each(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """While partitions are loaded, dropped and loaded again under them."""
    folder = tmp_path / "other"
    folder.mkdir()
    environment = {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0.01"}
    async with (
        make_cache(tmp_path, redis_url, facts, environment=environment) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        cache._parts.answerer.residents.get = lambda key: None  # type: ignore[method-assign]
        snapshots = {(await ask(cache, "root")).meta.snapshot: expected(facts, "TRUE")}
        answers: list[Result] = []
        is_over = asyncio.Event()

        async def read() -> None:
            while not is_over.is_set():
                answers.append(await ask(cache, "root"))
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(8)]
        for _ in range(4):
            execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
            report = await other.warm(1)
            snapshots[report.snapshot] = expected(facts, "TRUE")
            last = ("", "")
            while last != (report.snapshot, "resident"):
                await asyncio.sleep(0.001)
                last = (answers[-1].meta.snapshot or "", answers[-1].meta.origin)
        is_over.set()
        await asyncio.gather(*readers)
        assert {answer.meta.snapshot for answer in answers} == set(snapshots)
        assert {answer.meta.origin for answer in answers} == {"store", "resident"}
        for answer in answers[:: max(1, len(answers) // 200)]:
            assert told(answer) == snapshots[answer.meta.snapshot]


async def test_what_is_made_of_slices_is_kept(
    tmp_path: Path, redis_url: str, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows alone are gathered anew each time; a body of them is made once for all.

    Groups are kept when they are asked for again.
    """
    made: list[int] = []
    write = jsonform._columns

    def counted(*args: Any) -> bytes:
        made.append(args[0].rows)
        return write(*args)

    monkeypatch.setattr(jsonform, "_columns", counted)
    async with make_cache(tmp_path, redis_url, facts) as cache:
        await cache.warm(1)
        answerer = cache._parts.answerer
        found = answerer.residents.get
        await hold_partitions(cache, 1)
        answerer.residents.get = found  # type: ignore[method-assign]
        await ask(cache, "north")
        assert len(answerer.residents) == 0
        body = columns_json(await ask(cache, "north"))
        assert len(answerer.residents) == 1
        assert columns_json(await ask(cache, "root", organization="north")) == body
        assert made == [91]
        for kept in (1, 2, 2):
            await ask(cache, "north", group_by=["practice_uid"], aggregate="sum")
            assert len(answerer.residents) == kept


async def test_partitions_take_no_more_memory_than_is_counted(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """By what Python and numpy have taken for them."""
    async with make_cache(tmp_path, redis_url, facts) as cache:
        await cache.warm(1)
        await ask(cache, "root")
        await hold_partitions(cache, 1)
        partitions = cache._parts.answerer.partitions
        partitions.forget(1)
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await hold_partitions(cache, 1)
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert 0 < taken <= partitions.size
