"""Many queries in one read: each entry is fetched once, each query has an outcome of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.audit import read_lines
from tests.support.caches import ACCESS, BY_ENTRIES, TABLE, execute, make_cache, select
from tests.support.recording import RecordingStore

from warmcube import AccessDenied, AnalyticsCache, Filter, Query, WarmcubeError
from warmcube.errors import (
    AuditError,
    InvalidFilter,
    LimitExceeded,
    SourceUnavailable,
    UnknownColumn,
    UnknownDatasource,
)
from warmcube.fallback.database import open_read
from warmcube.query import finder, lookup, read
from warmcube.query.asked import Asked
from warmcube.query.result import Result

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
AR = "A/R > 90 days: {net} 100%"
NORTH = "practice_uid IN (101, 102, 103)"


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache that answers from entries alone."""
    async with make_cache(tmp_path, redis_url, facts, environment=BY_ENTRIES) as made:
        await made.warm(1)
        yield made


@pytest.fixture
def recorded(cache: AnalyticsCache) -> RecordingStore:
    """What the cache's reads ask of the store from now on."""
    store = RecordingStore(cache._parts.store)
    cache._parts.snapshots._store = store
    cache._parts.answerer._reader._store = store
    return store


def entries_fetched(store: RecordingStore) -> Counter[bytes]:
    """How often each entry was asked for."""
    return Counter(
        word
        for command in store.commands
        if command[0] == b"MGET"
        for word in command[1:]
        if isinstance(word, bytes)
    )


async def ask(cache: AnalyticsCache, user: str, *queries: dict[str, Any]) -> list[Result]:
    """Answers to all, each of which there has to be."""
    found = await cache.query_many(
        [Query(**(CHARGES | query)) for query in queries], await cache.authorize(user)
    )
    assert [each for each in found if not isinstance(each, Result)] == []
    return [each for each in found if isinstance(each, Result)]


def sums(url: str, where: str) -> dict[Any, str]:
    """What SQL sums up by date."""
    rows = select(
        url,
        "SELECT date_index, sum(measure_value)::text FROM ih.facts WHERE measure = 'Charges' "
        f"AND frequency = 'Monthly' AND {where} GROUP BY 1",
    )
    return {row[0]: str(row[1]) for row in rows}


def by_date(result: Result) -> dict[Any, str]:
    """The same of an answer."""
    return {row["date_index"]: str(row["sum"]) for row in result.rows()}


BY_DATE: dict[str, Any] = {"group_by": ["date_index"], "aggregate": "sum"}


