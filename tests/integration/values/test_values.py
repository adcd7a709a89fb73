"""What a user may filter by, against SQL under the user's predicate, from both tiers."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.caches import NOTHING_KEPT, execute, make_cache, select

from warmcube import NULL, AccessDenied, AnalyticsCache, Filter, Query
from warmcube.errors import InvalidFilter, InvalidQuery, LimitExceeded, UnknownColumn
from warmcube.query import inventory, lookup, plan
from warmcube.query.formats import to_arrow_stream, to_csv, to_json, to_parquet
from warmcube.query.listing import Measures, Values

PRACTICES, PROVIDERS = 40, 24

IDS: dict[str, tuple[str, Callable[[int], Any], Callable[[int], str]]] = {
    "integer": ("integer", lambda n: n, lambda n: f"{n}"),
    "text": ("text", lambda n: f"p:{n} {{é}}", lambda n: f"'p:{n} {{é}}'"),
    "uuid": (
        "uuid",
        lambda n: f"00000000-0000-4000-8000-{n:012d}",
        lambda n: f"'00000000-0000-4000-8000-{n:012d}'",
    ),
}
"""Of a type: its name, an id as the directory writes it, and as SQL does."""

TABLE = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid {type}, provider_uid {type}, frequency text,
    date_index date, measure_value numeric(14,2), note text, ratio double precision, seen boolean
);
INSERT INTO ih.facts
SELECT m, {practice}, CASE WHEN v > 0 THEN {provider} END, f, DATE '2024-01-01' + d,
       (p * 1000 + v * 10 + d)::numeric / 4,
       CASE WHEN (p + v) % 5 > 0 THEN 'note ' || p END,
       CASE (p + v + d) % 4 WHEN 0 THEN '-0'::float8 WHEN 1 THEN 0 WHEN 2 THEN 'NaN' END,
       p % 2 = 0
FROM unnest(ARRAY['Charges', 'A/R {{net}}']) m, generate_series(1, {practices}) p,
     generate_series(0, {providers}) v, unnest(ARRAY['Monthly', 'Weekly']) f,
     generate_series(0, 1) d
WHERE (p <= 2 OR v % 8 < 3) AND (m, f, p > 5) <> ('Charges', 'Weekly', false);
INSERT INTO ih.facts (measure, practice_uid, provider_uid, frequency) VALUES
    (NULL, {one}, {one}, 'Monthly'),
    ('Charges', NULL, {seven}, 'Monthly'),
    ('Charges', {one}, {one}, NULL),
    ('Of thirty only', {thirty}, {one}, 'Monthly'),
    ('Of nobody', NULL, NULL, 'Yearly');
"""

USERS = {
    "root": "TRUE",
    "north": "practice_uid IN ({0}, {1}, {2})",
    "provider": "practice_uid IN ({0}, {1}, {2}) AND provider_uid = {6}",
    "mixed": "practice_uid = {29} OR (practice_uid IN ({0}, {1}, {2}) AND provider_uid = {6})",
    "small": "practice_uid = {29}",
    "nobody": "FALSE",
    "lost": "FALSE",
}

ACCESS = """
[roles]
super_admin = ["analytics:read:all"]
org_analyst = ["analytics:read:organization"]
exporter = ["analytics:export:organization"]
provider = ["analytics:read:own"]
[[organizations]]
id = "north"
practices = {north}
[[organizations]]
id = "south"
practices = {south}
[[organizations]]
id = "empty"
[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "small"
roles = ["org_analyst"]
organizations = ["south"]
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty"]
[[users]]
id = "lost"
roles = ["provider"]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = {seven}
[[users]]
id = "mixed"
roles = [
    {{role = "org_analyst", organization = "south"}},
    {{role = "provider", organization = "north"}},
]
organizations = ["north", "south"]
provider = {seven}
[[users]]
id = "courier"
roles = ["org_analyst", {{role = "exporter", organization = "south"}}]
organizations = ["north", "south"]
[[users]]
id = "mute"
roles = ["exporter"]
organizations = ["south"]
"""

