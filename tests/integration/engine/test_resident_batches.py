"""Answers that a process keeps, in batches: used, filled, of one snapshot, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.caches import ACCESS, NOTHING_KEPT, TABLE, execute, make_cache, select
from tests.support.recording import RecordingStore

from warmcube import AccessDenied, AnalyticsCache, Query, WarmcubeError
from warmcube.audit.trail import Trail
from warmcube.query import jsonform
from warmcube.query.jsonform import columns_json
from warmcube.query.result import Result

CHARGES: dict[str, Any] = {
    "datasource": 1,
    "measure": "Charges",
    "frequency": "Monthly",
    "group_by": ["date_index"],
    "aggregate": "sum",
}
VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
}
Figures = dict[Any, str]


@pytest.fixture
def facts(postgres_module_db: str) -> str:
    """A database with the table, as it was."""
    execute(postgres_module_db, "DROP SCHEMA IF EXISTS ih CASCADE", TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache that answers from entries, of which the tests know how many there are."""
    environment = {"WARMCUBE_CACHE__PRACTICE_SUMS": "false"}
    async with make_cache(tmp_path, redis_url, facts, environment=environment) as made:
        await made.warm(1)
        yield made


@pytest.fixture
def recorded(cache: AnalyticsCache) -> RecordingStore:
    """What the cache's reads ask of the store from now on."""
    store = RecordingStore(cache._parts.store)
    cache._parts.snapshots._store = store
    cache._parts.answerer._reader._store = store
    return store


async def outcomes(
    cache: AnalyticsCache, user: str, *queries: dict[str, Any]
) -> list[Result | WarmcubeError]:
    """What a user is answered to all."""
    return await cache.query_many(
        [Query(**(CHARGES | query)) for query in queries], await cache.authorize(user)
    )


async def ask(cache: AnalyticsCache, user: str, *queries: dict[str, Any]) -> list[Result]:
    """Answers to all, each of which there has to be."""
    found = [each for each in await outcomes(cache, user, *queries) if isinstance(each, Result)]
    assert len(found) == len(queries)
    return found


def origins(answers: list[Result]) -> list[str]:
    """Where answers came from."""
    return [each.meta.origin for each in answers]


def told(result: Result) -> Figures:
    """What an answer sums up by date."""
    return {row["date_index"]: str(row["sum"]) for row in result.rows()}


def sums(url: str, where: str) -> Figures:
    """What SQL sums up by date."""
    rows = select(
        url,
        "SELECT date_index, sum(measure_value)::text FROM ih.facts WHERE measure = 'Charges' "
        f"AND frequency = 'Monthly' AND {where} GROUP BY 1",
    )
    return {row[0]: str(row[1]) for row in rows}


def practices_fetched(store: RecordingStore) -> set[bytes]:
    """Whose entries were asked for."""
    return {
        word.rsplit(b":p:", 1)[1].split(b":")[0]
        for command in store.commands
        if command[0] == b"MGET"
        for word in command[1:]
        if isinstance(word, bytes)
    }


