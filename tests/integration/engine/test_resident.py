"""Answers that a process keeps: the same rows for the same rights, and never anybody else's."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.caches import ACCESS, TABLE, execute, make_cache
from tests.support.charges import CHARGES, ask, expected, told

from warmcube import AccessDenied, AnalyticsCache, Query
from warmcube.audit.trail import Trail
from warmcube.errors import StoreUnavailable
from warmcube.model.columns import Table
from warmcube.query import jsonform
from warmcube.query.jsonform import Decimals, columns_json
from warmcube.query.result import Result

VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
    "lost": "FALSE",
}


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache."""
    async with make_cache(tmp_path, redis_url, facts) as made:
        await made.warm(1)
        yield made


async def test_a_repeated_question_is_answered_without_the_store(
    cache: AnalyticsCache, facts: str
) -> None:
    """With the same rows, of the same snapshot, and nothing fetched."""
    first, second = await ask(cache, "north"), await ask(cache, "north")
    assert (first.meta.origin, second.meta.origin) == ("store", "resident")
    assert told(second) == told(first) == expected(facts, VISIBLE["north"])
    assert (second.meta.snapshot, second.meta.as_of) == (first.meta.snapshot, first.meta.as_of)
    figures = [(m.rows, m.entries, m.rows_fetched) for m in (first.meta, second.meta)]
    assert figures[1] == figures[0] == (91, 15, 91)
    assert list(second.meta.timings) == ["total"]
    explanation = second.explanation
    assert explanation is not None
    assert (explanation.origin, explanation.members, explanation.entries) == ("resident", 15, 15)
    assert (explanation.trips, explanation.index_sets, explanation.whole_partition) == (None,) * 3