CHARGES: dict[str, Any] = {"measure": "Charges", "frequency": "Monthly"}
COLUMNS = ("practice_uid", "provider_uid", "date_index", "note", "measure_value", "ratio", "seen")
TEXTS = ("note", "measure", "frequency")


class World:
    """A table with ids of one type, and a warm cache of it."""

    def __init__(self, cache: AnalyticsCache, url: str, kind: str) -> None:
        self.cache = cache
        self.url = url
        _, self.id, self.literal = IDS[kind]

    def visible(self, user: str) -> str:
        """The predicate of what a user may see."""
        return USERS[user].format(*(self.literal(n) for n in range(1, PRACTICES + 1)))

    def distinct(self, column: str, user: str, where: str = "TRUE") -> tuple[list[str], bool]:
        """The texts that SQL gives, in order, and whether there is NULL."""
        is_text = column in TEXTS or (column.endswith("_uid") and self.is_text)
        ordered = f'd.{column} COLLATE "C"' if is_text else f"d.{column}"
        shown = f"replace({column}::text, '-0', '0')" if column == "ratio" else f"{column}::text"
        rows = select(
            self.url,
            f"SELECT {shown} FROM (SELECT DISTINCT {column} FROM ih.facts "
            f"WHERE ({where}) AND ({self.visible(user)})) d ORDER BY {ordered}",
        )
        texts = [str(row[0]) for row in rows if row[0] is not None]
        return list(dict.fromkeys(texts)), len(texts) < len(rows)

    @property
    def is_text(self) -> bool:
        """Whether ids compare by a collation."""
        return isinstance(self.id(1), str) and ":" in str(self.id(1))

    async def values(self, user: str, column: str, **asked: Any) -> Values:
        """What the cache says."""
        return await self.cache.values(1, column, await self.cache.authorize(user), **asked)

    async def measures(self, user: str) -> Measures:
        """The measures that the cache says."""
        return await self.cache.measures(1, await self.cache.authorize(user))


def as_text(value: object) -> str:
    """A value as Postgres prints it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value:g}"
    return str(value)


@pytest.fixture(scope="module", params=list(IDS))
def table(request: pytest.FixtureRequest, postgres_module_db: str) -> tuple[str, str]:
    """A database with the table, and the type of its ids."""
    kind: str = request.param
    name, _, literal = IDS[kind]
    made = {
        "integer": "{0}",
        "text": "'p:' || {0} || ' {{é}}'",
        "uuid": "('00000000-0000-4000-8000-' || lpad({0}::text, 12, '0'))::uuid",
    }[kind]
    execute(
        postgres_module_db,
        "DROP SCHEMA IF EXISTS ih CASCADE",
        TABLE.format(
            type=name,
            practice=made.format("p"),
            provider=made.format("v"),
            practices=PRACTICES,
            providers=PROVIDERS,
            one=literal(1),
            seven=literal(7),
            thirty=literal(30),
        ),
    )
    return postgres_module_db, kind


@pytest.fixture(params=["store", "database"])
async def world(
    request: pytest.FixtureRequest, tmp_path: Path, redis_url: str, table: tuple[str, str]
) -> AsyncIterator[World]:
    """A cache that answers from one of the tiers."""
    async with a_world(tmp_path, redis_url, table) as made:
        if request.param == "database":
            await made.cache.invalidate(1)
        yield made


def access(kind: str) -> str:
    """The directory."""
    _, make, _ = IDS[kind]
    return ACCESS.format(
        north=json.dumps([make(n) for n in (1, 2, 3)], ensure_ascii=False),
        south=json.dumps([make(30)], ensure_ascii=False),
        seven=json.dumps(make(7), ensure_ascii=False),
    )


ONE_TYPE = pytest.mark.parametrize("table", ["text"], indirect=True)
"""For what doesn't hang on the type of the ids."""


@asynccontextmanager
async def a_world(
    folder: Path, store: str, table: tuple[str, str], **environment: str
) -> AsyncIterator[World]:
    """A world on a folder of its own."""
    url, kind = table
    async with make_cache(
        folder, store, url, access=access(kind), environment=environment
    ) as cache:
        await cache.warm(1)
        yield World(cache, url, kind)


