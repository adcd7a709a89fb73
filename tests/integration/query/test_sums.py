"""Practice-level sums: what they answer equals SQL, those who may not have them never read them,
and nothing that is done to them is ever an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.caches import ACCESS, BY_ENTRIES, NOTHING_KEPT, execute, make_cache, select
from tests.support.recording import RecordingStore

from warmcube import NULL, AnalyticsCache, Filter, Query
from warmcube.query import lookup, read, sums_fetch
from warmcube.query.result import Result

TABLE = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid integer, provider_uid integer, frequency text,
    date_index date, measure_value numeric(14,2), note text
);
INSERT INTO ih.facts
SELECT m, p, nullif(v, 0), 'Monthly', DATE '2024-01-01' + d,
       (p * 1000 + v * 10 + d)::numeric / 4 * (CASE WHEN d % 2 = 0 THEN 1 ELSE -1 END), 'of ' || p
FROM unnest(ARRAY['Charges', 'Payments']) m, generate_series(101, 112) p,
     generate_series(0, 4) v, generate_series(0, 5) d
WHERE p <> 103 OR v = 1;
INSERT INTO ih.facts
SELECT 'Charges', NULL, v, 'Monthly', DATE '2024-01-01' + d, v + d, 'no practice'
FROM generate_series(1, 3) v, generate_series(0, 5) d;
INSERT INTO ih.facts
SELECT 'Charges', p, v, 'Monthly', NULL, 5, 'no date'
FROM generate_series(101, 102) p, generate_series(1, 4) v;
UPDATE ih.facts SET measure_value = NULL
WHERE practice_uid = 101 AND (date_index = '2024-01-02' OR provider_uid = 2);
UPDATE ih.facts SET measure_value = 'NaN'
WHERE practice_uid = 102 AND provider_uid = 2 AND date_index = '2024-01-03'
"""

USERS = (
    ACCESS
    + """
[[users]]
id = "south"
roles = ["org_analyst"]
organizations = ["south"]
[[users]]
id = "mixed"
roles = [
    {role = "org_analyst", organization = "south"},
    {role = "provider", organization = "north"},
]
organizations = ["north", "south"]
provider = 3
"""
)
NORTH = "practice_uid IN (101, 102, 103)"
CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
OF_CHARGES = "measure = 'Charges' AND frequency = 'Monthly'"
FUNCTIONS = ("sum", "avg", "count", "min", "max")
BY_DATE: dict[str, Any] = {"group_by": ["date_index"], "aggregate": "sum"}


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache."""
    made = make_cache(tmp_path, redis_url, facts, access=USERS, environment=NOTHING_KEPT)
    async with made:
        await made.warm(1)
        yield made


@pytest.fixture
def recorded(cache: AnalyticsCache) -> RecordingStore:
    """What the cache's reads ask of the store from now on."""
    store = RecordingStore(cache._parts.store)
    cache._parts.answerer._reader._store = store
    return store


async def ask(cache: AnalyticsCache, user: str, **query: Any) -> Result:
    """One answer."""
    return await cache.query(Query(**(CHARGES | query)), await cache.authorize(user))


def sums_used(result: Result) -> int:
    """How many sums it was made from."""
    assert result.explanation is not None
    return result.explanation.sums


def said(value: object) -> object:
    """A value to compare: numbers by what they are."""
    if isinstance(value, Decimal):
        return "NaN" if value.is_nan() else value.normalize()
    return value


def expected(url: str, function: str, group_by: list[str], where: str) -> set[tuple[Any, ...]]:
    """What SQL says."""
    names = ", ".join(group_by)
    columns = "".join(f"{name}, " for name in group_by)
    rows = select(
        url,
        f"SELECT {columns} {function}(measure_value)::text FROM ih.facts "
        f"WHERE {OF_CHARGES} AND {where}" + (f" GROUP BY {names}" if names else ""),
    )
    is_count = function == "count"

    def number(text: object) -> object:
        if text is None:
            return None
        return int(str(text)) if is_count else said(Decimal(str(text)))

    return {(*own, number(text)) for *own, text in rows}


def found(result: Result) -> set[tuple[Any, ...]]:
    """The same of an answer."""
    return {tuple(said(value) for value in row.values()) for row in result.rows()}