async def test_a_repeated_batch_is_answered_without_the_store(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """With the same figures of the same snapshot, and what they were made of; also one by one."""
    charts: list[dict[str, Any]] = [{}, {"practices": [101]}, {"practices": ["101"]}]
    first = await ask(cache, "north", *charts)
    recorded.commands.clear()
    second = await ask(cache, "north", *charts)
    alone = await cache.query(Query(**CHARGES), await cache.authorize("north"))
    assert recorded.commands == []
    assert (origins(first), origins(second)) == (["store"] * 3, ["resident"] * 3)
    assert alone.meta.origin == "resident"
    for answers in (first, second):
        own = sums(facts, "practice_uid = 101")
        assert [told(each) for each in answers] == [sums(facts, VISIBLE["north"]), own, own]
        assert [(m.meta.rows_fetched, m.meta.entries) for m in answers] == [
            (91, 15),
            (31, 5),
            (31, 5),
        ]
    assert len({each.meta.snapshot for each in (*first, *second)}) == 1


async def test_only_what_is_missing_of_a_batch_is_read(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """What was asked before, alone or in a batch, is kept; all is of one snapshot."""
    await cache.query(Query(**CHARGES, practices=[101]), await cache.authorize("north"))
    await ask(cache, "north", {"practices": [102]})
    recorded.commands.clear()
    practices = (101, 102, 103, 101)
    answers = await ask(cache, "north", *({"practices": [each]} for each in practices))
    assert origins(answers) == ["resident", "resident", "store", "resident"]
    assert practices_fetched(recorded) == {b"103"}
    assert [told(each) for each in answers] == [
        sums(facts, f"practice_uid = {each}") for each in practices
    ]
    assert len({each.meta.snapshot for each in answers}) == 1


async def test_what_is_kept_of_a_batch_is_nobody_elses(cache: AnalyticsCache, facts: str) -> None:
    """Users in any order, with questions in the same words: each is told their own rows' sums."""
    chance = random.Random(11)
    expected = {
        (user, filtered): sums(facts, f"{visible} AND {filtered}")
        for user, visible in VISIBLE.items()
        for filtered in ("TRUE", "practice_uid = 101")
    }
    seen: Counter[str] = Counter()
    for _ in range(60):
        user = chance.choice(list(VISIBLE))
        everything, own = await outcomes(cache, user, {}, {"practices": [101]})
        assert isinstance(everything, Result)
        assert told(everything) == expected[user, "TRUE"], user
        if user == "nobody":
            assert isinstance(own, AccessDenied)
        else:
            assert isinstance(own, Result)
            assert told(own) == expected[user, "practice_uid = 101"], user
        seen[everything.meta.origin] += 1
    assert seen["store"] <= len(VISIBLE) < seen["resident"]


async def test_who_may_not_ask_is_denied_within_a_batch_of_kept_answers(
    cache: AnalyticsCache, facts: str
) -> None:
    """Judgement comes first, of each question by itself."""
    charts: list[dict[str, Any]] = [{"practices": [110]}, {"organization": "south"}, {}]
    await ask(cache, "root", *charts)
    await ask(cache, "north", {})
    *denied, own = await outcomes(cache, "north", *charts)
    assert [type(each) for each in denied] == [AccessDenied] * 2
    assert isinstance(own, Result)
    assert (own.meta.origin, told(own)) == ("resident", sums(facts, VISIBLE["north"]))


async def test_what_is_kept_and_what_is_read_are_of_one_snapshot(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """When another process has warmed, what is kept of the snapshot before doesn't mix in."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with (
        make_cache(tmp_path, redis_url, facts) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        now = [cache._parts.snapshots.now()]
        cache._parts.snapshots._clock = lambda: now[0]
        (old,) = await ask(cache, "north", {"practices": [101]})
        execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
        await other.warm(1)
        (kept,) = await ask(cache, "north", {"practices": [101]})  # the pointer isn't old yet
        assert (kept.meta.origin, told(kept)) == ("resident", told(old))
        answers = await ask(cache, "north", {"practices": [101]}, {"practices": [102]})
        assert origins(answers) == ["store"] * 2
        assert {each.meta.snapshot for each in answers} & {old.meta.snapshot} == set()
        assert len({each.meta.snapshot for each in answers}) == 1
        assert [told(each) for each in answers] == [
            sums(facts, f"practice_uid = {each}") for each in (101, 102)
        ]


async def test_a_kept_batch_holds_as_long_as_the_pointer(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Then another process's invalidation counts, for all of it."""
    folder = tmp_path / "other"
    folder.mkdir()
    charts: list[dict[str, Any]] = [{}, {"practices": [101]}]
    async with (
        make_cache(tmp_path, redis_url, facts) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        now = [cache._parts.snapshots.now()]
        cache._parts.snapshots._clock = lambda: now[0]
        await ask(cache, "north", *charts)
        await other.invalidate(1)
        assert origins(await ask(cache, "north", *charts)) == ["resident"] * 2
        now[0] += 1.0
        gone = await ask(cache, "north", *charts)
        assert origins(gone) == ["database"] * 2
        assert len({each.meta.as_of for each in gone}) == 1
        assert len(cache._parts.answerer.residents) == 0


async def test_a_local_invalidation_ends_what_batches_keep_at_once(
    cache: AnalyticsCache, facts: str
) -> None:
    """Nothing kept is served after it, and a warm's answers are kept anew."""
    charts: list[dict[str, Any]] = [{}, {"practices": [101]}]
    for _ in range(2):
        await ask(cache, "north", *charts)
    await cache.invalidate(1)
    assert origins(await ask(cache, "north", *charts)) == ["database"] * 2
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    await cache.warm(1)
    for origin in ("store", "resident"):
        answers = await ask(cache, "north", *charts)
        assert origins(answers) == [origin] * 2
        assert told(answers[0]) == sums(facts, VISIBLE["north"])


async def test_damage_to_what_is_missing_takes_all_to_one_transaction(
    cache: AnalyticsCache, redis_url: str, facts: str
) -> None:
    """Also what is kept: answers of two pictures wouldn't add up."""
    await ask(cache, "north", {"practices": [102]})
    async with redis.Redis.from_url(redis_url) as client:
        await client.delete(*await client.keys("cache:*Charges*Monthly*:p:101:prov:3"))
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
    answers = await ask(cache, "north", {"practices": [102]}, {"practices": [101]})
    assert origins(answers) == ["database"] * 2
    assert len({each.meta.as_of for each in answers}) == 1
    assert [told(each) for each in answers] == [
        sums(facts, f"practice_uid = {each}") for each in (102, 101)
    ]


async def test_a_mixed_batch_is_audited_and_counted_line_by_line(
    cache: AnalyticsCache, tmp_path: Path
) -> None:
    """Each answer says where it came from, as if it were asked alone."""
    await ask(cache, "north", {"practices": [101]})
    await outcomes(cache, "north", {"practices": [101]}, {"practices": [102]}, {"practices": [110]})
    await cache._parts.usage.flush()
    stats = await cache.stats(1)
    assert (stats.hits, stats.misses) == (3, 0)
    await cache._parts.trail.close()
    lines = map(json.loads, (tmp_path / ".warmcube/audit.jsonl").read_text().splitlines())
    found = [
        (line["event"], line.get("origin"), line["practices"])
        for line in lines
        if line["event"] in ("granted", "blocked_filter")
    ]
    assert sorted(found, key=str) == [
        ("blocked_filter", None, [110]),
        ("granted", "resident", [101]),
        ("granted", "store", [101]),
        ("granted", "store", [102]),
    ]


async def test_rights_that_move_while_a_kept_batch_is_audited_move_it(
    cache: AnalyticsCache, tmp_path: Path, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is given under the rights in force when it is given."""
    grant = await cache.authorize("north")
    queries = [Query(**CHARGES), Query(**CHARGES, practices=[101])]
    await cache.query_many(queries, grant)
    record = Trail.record

    async def meanwhile(trail: Trail, event: Any) -> None:
        (tmp_path / "access.toml").write_text(
            ACCESS.replace("practices = [101, 102]", "practices = [102]")
        )
        await cache._parts.authoriser.directory()
        await record(trail, event)

    monkeypatch.setattr(Trail, "record", meanwhile)
    monkeypatch.setattr(Trail, "record_at_once", lambda *_: False)
    everything, lost = await cache.query_many(queries, grant)
    assert isinstance(everything, Result)
    assert told(everything) == sums(facts, "practice_uid IN (102, 103)")
    assert isinstance(lost, AccessDenied)


@pytest.mark.parametrize(
    ("environment", "origin"),
    [(NOTHING_KEPT, "store"), ({"CACHE_ENABLED": "false"}, "database")],
)
async def test_where_nothing_is_to_be_kept_every_batch_is_read(
    tmp_path: Path, redis_url: str, facts: str, environment: dict[str, str], origin: str
) -> None:
    """Without a budget from the store, with the cache switched off from the database."""
    async with make_cache(tmp_path, redis_url, facts, environment=environment) as cache:
        await cache.warm(1)
        for _ in range(2):
            answers = await ask(cache, "north", {}, {"practices": [101]})
            assert origins(answers) == [origin] * 2
            assert told(answers[0]) == sums(facts, VISIBLE["north"])
        assert len(cache._parts.answerer.residents) == 0


async def test_a_body_of_a_batchs_answer_is_made_once(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For equal questions, and when they are asked again; each other scope has its own."""
    made: list[int] = []
    write = jsonform._columns

    def counted(table: Any, decimals: Any) -> bytes:
        made.append(table.rows)
        return write(table, decimals)

    monkeypatch.setattr(jsonform, "_columns", counted)
    charts: list[dict[str, Any]] = [{}, {}, {"practices": [101]}]
    bodies = [[columns_json(each) for each in await ask(cache, "north", *charts)] for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert bodies[0][0] == bodies[0][1] != bodies[0][2]
    assert len(made) == 2


async def test_batches_during_warms_are_of_one_snapshot_each(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Eight at a time, with questions that are kept and others, while another process warms."""
    folder = tmp_path / "other"
    folder.mkdir()
    environment = {"WARMCUBE_CACHE__MAX_POINTER_AGE": "0.01"}
    wheres = {None: "TRUE", 101: "practice_uid = 101", 102: "practice_uid = 102"}
    async with (
        make_cache(tmp_path, redis_url, facts, environment=environment) as cache,
        make_cache(folder, redis_url, facts) as other,
    ):
        await cache.warm(1)
        (first,) = await ask(cache, "root", {})
        pictures = {first.meta.snapshot: {key: sums(facts, w) for key, w in wheres.items()}}
        batches: list[tuple[list[int | None], list[Result]]] = []
        is_over = asyncio.Event()
        chance = random.Random(3)

        async def read() -> None:
            while not is_over.is_set():
                keys = chance.sample(list(wheres), 2)
                charts = [{} if key is None else {"practices": [key]} for key in keys]
                batches.append((keys, await ask(cache, "root", *charts)))
                await asyncio.sleep(0)

        readers = [asyncio.create_task(read()) for _ in range(8)]
        for _ in range(4):
            execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1")
            report = await other.warm(1)
            pictures[report.snapshot] = {key: sums(facts, w) for key, w in wheres.items()}
            while not batches or batches[-1][1][0].meta.snapshot != report.snapshot:  # noqa: ASYNC110 - others append
                await asyncio.sleep(0.001)
        is_over.set()
        await asyncio.gather(*readers)
    assert {each.meta.snapshot for _, answers in batches for each in answers} == set(pictures)
    for keys, answers in batches:
        assert len({each.meta.snapshot for each in answers}) == 1
        picture = pictures[answers[0].meta.snapshot]
        assert [told(each) for each in answers] == [picture[key] for key in keys]