async def test_values_are_those_of_granted_rows(world: World) -> None:
    """Of each column for each user, in order, with NULL told apart, in both tiers."""
    where = "measure = 'Charges' AND frequency = 'Monthly'"
    for user, column in itertools.product(USERS, COLUMNS):
        found = await world.values(user, column, **CHARGES)
        told = ([as_text(value) for value in found], found.has_null)
        assert told == world.distinct(column, user, where), (user, column)
        assert (found.meta.rows, found.explanation.rows) == (len(found), len(found))


@ONE_TYPE
async def test_practices_and_providers_come_from_the_index_sets(
    tmp_path: Path, redis_url: str, table: tuple[str, str]
) -> None:
    """No entry is fetched for them, whatever the scope; for other columns the granted ones are."""
    async with a_world(tmp_path, redis_url, table, **NOTHING_KEPT) as world:
        for user, column in itertools.product(USERS, ("practice_uid", "provider_uid")):
            for more in ({}, {"practices": None, "providers": [world.id(7)]}):
                if user == "lost" and more:
                    continue
                found = await world.values(user, column, **CHARGES, **more)
                assert (found.meta.origin, found.meta.entries) == ("store", 0)
                assert (found.meta.rows_fetched, found.explanation.bytes_fetched) == (0, 0)
        found = await world.values("small", "note", **CHARGES)
        rows = await world.cache.query(
            Query(datasource=1, **CHARGES), await world.cache.authorize("small")
        )
        assert found.meta.entries == rows.meta.entries
        assert found.meta.rows_fetched == rows.meta.rows_fetched


async def test_values_are_narrowed_as_a_query_is(world: World) -> None:
    """Practices, providers, organization, dates and conditions hold for every column."""
    one, seven, thirty = world.id(1), world.id(7), world.id(30)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"practices": [one]}, f"practice_uid = {world.literal(1)}"),
        (
            {"practices": [one, one], "providers": [seven]},
            f"practice_uid = {world.literal(1)} AND provider_uid = {world.literal(7)}",
        ),
        ({"providers": [seven, thirty]}, f"provider_uid = {world.literal(7)}"),
        ({"organization": "north"}, "(" + world.visible("north") + ")"),
        ({"practices": []}, "FALSE"),
        ({"providers": []}, "FALSE"),
        ({"start": "2024-01-02"}, "date_index >= '2024-01-02'"),
        ({"end": date(2024, 1, 1)}, "date_index <= '2024-01-01'"),
        ({"where": [Filter("provider_uid", "is_null")]}, "provider_uid IS NULL"),
        (
            {"where": [Filter("note", "like", "NOTE 1"), Filter("seen", "eq", True)]},
            "note ILIKE '%note 1%' AND seen",
        ),
        (
            {"where": [Filter("practice_uid", "in", [thirty])]},
            f"practice_uid = {world.literal(30)}",
        ),
    ]
    where = "measure = 'Charges' AND frequency = 'Monthly'"
    for asked, narrowed in cases:
        for user, column in itertools.product(("root", "north"), COLUMNS):
            found = await world.values(user, column, **CHARGES, **asked)
            told = ([as_text(value) for value in found], found.has_null)
            expected = world.distinct(column, user, f"{where} AND {narrowed}")
            assert told == expected, (user, column, asked)