SCOPES: dict[str, tuple[str, dict[str, Any], str, bool]] = {
    "everything": ("root", {}, "TRUE", True),
    "an organization": ("root", {"organization": "north"}, NORTH, True),
    "one's own organization": ("north", {}, NORTH, True),
    "practices": (
        "root",
        {"practices": [102, 104, 110, 999]},
        "practice_uid IN (102, 104, 110)",
        True,
    ),
    "a practice": ("north", {"practices": [101]}, "practice_uid = 101", True),
    "a practice without sums": ("north", {"practices": [103]}, "practice_uid = 103", False),
    "no practice": ("root", {"practices": [999]}, "FALSE", False),
}
FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "all": ({}, "TRUE"),
    "a range": (
        {"start": "2024-01-02", "end": "2024-01-04"},
        "date_index BETWEEN '2024-01-02' AND '2024-01-04'",
    ),
    "dates": (
        {"where": [Filter("date_index", "in", ["2024-01-02", NULL])]},
        "(date_index = '2024-01-02' OR date_index IS NULL)",
    ),
    "no date": ({"where": [Filter("date_index", "is_null")]}, "date_index IS NULL"),
    "practices": (
        {"where": [Filter("practice_uid", "gt", 101)]},
        "practice_uid > 101",
    ),
    "a measure": ({"where": [Filter("measure", "eq", "Charges")]}, "TRUE"),
}


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
async def test_what_sums_answer_equals_sql(
    cache: AnalyticsCache, facts: str, scope: tuple[str, dict[str, Any], str, bool]
) -> None:
    """Every aggregate, grouping and filter that sums can tell, NULL, NaN and nothing included."""
    user, named, where, has_sums = scope
    groupings: list[list[str]] = [
        [],
        ["date_index"],
        ["practice_uid"],
        ["practice_uid", "date_index", "measure"],
    ]
    for function, group_by, (filters, condition) in product(FUNCTIONS, groupings, FILTERS.values()):
        result = await ask(cache, user, aggregate=function, group_by=group_by, **named, **filters)
        both = f"{where} AND {condition}"
        assert found(result) == expected(facts, function, group_by, both), (function, group_by)
        assert result.meta.origin == "store"
        assert bool(sums_used(result)) == has_sums


@pytest.mark.parametrize("user", ["root", "north", "south", "mixed", "provider"])
async def test_sums_and_entries_give_the_same_answer(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str, user: str
) -> None:
    """Same values, same types, same order, for whoever asks; also one by one and all at once."""
    folder = tmp_path / "entries"
    folder.mkdir()
    other = make_cache(folder, redis_url, facts, access=USERS, environment=BY_ENTRIES)
    queries = [
        Query(**(CHARGES | {"aggregate": function, "group_by": list(group_by)} | more))
        for function in FUNCTIONS
        for group_by in ((), ("date_index",), ("practice_uid",), ("date_index", "practice_uid"))
        for more in ({}, {"order_by": ["-" + function], "limit": 3}, {"measure": "Payments"})
    ]
    async with other:
        own, grant = await cache.authorize(user), await other.authorize(user)
        together = await cache.query_many(queries, own)
        for query, batched in zip(queries, together, strict=True):
            by_sums, by_entries = await cache.query(query, own), await other.query(query, grant)
            assert isinstance(batched, Result)
            assert sums_used(by_entries) == 0
            for each in (by_sums, batched):
                assert str(each.rows()) == str(by_entries.rows()), query
                types = [str(column.type) for column in each.table.columns.values()]
                assert types == [str(c.type) for c in by_entries.table.columns.values()]
                assert each.explanation is not None
                assert by_entries.explanation is not None
                assert each.explanation.members == by_entries.explanation.members
            assert by_sums.meta.rows_fetched == batched.meta.rows_fetched


def sums_asked(store: RecordingStore) -> list[bytes]:
    """Sums among what was asked of the store."""
    return [
        word
        for command in store.commands
        for word in command
        if isinstance(word, bytes) and word.startswith(b"cache:{") and word.endswith(b"sums")
    ]