async def test_line_4_nine_charts_fetch_each_entry_once_and_none_that_is_not_ones_own(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """Rivals, line 4: the same measure five times over, filtered by permission after the fetch."""
    charts = [
        *({**BY_DATE, "practices": [practice]} for practice in (101, 102, 103)),
        *({**BY_DATE, "practices": [practice]} for practice in (101, 102)),
        BY_DATE,
        {**BY_DATE, "where": [Filter("date_index", "gt", "2024-01-03")]},
        {**BY_DATE, "providers": [3]},
        {"measure": AR, "aggregate": "count"},
    ]
    answers = await ask(cache, "north", *charts)
    fetched = entries_fetched(recorded)
    assert set(fetched.values()) == {1}
    assert len(fetched) == 2 * 3 * 5  # of two measures three practices, whose providers are five
    rows = [answer.meta.rows_fetched for answer in answers]
    in_scope = select(
        facts,
        f"SELECT count(*) FILTER (WHERE practice_uid = 101), count(*) FROM ih.facts "
        f"WHERE measure = 'Charges' AND frequency = 'Monthly' AND {NORTH}",
    )
    assert [rows[0], rows[5]] == list(in_scope[0])
    assert rows == [31, 30, 30, 31, 30, 91, 91, 18, 90]
    assert [answer.meta.entries for answer in answers] == [5, 5, 5, 5, 5, 15, 15, 3, 15]
    trips = [
        command
        for command in recorded.commands
        if command == (b"GET", b"cache:meta:{ds:1}:current")
    ]
    assert len(trips) == 2  # once to know the snapshot, once along with all lookups
    assert by_date(answers[5]) == sums(facts, NORTH)
    assert by_date(answers[6]) == sums(facts, f"{NORTH} AND date_index > '2024-01-03'")
    assert by_date(answers[7]) == sums(facts, f"{NORTH} AND provider_uid = 3")


@pytest.mark.parametrize("is_warm", [True, False])
async def test_line_5_each_chart_has_its_own_practices(
    cache: AnalyticsCache, facts: str, *, is_warm: bool
) -> None:
    """Rivals, line 5: what one chart of a request has read is never another's answer."""
    if not is_warm:
        await cache.invalidate(1)
    practices = (101, 102, 103, 102, 101)
    for user in ("north", "root"):
        charts = [{**BY_DATE, "practices": [each]} for each in practices]
        answers = await ask(cache, user, *charts, {**BY_DATE, "practices": []}, BY_DATE)
        found = [by_date(answer) for answer in answers]
        expected = [sums(facts, f"practice_uid = {each}") for each in practices]
        assert found[:5] == expected
        assert found[5] == {}
        assert found[6] == sums(facts, NORTH if user == "north" else "TRUE")


@pytest.mark.parametrize("is_warm", [True, False])
async def test_line_6_values_are_the_askers(
    cache: AnalyticsCache, facts: str, *, is_warm: bool
) -> None:
    """Rivals, line 6: values that one user was told are never another's, in whichever order."""
    if not is_warm:
        await cache.invalidate(1)
    visible = {"root": "TRUE", "north": NORTH, "provider": f"{NORTH} AND provider_uid = 3"}
    columns = ("note", "practice_uid", "provider_uid", "measure_value")
    for user in ("root", "north", "provider", "north", "root"):
        grant = await cache.authorize(user)
        told = await asyncio.gather(
            *(cache.values(1, c, grant, measure="Charges", frequency="Monthly") for c in columns)
        )
        for column, values in zip(columns, told, strict=True):
            expected = select(
                facts,
                f"SELECT DISTINCT {column}::text FROM ih.facts WHERE measure = 'Charges' AND "
                f"frequency = 'Monthly' AND {column} IS NOT NULL AND {visible[user]}",
            )
            assert sorted(map(str, values)) == sorted(str(row[0]) for row in expected)


async def test_equal_queries_share_an_answer(
    cache: AnalyticsCache, recorded: RecordingStore
) -> None:
    """The same question is evaluated once; one that only looks alike isn't the same."""
    first, same, alike = await ask(
        cache, "north", {"practices": [101]}, {"practices": ("101",)}, {"practices": [102]}
    )
    assert same.table is first.table
    assert alike.table is not first.table
    assert {row["practice_uid"] for row in alike.rows()} == {102}
    assert set(entries_fetched(recorded).values()) == {1}


@pytest.mark.parametrize("is_warm", [True, False])
async def test_an_error_is_its_own_querys_outcome(cache: AnalyticsCache, *, is_warm: bool) -> None:
    """Whatever is wrong with one, the others are answered as if they were alone."""
    if not is_warm:
        await cache.invalidate(1)
    queries = [
        Query(**CHARGES, aggregate="count"),
        Query(**CHARGES, practices=[110]),
        Query(**CHARGES, where=[Filter("nope", "eq", 1)]),
        Query(datasource=7),
        Query(**CHARGES, practices=[True]),
        Query(**CHARGES, practices=list(range(10_001))),
        Query(**CHARGES, aggregate="count", organization="north-east"),
    ]
    grant = await cache.authorize("north")
    found = await cache.query_many(queries, grant)
    assert [type(each) for each in found] == [
        Result,
        AccessDenied,
        UnknownColumn,
        UnknownDatasource,
        InvalidFilter,
        LimitExceeded,
        Result,
    ]
    for query, each in zip(queries, found, strict=True):
        if isinstance(each, Result):
            alone = await cache.query(query, grant)
            assert (each.rows(), each.meta.origin) == (alone.rows(), alone.meta.origin)
        else:
            with pytest.raises(type(each)) as caught:
                await cache.query(query, grant)
            assert str(caught.value) == str(each)


async def test_an_answer_that_is_too_large_is_its_own_querys_outcome(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """A limit that shows only in the evaluation, too."""
    async with make_cache(tmp_path, redis_url, facts, more="[limits]\nrows = 40") as cache:
        await cache.warm(1)
        grant = await cache.authorize("north")
        large, small = await cache.query_many(
            [Query(**CHARGES), Query(**CHARGES, practices=[102])], grant
        )
        assert isinstance(large, LimitExceeded)
        assert isinstance(small, Result)
        assert len(small) == 30


async def test_a_batch_has_a_limit(tmp_path: Path, redis_url: str, facts: str) -> None:
    """More is an error that names it; none at all is an answer."""
    async with make_cache(tmp_path, redis_url, facts, more="[limits]\nbatch = 3") as cache:
        grant = await cache.authorize("north")
        with pytest.raises(LimitExceeded, match=r"4 queries, more than \[limits\] batch = 3"):
            await cache.query_many([Query(**CHARGES)] * 4, grant)
        assert await cache.query_many([], grant) == []


async def test_a_grant_that_is_none_is_refused(cache: AnalyticsCache) -> None:
    """For the batch as a whole."""
    with pytest.raises(AccessDenied):
        await cache.query_many([Query(**CHARGES)], "root")  # type: ignore[arg-type]


async def test_every_query_has_its_line_in_the_audit(cache: AnalyticsCache, tmp_path: Path) -> None:
    """Answered, empty or refused: as if it were asked alone."""
    grant = await cache.authorize("north")
    await cache.query_many(
        [
            Query(**CHARGES, practices=[101]),
            Query(**CHARGES, practices=[101]),
            Query(**CHARGES, practices=[]),
            Query(**CHARGES, practices=[110]),
            Query(datasource=7),
        ],
        grant,
    )
    await cache._parts.trail.close()
    lines = read_lines((tmp_path / ".warmcube/audit.jsonl").read_bytes())
    told = [(each["event"], each.get("rows")) for each in lines if each.get("subject") == "north"]
    assert sorted(told, key=str) == [
        ("blocked_filter", None),
        ("denied", None),
        ("empty_grant", None),
        ("granted", 31),
        ("granted", 31),
    ]


async def test_each_query_counts_as_a_hit_or_a_miss(cache: AnalyticsCache, redis_url: str) -> None:
    """As if it were asked alone; one that was refused as neither."""
    queries = [{"practices": [101]}, {"practices": [101]}, {}]
    await ask(cache, "north", *queries)
    grant = await cache.authorize("north")
    await cache.query_many([Query(**CHARGES, practices=[110])], grant)
    async with redis.Redis.from_url(redis_url) as client:
        await client.delete(*await client.keys("cache:*Charges*:p:101:prov:3"))
    answers = await ask(cache, "north", *queries)
    assert {answer.meta.origin for answer in answers} == {"database"}
    await cache._parts.usage.flush()
    stats = await cache.stats(1)
    assert (stats.hits, stats.misses) == (3, 3)


async def test_damage_takes_all_to_one_transaction(
    cache: AnalyticsCache, redis_url: str, facts: str
) -> None:
    """Also those whose entries are whole: answers of two pictures wouldn't add up."""
    async with redis.Redis.from_url(redis_url) as client:
        await client.delete(*await client.keys("cache:*Charges*Monthly*:p:101:prov:3"))
    answers = await ask(cache, "north", {**BY_DATE, "practices": [102]}, BY_DATE)
    assert [answer.meta.origin for answer in answers] == ["database"] * 2
    assert len({answer.meta.as_of for answer in answers}) == 1
    assert all("damage" in answer.meta.notes[0] for answer in answers)
    assert [by_date(each) for each in answers] == [
        sums(facts, "practice_uid = 102"),
        sums(facts, NORTH),
    ]


async def test_no_database_either_is_each_querys_error(tmp_path: Path) -> None:
    """None is answered by half."""
    url = "postgresql://user@127.0.0.1:1/db"
    async with make_cache(tmp_path, "redis://127.0.0.1:1/0", url) as cache:
        found = await cache.query_many([Query(**CHARGES)] * 2, await cache.authorize("north"))
    assert [type(each) for each in found] == [SourceUnavailable] * 2


@pytest.mark.parametrize("user", ["root", "north", "provider"])
async def test_large_reads_give_the_same(
    cache: AnalyticsCache, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long sets piece by piece, entries over several trips, decoding beside the event loop."""
    charts: list[dict[str, Any]] = [
        {},
        {"practices": [101, 102]},
        {"providers": [3]},
        {"measure": AR},
        {"measure": "nothing"},
    ]
    grant = await cache.authorize(user)
    alone = [await cache.query(Query(**(CHARGES | chart)), grant) for chart in charts]
    monkeypatch.setattr(lookup, "LONG_SET", 5)
    monkeypatch.setattr(lookup, "CHUNK", 4)
    monkeypatch.setattr(finder, "TRIP_BYTES", 1000)
    monkeypatch.setattr(read, "LARGE_BYTES", 1)
    answers = await ask(cache, user, *charts)
    assert [each.rows() for each in answers] == [each.rows() for each in alone]
    assert [each.meta.rows_fetched for each in answers] == [
        each.meta.rows_fetched for each in alone
    ]


async def test_a_batch_is_of_one_snapshot_whatever_is_warmed_meanwhile(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """In every snapshot all measures have one value: no batch may show two."""
    execute(postgres_db, TABLE, "UPDATE ih.facts SET measure_value = 0")
    del cache
    folder = tmp_path / "moving"
    folder.mkdir()
    environment = {"WARMCUBE_STORE__NAMESPACE": "moving:"}
    charts = [
        Query(**CHARGES, aggregate="max"),
        Query(**CHARGES, aggregate="min", practices=[101]),
        Query(datasource=1, measure=AR, frequency="Weekly", aggregate="max"),
    ]
    seen: set[Any] = set()
    async with make_cache(folder, redis_url, postgres_db, environment=environment) as moving:
        await moving.warm(1)
        grant = await moving.authorize("root")

        async def rewarm() -> None:
            for value in range(1, 9):
                execute(postgres_db, f"UPDATE ih.facts SET measure_value = {value}")
                await moving.warm(1)

        async def read(warming: asyncio.Task[None]) -> None:
            while not warming.done():
                found = await moving.query_many(charts, grant)
                answers = [each for each in found if isinstance(each, Result)]
                assert len(answers) == len(charts), found
                assert len({each.meta.snapshot for each in answers}) == 1
                values = {
                    value for each in answers for row in each.rows() for value in row.values()
                }
                assert len(values) == 1, values
                seen.update(values)

        warming = asyncio.create_task(rewarm())
        await asyncio.gather(warming, *(read(warming) for _ in range(4)))
    assert len(seen) > 2


async def test_rights_that_change_meanwhile_change_the_whole_batch(
    cache: AnalyticsCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers that were read under rights that are gone aren't given: all are read anew."""
    grant = await cache.authorize("north")
    reader = cache._parts.answerer._reader
    before = reader.read_together
    changed = ACCESS.replace("practices = [101, 102]", "practices = [102]")

    async def read_slowly(*arguments: Any) -> Any:
        found = await before(*arguments)
        if (tmp_path / "access.toml").read_text() != changed:
            (tmp_path / "access.toml").write_text(changed)
            await cache._parts.authoriser.authorize("root")  # it looks for news
        return found

    monkeypatch.setattr(reader, "read_together", read_slowly)
    found: list[Result | WarmcubeError] = await cache.query_many(
        [Query(**CHARGES), Query(**CHARGES, practices=[101]), Query(**CHARGES, practices=[102])],
        grant,
    )
    everything, lost, kept = found
    assert isinstance(everything, Result)
    assert isinstance(kept, Result)
    assert {row["practice_uid"] for row in everything.rows()} == {102, 103}
    assert isinstance(lost, AccessDenied)
    assert {row["practice_uid"] for row in kept.rows()} == {102}


async def test_a_user_who_is_gone_meanwhile_is_given_nothing(
    cache: AnalyticsCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch as a whole is denied."""
    grant = await cache.authorize("north")
    reader = cache._parts.answerer._reader
    before = reader.read_together

    async def read_slowly(*arguments: Any) -> Any:
        found = await before(*arguments)
        gone = ACCESS.replace('id = "north"\nroles', 'id = "north"\nactive = false\nroles')
        (tmp_path / "access.toml").write_text(gone)
        await cache._parts.authoriser.authorize("root")
        return found

    monkeypatch.setattr(reader, "read_together", read_slowly)
    with pytest.raises(AccessDenied):
        await cache.query_many([Query(**CHARGES), Query(**CHARGES, practices=[])], grant)


async def test_a_transaction_that_breaks_off_is_begun_once_more(
    cache: AnalyticsCache, facts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are answered from the second one; a second failure is each query's error."""
    await cache.invalidate(1)
    before = open_read
    broken = 1

    def open_or_break(*arguments: Any, **named: Any) -> Any:
        nonlocal broken
        broken -= 1
        if broken >= 0:
            raise SourceUnavailable("the connection broke off")
        return before(*arguments, **named)

    monkeypatch.setattr("warmcube.fallback.shared.open_read", open_or_break)
    answers = await ask(cache, "north", BY_DATE, {**BY_DATE, "practices": [102]})
    assert [by_date(each) for each in answers] == [
        sums(facts, NORTH),
        sums(facts, "practice_uid = 102"),
    ]
    broken = 2
    found = await cache.query_many([Query(**CHARGES)] * 2, await cache.authorize("north"))
    assert [type(each) for each in found] == [SourceUnavailable] * 2


@pytest.mark.parametrize("is_warm", [True, False])
async def test_lists_can_be_read_along(cache: AnalyticsCache, *, is_warm: bool) -> None:
    """Values and measures beside rows, each as if it were asked alone."""
    if not is_warm:
        await cache.invalidate(1)
    grant = await cache.authorize("north")
    query = Query(**CHARGES)
    asked = [
        Asked(query=query, wanted="values", column="practice_uid"),
        Asked(query=Query(datasource=1), wanted="measures"),
        Asked(query=query),
        Asked(query=query, wanted="values", column="note"),
    ]
    together_ = await cache._parts.answerer.answer_many(asked, grant)
    alone = [await cache._parts.answerer.answer(each, grant) for each in asked]
    for one, other in zip(together_, alone, strict=True):
        assert isinstance(one, Result)
        assert sorted(map(str, one.rows())) == sorted(map(str, other.rows()))


async def test_no_line_no_answer(cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be audited isn't given, where that is required; the others are."""
    record = cache._parts.trail.record

    async def refuse_one(event: Any) -> None:
        if event.request.practices is not None:
            raise AuditError("the sink is full")
        await record(event)

    monkeypatch.setattr(cache._parts.trail, "record", refuse_one)
    monkeypatch.setattr(cache._parts.trail, "record_at_once", lambda _: False)
    grant = await cache.authorize("north")
    lost, given = await cache.query_many(
        [Query(**CHARGES, practices=[101]), Query(**CHARGES)], grant
    )
    assert isinstance(lost, AuditError)
    assert isinstance(given, Result)


async def test_who_makes_the_queries_may_say_how_many_they_may_be(cache: AnalyticsCache) -> None:
    """Beyond ``[limits] batch``, which is for those that somebody sends; and no more."""
    grant = await cache.authorize("north")
    queries = [Query(**CHARGES, where=[Filter("note", "neq", str(n))]) for n in range(101)]
    with pytest.raises(LimitExceeded, match="batch"):
        await cache.query_many(queries, grant)
    assert len(await cache.query_many(queries, grant, most=101)) == 101
    with pytest.raises(LimitExceeded, match="more than 100; ask"):
        await cache.query_many(queries, grant, most=100)