async def test_measures_are_those_with_own_rows(world: World) -> None:
    """Of each user, NULL as `NULL`; and so are the values of both columns, over all partitions."""
    for user in USERS:
        pairs = {
            (NULL if m is None else m, NULL if f is None else f)
            for m, f in select(
                world.url,
                "SELECT DISTINCT measure, frequency FROM ih.facts WHERE " + world.visible(user),
            )
        }
        found = await world.measures(user)
        assert len(found) == len(pairs) == found.meta.rows
        assert set(found) == pairs, user
        for column in ("measure", "frequency"):
            values = await world.values(user, column)
            assert (list(values), values.has_null) == world.distinct(column, user), user
        values = await world.values(user, "measure", frequency="Weekly")
        assert (list(values), values.has_null) == world.distinct(
            "measure", user, "frequency = 'Weekly'"
        )
        values = await world.values(user, "frequency", measure=NULL)
        assert (list(values), values.has_null) == world.distinct(
            "frequency", user, "measure IS NULL"
        )
        for measure, frequency in found:
            query = Query(datasource=1, measure=measure, frequency=frequency)
            answer = await world.cache.query(query, await world.cache.authorize(user))
            assert len(answer)


@ONE_TYPE
async def test_measures_in_order(world: World) -> None:
    """By measure and then frequency, by code point, NULL last."""
    assert await world.measures("root") == [
        ("A/R {net}", "Monthly"),
        ("A/R {net}", "Weekly"),
        ("Charges", "Monthly"),
        ("Charges", "Weekly"),
        ("Charges", NULL),
        ("Of nobody", "Yearly"),
        ("Of thirty only", "Monthly"),
        (NULL, "Monthly"),
    ]
    assert [name.measure for name in await world.measures("small")] == [
        "A/R {net}",
        "A/R {net}",
        "Charges",
        "Charges",
        "Of thirty only",
    ]


@ONE_TYPE
async def test_measures_of_one_organization(world: World) -> None:
    """The values of the measure column take the filters on practices and providers."""
    assert await world.values("root", "measure", organization="south") == await world.values(
        "small", "measure"
    )
    assert await world.values("root", "measure", practices=[]) == []
    assert await world.values("mixed", "measure", practices=[world.id(1)]) == [
        "A/R {net}",
        "Charges",
    ]
    with pytest.raises(AccessDenied):
        await world.values("north", "measure", practices=[world.id(30)])
    with pytest.raises(InvalidQuery, match="measure is missing"):
        await world.values("root", "measure", where=[Filter("seen", "eq", True)])
    with pytest.raises(InvalidQuery, match="frequency is missing"):
        await world.values("root", "note", measure="Charges")


@ONE_TYPE
async def test_line_6_values_of_a_dimension_are_not_shared_between_users(world: World) -> None:
    """Whoever asked before, each user gets the values of their own rows, and no others."""
    where = "measure = 'Charges' AND frequency = 'Monthly'"
    users = [user for pair in itertools.permutations(USERS, 2) for user in pair]
    for column in ("note", "practice_uid"):
        expected = {user: world.distinct(column, user, where)[0] for user in USERS}
        asked = [world.values(user, column, **CHARGES) for user in users]
        for user, found in zip(users, await asyncio.gather(*asked), strict=True):
            assert [as_text(value) for value in found] == expected[user]
    secret = as_text(world.id(30))
    assert secret in map(as_text, await world.values("root", "practice_uid", **CHARGES))
    assert secret not in map(as_text, await world.values("north", "practice_uid", **CHARGES))


@ONE_TYPE
async def test_line_5_two_questions_never_get_each_others_rows(world: World) -> None:
    """One after another or at once: each practice and each user has the rows of its own."""
    questions: list[tuple[str, list[Any] | None, str]] = [
        (user, practices, f"({world.visible(user)}) AND {narrowed}")
        for user in ("root", "north", "mixed")
        for practices, narrowed in (
            ([world.id(1)], f"practice_uid = {world.literal(1)}"),
            ([world.id(2)], f"practice_uid = {world.literal(2)}"),
            (None, "TRUE"),
        )
    ]
    grants = {user: await world.cache.authorize(user) for user in USERS}

    async def ask(user: str, practices: list[Any] | None) -> list[tuple[str, str, str]]:
        query = Query(datasource=1, **CHARGES, practices=practices)
        rows = (await world.cache.query(query, grants[user])).rows()
        return sorted(
            (str(row["practice_uid"]), str(row["provider_uid"]), str(row["measure_value"]))
            for row in rows
        )

    expected = [
        sorted(
            (str(practice), str(provider), str(value))
            for practice, provider, value in select(
                world.url,
                "SELECT practice_uid::text, provider_uid::text, measure_value::text FROM ih.facts "
                f"WHERE measure = 'Charges' AND frequency = 'Monthly' AND ({where})",
            )
        )
        for _, _, where in questions
    ]
    for _ in range(3):
        together = await asyncio.gather(*(ask(user, only) for user, only, _ in questions))
        assert list(together) == expected
    for (user, practices, _), rows in zip(reversed(questions), reversed(expected), strict=True):
        assert await ask(user, practices) == rows