@pytest.mark.parametrize(
    ("user", "query"),
    [
        ("provider", BY_DATE),
        ("provider", {**BY_DATE, "practices": [101]}),
        ("mixed", BY_DATE),
        ("mixed", {**BY_DATE, "practices": [101]}),
        ("root", {**BY_DATE, "providers": [3]}),
        ("root", {**BY_DATE, "providers": [1, 2, 3, 4]}),
        ("north", {**BY_DATE, "providers": [3], "practices": [101]}),
        ("north", {**BY_DATE, "where": [Filter("provider_uid", "eq", 3)]}),
        ("north", {**BY_DATE, "where": [Filter("provider_uid", "not_null")]}),
        ("north", {**BY_DATE, "where": [Filter("note", "eq", "of 101")]}),
        ("north", {**BY_DATE, "where": [Filter("measure_value", "gt", 0)]}),
        ("north", {"aggregate": "sum", "group_by": ["provider_uid"]}),
        ("north", {"aggregate": "sum", "group_by": ["date_index", "note"]}),
        ("north", {"aggregate": "count", "group_by": ["measure_value"]}),
        ("north", {}),
        ("lost", BY_DATE),
        ("nobody", BY_DATE),
    ],
)
async def test_sums_are_not_even_read_for_what_they_would_tell_too_much_of(
    cache: AnalyticsCache, recorded: RecordingStore, user: str, query: dict[str, Any]
) -> None:
    """Where scope or query tell providers apart, no sum is asked for, alone or in a batch."""
    result = await ask(cache, user, **query)
    (batched,) = await cache.query_many([Query(**(CHARGES | query))], await cache.authorize(user))
    assert isinstance(batched, Result)
    assert (sums_used(result), sums_used(batched)) == (0, 0)
    assert sums_asked(recorded) == []