async def test_figures_of_a_kept_answer_are_told_to_who_may_see_them(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """There was no trip, and no set was looked up."""
    access = ACCESS.replace('"cache:manage:all"', '"cache:read:all"')
    async with make_cache(tmp_path, redis_url, facts, access=access) as cache:
        await cache.warm(1)
        await ask(cache, "root")
        whole = (await ask(cache, "root")).explanation
        assert whole is not None
        assert (whole.trips, whole.index_sets, whole.whole_partition) == (0, 0, False)


async def test_one_question_of_many_users_gives_each_their_own(
    cache: AnalyticsCache, facts: str
) -> None:
    """Interleaved in any order, with and without filters, kept or not."""
    chance = random.Random(7)
    rows = {user: expected(facts, visible) for user, visible in VISIBLE.items()}
    own = {
        user: Counter({row: n for row, n in found.items() if row[1] == 101})
        for user, found in rows.items()
    }
    origins: Counter[str] = Counter()
    for _ in range(150):
        user = chance.choice(list(VISIBLE))
        if user != "nobody" and chance.random() < 0.5:
            result = await ask(cache, user, practices=[101])
            assert told(result) == own[user], user
        else:
            result = await ask(cache, user)
            assert told(result) == rows[user], user
        origins[result.meta.origin] += 1
    assert origins.keys() == {"store", "resident"}
    assert origins["store"] <= 10


async def test_users_who_may_see_the_same_rows_share_an_answer(
    cache: AnalyticsCache, facts: str
) -> None:
    """An organization's filter leaves the super admin what its analyst sees."""
    await ask(cache, "north")
    shared = await ask(cache, "root", organization="north")
    assert shared.meta.origin == "resident"
    assert told(shared) == expected(facts, VISIBLE["north"])
    assert shared.judged is not None
    assert shared.judged.narrowed.grant.user.id == "root"


async def test_who_may_not_ask_is_denied_though_the_answer_is_kept(cache: AnalyticsCache) -> None:
    """Judgement comes first: for exports, for others' practices, for organizations."""
    await ask(cache, "root", practices=[110])
    await ask(cache, "root", organization="south")
    for query in ({"practices": [110]}, {"organization": "south"}):
        with pytest.raises(AccessDenied):
            await ask(cache, "north", **query)
    await ask(cache, "north")
    with pytest.raises(AccessDenied):
        await cache.export(Query(**CHARGES), await cache.authorize("north"))


async def test_rights_that_move_move_the_answer(
    cache: AnalyticsCache, tmp_path: Path, facts: str
) -> None:
    """A grant in hand is worth what the directory says now, whatever is kept."""
    grant = await cache.authorize("north")
    for _ in range(2):
        before = await cache.query(Query(**CHARGES), grant)
    assert told(before) == expected(facts, VISIBLE["north"])
    (tmp_path / "access.toml").write_text(
        ACCESS.replace("practices = [101, 102]", "practices = [102]")
    )
    await cache.authorize("north")  # looks at the directory
    after = await cache.query(Query(**CHARGES), grant)
    assert told(after) == expected(facts, "practice_uid IN (102, 103)")
    (tmp_path / "access.toml").write_text(
        ACCESS.replace("practices = [101, 102]", "practices = [101]\nactive = false")
    )
    await cache.authorize("north")
    assert not told(await cache.query(Query(**CHARGES), grant))


async def test_rights_that_move_while_a_kept_answer_is_audited_move_it(
    cache: AnalyticsCache, tmp_path: Path, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is given under the rights in force when it is given."""
    grant = await cache.authorize("north")
    await cache.query(Query(**CHARGES), grant)
    record = Trail.record

    async def meanwhile(trail: Trail, event: Any) -> None:
        (tmp_path / "access.toml").write_text(
            ACCESS.replace("practices = [101, 102]", "practices = [102]")
        )
        await cache._parts.authoriser.directory()
        await record(trail, event)

    monkeypatch.setattr(Trail, "record", meanwhile)
    monkeypatch.setattr(Trail, "record_at_once", lambda *_: False)
    result = await cache.query(Query(**CHARGES), grant)
    assert told(result) == expected(facts, "practice_uid IN (102, 103)")


async def test_a_local_invalidation_and_a_local_warm_hold_at_once(
    cache: AnalyticsCache, facts: str
) -> None:
    """Nothing kept is served after them, however young."""
    for _ in range(2):
        await ask(cache, "north")
    assert len(cache._parts.answerer.residents) == 1
    await cache.invalidate(1)
    assert len(cache._parts.answerer.residents) == 0
    assert (await ask(cache, "north")).meta.origin == "database"
    await cache.warm(1)
    for origin in ("store", "resident"):
        assert (await ask(cache, "north")).meta.origin == origin
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    after = await ask(cache, "north")
    assert after.meta.origin == "store"
    assert told(after) == expected(facts, VISIBLE["north"])


async def test_another_process_holds_within_the_pointers_age(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """After that the answers are the new snapshot's, or the database's where there is none."""
    environment = {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0.2"}
    folder = tmp_path / "other"
    folder.mkdir()
    async with (
        make_cache(tmp_path, redis_url, facts, environment=environment) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        now = [cache._parts.snapshots.now()]
        cache._parts.snapshots._clock = lambda: now[0]
        old = await ask(cache, "north")
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await other.warm(1)
        kept = await ask(cache, "north")
        assert (kept.meta.origin, kept.meta.snapshot) == ("resident", old.meta.snapshot)
        now[0] += 0.2
        new = await ask(cache, "north")
        assert new.meta.snapshot != old.meta.snapshot
        assert told(new) == expected(facts, VISIBLE["north"]) != told(old)
        await ask(cache, "north")
        await other.invalidate(1)
        now[0] += 0.2
        gone = await ask(cache, "north")
        assert gone.meta.origin == "database"
        assert len(cache._parts.answerer.residents) == 0


async def test_without_the_store_answers_are_kept_for_a_while(
    cache: AnalyticsCache, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the database answers, with the same rows and a note."""
    now = [cache._parts.snapshots.now()]
    cache._parts.snapshots._clock = lambda: now[0]
    await ask(cache, "north")

    async def run(*_: object, **__: object) -> list[object]:
        raise StoreUnavailable("can't reach the store at nowhere")

    monkeypatch.setattr(cache._parts.store, "run", run)
    now[0] += 4.9
    assert (await ask(cache, "north")).meta.origin == "resident"
    now[0] += 1.0
    late = await ask(cache, "north")
    assert late.meta.origin == "database"
    assert late.meta.notes == ("answered by the database: the store can't answer",)
    assert told(late) == expected(facts, VISIBLE["north"])


async def test_what_is_kept_is_audited_and_counted_like_any_answer(
    cache: AnalyticsCache, tmp_path: Path
) -> None:
    """One line for each, which says where it came from."""
    for _ in range(3):
        await ask(cache, "north")
    await cache._parts.usage.flush()
    stats = await cache.stats(1)
    assert (stats.hits, stats.misses) == (3, 0)
    await cache._parts.trail.close()
    lines = (tmp_path / ".warmcube" / "audit.jsonl").read_text().splitlines()
    found = [line for line in map(json.loads, lines) if line["event"] == "granted"]
    assert [line["origin"] for line in found] == ["store", "resident", "resident"]
    assert {(line["subject"], line["rows"], line["snapshot"]) for line in found} == {
        ("north", 91, stats.snapshot)
    }


async def test_a_body_is_made_once_for_all_who_may_see_it(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for those whose answer came from the store; each other scope has its own."""
    made: list[int] = []
    write = jsonform._columns

    def counted(table: Table, decimals: Decimals) -> bytes:
        made.append(table.rows)
        return write(table, decimals)

    monkeypatch.setattr(jsonform, "_columns", counted)
    first = columns_json(await ask(cache, "north"))
    assert columns_json(await ask(cache, "root", organization="north")) == first
    assert columns_json(await ask(cache, "north"), decimals="number") != first
    other = columns_json(await ask(cache, "provider"))
    assert made == [91, 91, 18]
    assert set(json.loads(other)["provider_uid"]) == {3}


async def test_readers_during_warms_see_one_snapshot_each(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Sixteen at a time, while another process warms: each answer is whole, and of one version."""
    folder = tmp_path / "other"
    folder.mkdir()
    environment = {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0.01"}
    async with (
        make_cache(tmp_path, redis_url, facts, environment=environment) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        snapshots = {(await ask(cache, "root")).meta.snapshot: expected(facts, "TRUE")}
        answers: list[Result] = []
        is_over = asyncio.Event()

        async def read() -> None:
            while not is_over.is_set():
                answers.append(await ask(cache, "root"))
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(16)]
        for _ in range(4):
            execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
            report = await other.warm(1)
            snapshots[report.snapshot] = expected(facts, "TRUE")
            while answers[-1].meta.snapshot != report.snapshot:  # noqa: ASYNC110 - others append
                await asyncio.sleep(0.001)
        is_over.set()
        await asyncio.gather(*readers)
        assert {answer.meta.snapshot for answer in answers} == set(snapshots)
        assert {answer.meta.origin for answer in answers} == {"store", "resident"}
        distinct = {id(answer.table): answer for answer in answers}.values()
        for answer in distinct:
            assert told(answer) == snapshots[answer.meta.snapshot]