@ONE_TYPE
async def test_an_export_has_what_may_be_read_and_exported(world: World) -> None:
    """Export and read meet; who may not export is denied, in a query's own words otherwise."""
    query = Query(datasource=1, **CHARGES)
    courier = await world.cache.authorize("courier")
    small = await world.cache.authorize("small")
    read = await world.cache.query(query, small)
    exported = await world.cache.export(query, courier)
    assert repr(exported.rows()) == repr(read.rows())
    assert len(await world.cache.query(query, courier)) > len(exported)
    with pytest.raises(AccessDenied, match="may not export"):
        await world.cache.export(query, small)
    with pytest.raises(AccessDenied):
        await world.cache.export(Query(datasource=1, **CHARGES, practices=[world.id(1)]), courier)
    with pytest.raises(AccessDenied):
        await world.cache.authorize("mute")


@ONE_TYPE
async def test_what_is_wrong_is_the_error_of_a_query(world: World) -> None:
    """Columns, dates, conditions and limits; and access comes first."""
    with pytest.raises(UnknownColumn, match='did you mean "note"'):
        await world.values("root", "nota", **CHARGES)
    for odd in (None, 7, ["note"], ""):
        with pytest.raises(UnknownColumn):
            await world.values("root", odd, **CHARGES)  # type: ignore[arg-type]
    with pytest.raises(InvalidFilter):
        await world.values("root", "note", **CHARGES, practices=[object()])
    with pytest.raises(InvalidQuery):
        await world.values("root", "practice_uid", **CHARGES, where=None)
    with pytest.raises(InvalidQuery):
        await world.values("root", "measure", where=0)
    with pytest.raises(LimitExceeded):
        await world.values("root", "measure", practices=[world.id(1)] * 10_001)
    with pytest.raises(LimitExceeded):
        await world.values("root", "note", **CHARGES, where=[Filter("seen", "is_null")] * 51)
    with pytest.raises(AccessDenied):
        await world.values("north", "nota", **CHARGES, practices=[world.id(30)])
    with pytest.raises(UnknownColumn):
        await world.values("nobody", "nota", **CHARGES)
    with pytest.raises(AccessDenied):
        await world.cache.values(1, "note", None, **CHARGES)  # type: ignore[arg-type]


@ONE_TYPE
async def test_too_many_values_are_an_error(
    tmp_path: Path, redis_url: str, table: tuple[str, str]
) -> None:
    """``limits.groups`` bounds the values; nothing is cut."""
    (tmp_path / "few").mkdir()
    environment = {"WARMCUBE_LIMITS__GROUPS": "5"}
    async with a_world(tmp_path / "few", redis_url, table, **environment) as world:
        for tier in ("store", "database"):
            for column in ("practice_uid", "note"):
                with pytest.raises(LimitExceeded, match=r"\[limits\] groups = 5"):
                    await world.values("root", column, **CHARGES)
            assert len(await world.values("north", "practice_uid", **CHARGES)) == 3
            if tier == "store":
                await world.cache.invalidate(1)


@ONE_TYPE
async def test_no_output_of_values_has_a_foreign_text(world: World) -> None:
    """The dictionary of the partition never leaves, in whatever form the values do."""
    found = await world.values("small", "note", **CHARGES)
    assert list(found) == ["note 30"]
    forms = [form(found.result) for form in (to_csv, to_json, to_parquet, to_arrow_stream)]
    forms += [repr(found).encode(), repr(found.explanation).encode(), repr(found.meta).encode()]
    for form in forms:
        assert b"note 1" not in form
        assert b"note 29" not in form
    columns = found.result.to_arrow()
    assert columns.to_pydict() == {"note": ["note 30"]}