async def test_a_mixed_scope_has_sums_of_those_practices_alone_that_it_sees_all_of(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """An analyst in the south who is a provider in the north reads sums of the south."""
    result = await ask(cache, "mixed", practices=[110], **BY_DATE)
    assert found(result) == expected(facts, "sum", ["date_index"], "practice_uid = 110")
    assert sums_used(result) == 1
    assert {key.rpartition(b"}")[2].split(b":", 2)[2] for key in sums_asked(recorded)} == {
        b"p:110:sums"
    }


async def test_a_chart_of_an_organization_is_one_trip(
    cache: AnalyticsCache, recorded: RecordingStore
) -> None:
    """Sums are fetched along with the counts and the pointer; once proven, without the counts."""
    await ask(cache, "south", **BY_DATE)
    names = [command[0] for command in recorded.commands]
    assert names == [b"HMGET", b"HLEN", b"MGET", b"GET"]
    recorded.commands.clear()
    result = await ask(cache, "south", **BY_DATE)
    assert [command[0] for command in recorded.commands] == [b"MGET", b"GET"]
    assert (result.meta.entries, result.meta.rows_fetched) == (1, 6)
    recorded.commands.clear()
    await ask(cache, "root", **BY_DATE)
    assert [command[0] for command in recorded.commands] == [b"MGET", b"GET"]
    assert len(sums_asked(recorded)) == 1
    recorded.commands.clear()
    await ask(cache, "south", **BY_DATE, practices=[110], start="2024-01-02")
    assert [command[0] for command in recorded.commands] == [b"MGET", b"GET"]


async def test_nine_charts_fetch_each_sum_once(
    cache: AnalyticsCache, recorded: RecordingStore, facts: str
) -> None:
    """What several charts want of a practice is fetched once, each chart gets its own practices."""
    charts: list[tuple[dict[str, Any], str]] = [
        *(({"practices": [each]}, f"practice_uid = {each}") for each in (101, 102, 103)),
        ({"practices": [101, 102]}, "practice_uid IN (101, 102)"),
        ({}, NORTH),
        ({"start": "2024-01-03"}, f"{NORTH} AND date_index >= '2024-01-03'"),
    ]
    answers = await cache.query_many(
        [Query(**(CHARGES | BY_DATE | more)) for more, _ in charts], await cache.authorize("north")
    )
    for answer, (_, where) in zip(answers, charts, strict=True):
        assert isinstance(answer, Result)
        assert found(answer) == expected(facts, "sum", ["date_index"], where)
    asked = sums_asked(recorded)
    assert len(asked) == len(set(asked)) == 3  # 103's, too: it wasn't known that there is none
    entries = [w for c in recorded.commands if c[0] == b"MGET" for w in c[1:] if b":prov:" in w]  # type: ignore[operator]
    assert [entry.rpartition(b":p:")[2] for entry in entries] == [b"103:prov:1"]  # type: ignore[union-attr]


@pytest.mark.parametrize("is_known", [False, True])
async def test_all_practices_and_one_without_rows_are_asked_for_together(
    cache: AnalyticsCache, facts: str, is_known: bool
) -> None:
    """A practice that a chart names and the partition lacks has no rows, also where another chart
    of the same read wants all practices that there are.
    """
    of_all: dict[str, Any] = {"group_by": ["practice_uid"], "aggregate": "sum"}
    named: dict[str, Any] = BY_DATE | {"practices": [101, 999]}
    grant = await cache.authorize("root")
    if is_known:
        await cache.query(Query(**(CHARGES | of_all)), grant)
    asked = [Query(**(CHARGES | each)) for each in (of_all, named)]
    every, some = await cache.query_many(asked, grant)
    assert isinstance(every, Result)
    assert isinstance(some, Result)
    assert found(every) == expected(facts, "sum", ["practice_uid"], "TRUE")
    assert found(some) == expected(facts, "sum", ["date_index"], "practice_uid = 101")


@pytest.mark.parametrize("user", ["root", "north", "mixed"])
async def test_sums_are_read_in_pieces(
    cache: AnalyticsCache, facts: str, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """Whatever the sizes of commands and trips, the answer is the same."""
    where = {"root": "TRUE", "north": NORTH, "mixed": "practice_uid = 110"}[user]
    for module in (lookup, sums_fetch):
        monkeypatch.setattr(module, "CHUNK", 1)
    monkeypatch.setattr(sums_fetch, "TRIP_COMMANDS", 2)
    monkeypatch.setattr(read, "LARGE_BYTES", 1)
    practices = [110] if user == "mixed" else None
    for _ in range(2):
        result = await ask(
            cache, user, aggregate="sum", group_by=["practice_uid"], practices=practices
        )
        assert found(result) == expected(facts, "sum", ["practice_uid"], where)
        assert sums_used(result)


Tamper = Callable[[Any, bytes, bytes], Awaitable[object]]
"""Given the client, the prefix of the partition's keys and that of its index."""


async def drop(client: Any, own: bytes, _: bytes) -> None:
    """Sums evicted."""
    await client.delete(own + b"p:101:sums", own + b"sums")


async def flip(client: Any, own: bytes, _: bytes) -> None:
    """One bit of them."""
    for key in (own + b"p:101:sums", own + b"sums"):
        raw = bytearray(await client.get(key))
        raw[-1] ^= 1
        await client.set(key, bytes(raw))


async def cut(client: Any, own: bytes, _: bytes) -> None:
    """Cut at a record."""
    for key in (own + b"p:101:sums", own + b"sums"):
        raw = await client.get(key)
        await client.set(key, raw[:-33])


async def swap(client: Any, own: bytes, _: bytes) -> None:
    """Another practice's."""
    await client.copy(own + b"p:110:sums", own + b"p:101:sums", replace=True)
    await client.copy(own + b"p:110:sums", own + b"sums", replace=True)


async def swap_whole(client: Any, own: bytes, _: bytes) -> None:
    """The whole partition's under one practice's name."""
    await client.copy(own + b"sums", own + b"p:101:sums", replace=True)
    await client.delete(own + b"sums")


async def swap_partition(client: Any, own: bytes, _: bytes) -> None:
    """Another measure's."""
    other = own.replace(b"Charges", b"Payments")
    for name in (b"p:101:sums", b"sums"):
        await client.copy(other + name, own + name, replace=True)


async def swap_entry(client: Any, own: bytes, _: bytes) -> None:
    """An entry in their place."""
    for name in (b"p:101:sums", b"sums"):
        await client.copy(own + b"p:101:prov:1", own + name, replace=True)


async def wrong_type(client: Any, own: bytes, _: bytes) -> None:
    """A key replaced by one of another type."""
    for name in (b"p:101:sums", b"sums"):
        await client.delete(own + name)
        await client.rpush(own + name, b"x")


TAMPERINGS: list[Tamper] = [
    drop, flip, cut, swap, swap_whole, swap_partition, swap_entry, wrong_type,
]  # fmt: skip


async def drop_counts(client: Any, _: bytes, index: bytes) -> None:
    """The counts evicted."""
    await client.delete(index + b"counts")


async def drop_total(client: Any, _: bytes, index: bytes) -> None:
    """A hash whose writing was interrupted."""
    await client.hdel(index + b"counts", b"total")


async def drop_field(client: Any, _: bytes, index: bytes) -> None:
    """A practice's count lost, as if it had no rows."""
    await client.hdel(index + b"counts", b"p:101")


async def swap_field(client: Any, _: bytes, index: bytes) -> None:
    """The count of a practice without sums under this one's name."""
    await client.hset(index + b"counts", b"p:101", await client.hget(index + b"counts", b"p:103"))


async def rename_field(client: Any, own: bytes, index: bytes) -> None:
    """A practice's count under a name that nobody has."""
    raw = await client.hget(index + b"counts", b"p:101")
    await drop_field(client, own, index)
    await client.hset(index + b"counts", b"p:424242", raw)


COUNT_TAMPERINGS: list[Tamper] = [drop_counts, drop_total, drop_field, swap_field]


async def prefixes(client: Any) -> tuple[bytes, bytes]:
    """Of the partition's keys and of its index."""
    (key,) = await client.keys("cache:*Charges*Monthly*:p:101:sums")
    own = key.removesuffix(b"p:101:sums")
    return own, own.replace(b"cache:", b"idx:", 1)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda each: each.__name__)
async def test_tampered_sums_are_never_an_answer(
    cache: AnalyticsCache, redis_url: str, facts: str, tamper: Tamper, *, is_known: bool
) -> None:
    """The database answers, and rightly, whether the process knew the practices or not."""
    asked: list[tuple[str, dict[str, Any], str, list[str]]] = [
        ("north", {"practices": [101]}, "practice_uid = 101", ["date_index"]),
        ("north", {}, NORTH, ["date_index"]),
        ("root", {}, "TRUE", ["practice_uid"]),
        ("root", {}, "TRUE", ["date_index"]),
        ("root", {"practices": [102]}, "practice_uid = 102", ["date_index"]),
    ]
    if is_known:
        for user, named, _, group_by in asked:
            await ask(cache, user, aggregate="sum", group_by=group_by, **named)
    async with redis.Redis.from_url(redis_url) as client:
        await tamper(client, *await prefixes(client))
    for user, named, where, group_by in asked:
        result = await ask(cache, user, aggregate="sum", group_by=group_by, **named)
        assert found(result) == expected(facts, "sum", group_by, where)
        is_whole = named == {"practices": [102]}
        assert result.meta.origin == ("store" if is_whole else "database"), (user, named, group_by)


@pytest.mark.parametrize("tamper", COUNT_TAMPERINGS, ids=lambda each: each.__name__)
async def test_tampered_counts_hide_no_sums(
    cache: AnalyticsCache, redis_url: str, facts: str, tamper: Tamper
) -> None:
    """A practice whose count is gone or another's isn't one without rows."""
    async with redis.Redis.from_url(redis_url) as client:
        await tamper(client, *await prefixes(client))
    for user, named, where, group_by in (
        ("north", {"practices": [101]}, "practice_uid = 101", ["date_index"]),
        ("north", {}, NORTH, ["date_index"]),
        ("root", {}, "TRUE", ["practice_uid"]),
    ):
        result = await ask(cache, user, aggregate="sum", group_by=group_by, **named)
        assert found(result) == expected(facts, "sum", group_by, where)
        assert result.meta.origin == "database"


async def test_a_practice_under_another_name_is_damage_where_all_are_listed(
    cache: AnalyticsCache, redis_url: str, facts: str
) -> None:
    """A name that ``counts`` lists is one of a practice only if its count bears it."""
    async with redis.Redis.from_url(redis_url) as client:
        await rename_field(client, *await prefixes(client))
    result = await ask(cache, "root", aggregate="sum", group_by=["practice_uid"])
    assert found(result) == expected(facts, "sum", ["practice_uid"], "TRUE")
    assert result.meta.origin == "database"


async def test_a_re_warm_is_noticed_by_who_knows_the_practices(
    cache: AnalyticsCache, facts: str
) -> None:
    """What is known of a version counts for it alone; the trip that is left has the pointer."""
    before = await ask(cache, "south", **BY_DATE)
    execute(facts, "UPDATE ih.facts SET measure_value = measure_value + 1 WHERE practice_uid = 110")
    try:
        await cache.warm(1)
        after = await ask(cache, "south", **BY_DATE)
        assert found(after) == expected(facts, "sum", ["date_index"], "practice_uid = 110")
        assert found(after) != found(before)
        assert sums_used(after) == 1
    finally:
        execute(
            facts, "UPDATE ih.facts SET measure_value = measure_value - 1 WHERE practice_uid = 110"
        )


async def test_invalidation_removes_sums(cache: AnalyticsCache, redis_url: str) -> None:
    """Nothing of a snapshot stays behind, and its sums expire with it."""
    async with redis.Redis.from_url(redis_url) as client:
        keys = await client.keys("*sums")
        assert len(keys) > 20
        left = [await client.pttl(key) for key in await client.keys("cache:{*")]
        assert 0 < max(left) - min(left) < 60_000
        await cache.invalidate(1)
        assert await client.keys("*sums") == []


async def test_without_sums_nothing_is_written_or_read(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """``practice_sums = false`` does without them."""
    made = make_cache(tmp_path, redis_url, facts, access=USERS, environment=BY_ENTRIES)
    async with made, redis.Redis.from_url(redis_url) as client:
        await made.warm(1)
        assert await client.keys("*sums") == []
        result = await ask(made, "north", **BY_DATE)
        assert found(result) == expected(facts, "sum", ["date_index"], NORTH)
        assert sums_used(result) == 0