@ONE_TYPE
async def test_long_sets_and_many_partitions_are_read_in_pieces(
    tmp_path: Path, redis_url: str, table: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What takes several trips tells the same."""
    monkeypatch.setattr(plan, "LONG_SET", 6)
    monkeypatch.setattr(lookup, "LONG_SET", 6)
    monkeypatch.setattr(inventory, "LONG_SET", 6)
    monkeypatch.setattr(lookup, "CHUNK", 4)
    monkeypatch.setattr(inventory, "CHUNK", 4)
    monkeypatch.setattr(inventory, "WORDS", 10)
    monkeypatch.setattr(inventory, "FIRST_FIELDS", 1)
    async with a_world(tmp_path, redis_url, table, **NOTHING_KEPT) as world:
        for user in USERS:
            found = await world.measures(user)
            assert {tuple(name) for name in found} == {
                (NULL if m is None else m, NULL if f is None else f)
                for m, f in select(
                    world.url,
                    f"SELECT DISTINCT measure, frequency FROM ih.facts WHERE {world.visible(user)}",
                )
            }
            where = "measure = 'Charges' AND frequency = 'Monthly'"
            for column in ("practice_uid", "provider_uid"):
                values = await world.values(user, column, **CHARGES)
                told = ([as_text(value) for value in values], values.has_null)
                assert told == world.distinct(column, user, where), (user, column)
                assert values.meta.origin == "store"


async def wreck(redis_url: str, kind: str) -> None:
    """Damage every partition's index in one way."""
    async with redis.Redis.from_url(redis_url) as client:
        for key in await client.keys("idx:*:counts*"):
            if kind == "counts":
                await client.delete(key)
            if kind == "total":
                await client.hdel(key, "total")
            if kind == "field":
                fields = [each for each in await client.hkeys(key) if each != b"total"]
                if fields:
                    await client.hdel(key, fields[0])
            if kind == "added":
                await client.hset(key, "p:4711", b"x")


@ONE_TYPE
@pytest.mark.parametrize("kind", ["counts", "total", "field", "added"])
async def test_a_damaged_index_is_answered_from_the_database(
    tmp_path: Path, redis_url: str, table: tuple[str, str], kind: str
) -> None:
    """What doesn't prove itself is no list of values, nor of measures."""
    async with a_world(tmp_path, redis_url, table, **NOTHING_KEPT) as world:
        before = await world.measures("root"), await world.measures("north")
        await wreck(redis_url, kind)
        where = "measure = 'Charges' AND frequency = 'Monthly'"
        for user in ("root", "north", "provider"):
            for column in ("practice_uid", "provider_uid"):
                found = await world.values(user, column, **CHARGES)
                told = ([as_text(value) for value in found], found.has_null)
                assert told == world.distinct(column, user, where)
                assert found.meta.origin == "database"
        north = await world.measures("north")
        assert north.meta.origin == "database"
        assert north.meta.notes == ("answered by the database: damage in the store",)
        assert (await world.measures("root"), north) == before


@ONE_TYPE
async def test_a_swapped_member_is_no_value(
    tmp_path: Path, redis_url: str, table: tuple[str, str]
) -> None:
    """A member put in another's place is found out although no entry is fetched."""
    async with a_world(tmp_path, redis_url, table) as world:
        async with redis.Redis.from_url(redis_url) as client:
            keys = await client.keys("idx:*Charges*Monthly*:p:*")
            assert keys
            for key in keys:
                member: Any = await client.srandmember(key)
                await client.srem(key, member)
                await client.sadd(key, member + b"9")
        found = await world.values("north", "provider_uid", **CHARGES)
        where = "measure = 'Charges' AND frequency = 'Monthly'"
        assert found.meta.origin == "database"
        assert [as_text(value) for value in found] == world.distinct(
            "provider_uid", "north", where
        )[0]
