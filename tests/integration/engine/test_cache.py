"""The whole cache on real servers: each user's rows, from whichever tier."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio as redis
from tests.support.caches import ACCESS, TABLE, execute, make_cache, select

from warmcube import NULL, AccessDenied, AnalyticsCache, Filter, Query
from warmcube.entry.keys import Keys
from warmcube.errors import (
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    MissingRole,
    SourceUnavailable,
    UnknownColumn,
    UnknownDatasource,
)
from warmcube.query.formats import to_arrow_stream, to_csv, to_json, to_parquet

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
VISIBLE = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
    "lost": "FALSE",
}


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache."""
    async with make_cache(tmp_path, redis_url, facts) as made:
        await made.warm(1)
        yield made


def expected(url: str, where: str) -> Counter[tuple[object, ...]]:
    """The rows that SQL gives, with values as Python has them."""
    rows = select(
        url,
        "SELECT measure, practice_uid, provider_uid, frequency, date_index, measure_value::text, "
        f"note FROM ih.facts WHERE {where}",
    )
    return Counter(
        (*row[:5], None if row[5] is None else Decimal(str(row[5])), row[6]) for row in rows
    )


async def ask(cache: AnalyticsCache, user: str, **query: Any) -> Counter[tuple[object, ...]]:
    """What a user is answered."""
    result = await cache.query(Query(**query), await cache.authorize(user))
    return Counter(tuple(row.values()) for row in result.rows())


@pytest.mark.parametrize("user", VISIBLE)
async def test_each_user_sees_exactly_their_rows(
    cache: AnalyticsCache, facts: str, user: str
) -> None:
    """In both tiers, row for row and type for type."""
    where = f"measure = 'Charges' AND frequency = 'Monthly' AND ({VISIBLE[user]})"
    warm = await cache.query(Query(**CHARGES), await cache.authorize(user))
    assert warm.meta.origin == "store"
    assert Counter(tuple(row.values()) for row in warm.rows()) == expected(facts, where)
    await cache.invalidate(1)
    cold = await cache.query(Query(**CHARGES), await cache.authorize(user))
    assert cold.meta.origin == "database"
    assert Counter(tuple(row.values()) for row in cold.rows()) == expected(facts, where)
    assert {type(v) for row in warm.rows() for v in row.values()} == {
        type(v) for row in cold.rows() for v in row.values()
    }
    assert warm.to_arrow().schema == cold.to_arrow().schema


async def test_an_organization_filter_holds_for_the_super_admin(
    cache: AnalyticsCache, facts: str
) -> None:
    """The bug that this system exists to fix: north is north, for everybody."""
    where = "measure = 'Charges' AND frequency = 'Monthly' AND practice_uid IN (101, 102, 103)"
    for user in ("root", "north"):
        assert await ask(cache, user, **CHARGES, organization="north") == expected(facts, where)
    assert not await ask(cache, "root", **CHARGES, organization="empty")


async def test_an_organization_that_is_not_ones_own_is_denied(cache: AnalyticsCache) -> None:
    """Line 3: an invalid organization filter is never dropped; existing or not, one text."""
    messages = set()
    for organization in ("south", "atlantis"):
        with pytest.raises(AccessDenied) as caught:
            await ask(cache, "north", **CHARGES, organization=organization)
        messages.add(str(caught.value).replace(organization, "X"))
    assert len(messages) == 1
    with pytest.raises(AccessDenied):
        await ask(cache, "root", **CHARGES, organization="atlantis")


@pytest.mark.parametrize("user", ["root", "north", "provider", "nobody", "lost"])
async def test_an_empty_list_is_nothing(cache: AnalyticsCache, user: str) -> None:
    """Line 1: no practices means no rows, never no filter."""
    assert not await ask(cache, user, **CHARGES, practices=[])
    assert not await ask(cache, user, **CHARGES, providers=[])


async def test_own_without_a_provider_sees_nothing(cache: AnalyticsCache) -> None:
    """Line 2: "own" never widens to the organization."""
    assert not await ask(cache, "lost", **CHARGES)
    with pytest.raises(AccessDenied):
        await ask(cache, "lost", **CHARGES, providers=[3])


async def test_only_rows_in_scope_are_fetched(cache: AnalyticsCache) -> None:
    """Line 4: permission isn't applied after the fetch."""
    result = await cache.query(Query(**CHARGES, practices=[101]), await cache.authorize("provider"))
    assert (result.meta.entries, result.meta.rows_fetched, result.meta.rows) == (1, 6, 6)


async def test_one_users_answer_is_never_anothers(cache: AnalyticsCache, facts: str) -> None:
    """Lines 5 and 6: interleaved users and practices each get their own."""
    for practice in (101, 103, 102, 101):
        for user in ("north", "provider", "root"):
            where = (
                f"measure = 'Charges' AND frequency = 'Monthly' AND practice_uid = {practice} "
                f"AND ({VISIBLE[user]})"
            )
            got = await ask(cache, user, **CHARGES, practices=[practice, practice])
            assert got == expected(facts, where)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"measure": "A/R > 90 days: {net} 100%", "frequency": "Weekly"}, None),
        ({"measure": NULL, "frequency": "Monthly"}, "measure IS NULL AND frequency = 'Monthly'"),
        ({"measure": "Charges", "frequency": NULL}, "measure = 'Charges' AND frequency IS NULL"),
        ({"measure": "charges", "frequency": "Monthly"}, "FALSE"),
    ],
)
async def test_measures_are_taken_as_they_are(
    cache: AnalyticsCache, facts: str, query: dict[str, Any], where: str | None
) -> None:
    """Line 13: no character of a name corrupts a key; NULL can be asked for; case counts."""
    where = where or "measure LIKE 'A/R%' AND frequency = 'Weekly'"
    assert await ask(cache, "root", datasource=1, **query) == expected(facts, where)


async def test_between_and_comparisons_match(cache: AnalyticsCache, facts: str) -> None:
    """Line 16: between, dates and numeric text compare as in SQL; neq doesn't pass NULL."""
    base = "measure = 'Charges' AND frequency = 'Monthly' AND "
    cases = [
        (
            Filter("measure_value", "between", ["25250.5", 26000]),
            "measure_value BETWEEN 25250.5 AND 26000",
        ),
        (Filter("date_index", "gt", "2024-01-03"), "date_index > '2024-01-03'"),
        (Filter("date_index", "eq", date(2024, 1, 2)), "date_index = '2024-01-02'"),
        (Filter("provider_uid", "neq", 1), "provider_uid <> 1"),
        (Filter("provider_uid", "is_null"), "provider_uid IS NULL"),
        (Filter("note", "like", "PRACTICE 10"), "note ILIKE '%PRACTICE 10%'"),
        (Filter("note", "not_in", ["note of practice 101"]), "note <> 'note of practice 101'"),
    ]
    for condition, where in cases:
        got = await ask(cache, "root", **CHARGES, where=[condition])
        assert got == expected(facts, base + where), condition


@pytest.mark.parametrize("practice", [" 114 ", "1_14", "0114", "11x", "", True, 1.5, None])
async def test_an_id_that_is_not_canonical_is_an_error(
    cache: AnalyticsCache, practice: object
) -> None:
    """Line 20: a wrong id is an error, never an empty answer."""
    with pytest.raises(InvalidFilter):
        await ask(cache, "root", **CHARGES, practices=[practice])
    assert await ask(cache, "root", **CHARGES, practices=["101"]) == await ask(
        cache, "root", **CHARGES, practices=[101]
    )


async def test_a_wrong_query_is_a_clear_error(cache: AnalyticsCache) -> None:
    """Whatever is wrong, it is said with what was expected."""
    with pytest.raises(UnknownDatasource, match="7"):
        await ask(cache, "root", datasource=7, measure="Charges", frequency="Monthly")
    for almost in (True, 1.0, "1"):
        with pytest.raises(UnknownDatasource):
            await ask(cache, "root", datasource=almost, measure="Charges", frequency="Monthly")
    with pytest.raises(UnknownColumn, match="measure_value"):
        await ask(cache, "root", **CHARGES, where=[Filter("measure_valeu", "eq", 1)])
    with pytest.raises(InvalidQuery, match="between"):
        await ask(cache, "root", **CHARGES, where=[Filter("measure_value", "betwixt", 1)])
    with pytest.raises(InvalidFilter, match="measure_value"):
        await ask(cache, "root", **CHARGES, where=[Filter("measure_value", "eq", "ten")])
    with pytest.raises(InvalidQuery, match="2024"):
        await ask(cache, "root", **CHARGES, start="2024-02-01", end="2024-01-01")
    with pytest.raises(InvalidQuery, match="measure"):
        await ask(cache, "root", datasource=1, frequency="Monthly")
    with pytest.raises(LimitExceeded, match="list"):
        await ask(cache, "root", **CHARGES, practices=list(range(10_001)))
    with pytest.raises(AccessDenied):
        await cache.authorize("stranger")


async def test_access_is_judged_before_the_query(cache: AnalyticsCache) -> None:
    """Somebody who may not ask isn't told which columns there are."""
    with pytest.raises(AccessDenied):
        await ask(cache, "north", **CHARGES, practices=[110], where=[Filter("nope", "eq", 1)])


async def test_a_grant_counts_only_where_it_was_made(
    cache: AnalyticsCache, tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Another process's, or another cache's, grant is none."""
    folder = tmp_path / "other"
    folder.mkdir()
    access = ACCESS.replace('roles = ["org_analyst"]', 'roles = ["super_admin"]')
    async with make_cache(folder, redis_url, facts, access=access) as other:
        grant = await other.authorize("nobody")
        with pytest.raises(AccessDenied):
            await cache.query(Query(**CHARGES), grant)
    with pytest.raises(AccessDenied):
        await cache.query(Query(**CHARGES), "root")  # type: ignore[arg-type]


async def test_a_dead_store_is_answered_from_the_database(tmp_path: Path, facts: str) -> None:
    """With the same rows and types, and a note that says so, but not where the store is."""
    async with make_cache(tmp_path, "redis://127.0.0.1:1/0", facts) as cache:
        result = await cache.query(Query(**CHARGES), await cache.authorize("north"))
        where = f"measure = 'Charges' AND frequency = 'Monthly' AND {VISIBLE['north']}"
        assert result.meta.origin == "database"
        assert Counter(tuple(row.values()) for row in result.rows()) == expected(facts, where)
        assert result.meta.notes == ("answered by the database: the store can't answer",)


async def test_damage_is_answered_from_the_database(
    cache: AnalyticsCache, facts: str, redis_url: str
) -> None:
    """A lost entry isn't a shorter answer."""
    async with redis.Redis.from_url(redis_url) as client:
        (victim,) = await client.keys("cache:*Charges*Monthly*:p:101:prov:3")
        await client.delete(victim)
    where = f"measure = 'Charges' AND frequency = 'Monthly' AND ({VISIBLE['north']})"
    result = await cache.query(Query(**CHARGES), await cache.authorize("north"))
    assert result.meta.origin == "database"
    assert Counter(tuple(row.values()) for row in result.rows()) == expected(facts, where)
    untouched = await cache.query(Query(**CHARGES, practices=[102]), await cache.authorize("north"))
    assert untouched.meta.origin == "store"
    stats = await cache.stats(1)
    assert stats.state == "fresh"


async def test_a_disabled_cache_asks_the_database(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """CACHE_ENABLED=false bypasses a warm snapshot."""
    async with make_cache(
        tmp_path, redis_url, facts, environment={"CACHE_ENABLED": "false"}
    ) as cache:
        await cache.warm(1)
        result = await cache.query(Query(**CHARGES), await cache.authorize("north"))
        assert result.meta.origin == "database"


async def test_both_dead_is_a_clear_error(tmp_path: Path) -> None:
    """No answer is better than a wrong one."""
    url = "postgresql://user:hunter2@127.0.0.1:1/db"
    async with make_cache(tmp_path, "redis://127.0.0.1:1/0", url) as cache:
        grant = await cache.authorize("root")
        with pytest.raises(SourceUnavailable) as caught:
            await cache.query(Query(**CHARGES), grant)
        assert "hunter2" not in str(caught.value)


async def test_mac_integrity(tmp_path: Path, redis_url: str, facts: str) -> None:
    """The same answers under the keyed seal; a process with another key falls back."""
    more = '[store]\nurl = "{}"\nintegrity = "mac"\nmac_key = "{}"\n'
    for key, origin in (("a" * 32, "store"), ("b" * 32, "database")):
        async with make_cache(tmp_path, redis_url, facts) as cache:
            text = (tmp_path / "warmcube.toml").read_text()
        head = more.format(redis_url, key)
        (tmp_path / "warmcube.toml").write_text(
            text.replace(f'[store]\nurl = "{redis_url}"\n', head)
        )
        async with AnalyticsCache.from_config(tmp_path / "warmcube.toml") as cache:
            if origin == "store":
                await cache.warm(1)
            result = await cache.query(Query(**CHARGES), await cache.authorize("north"))
            assert result.meta.origin == origin
            assert len(result) == 6 * 5 * 3 + 1


async def test_use_is_counted(cache: AnalyticsCache, tmp_path: Path) -> None:
    """Line 15: the figures are those of what was really done."""
    grant = await cache.authorize("north")
    for _ in range(3):
        await cache.query(Query(**CHARGES), grant)
    await cache._parts.usage.flush()
    stats = await cache.stats(1)
    assert (stats.hits, stats.misses, stats.hit_rate) == (3, 0, 1.0)
    assert (stats.rows, stats.measures, stats.practices, stats.frequencies) == (
        2 * 12 * 5 * 2 * 6 + 4,
        3,
        13,
        3,
    )


async def test_use_of_what_is_gone_leaves_nothing(cache: AnalyticsCache, redis_url: str) -> None:
    """What was counted before an invalidation isn't written after it; only records stay."""
    await cache.query(Query(**CHARGES), await cache.authorize("north"))
    await cache.invalidate(1)
    await cache._parts.usage.flush()
    async with redis.Redis.from_url(redis_url) as client:
        left = await client.keys("*")
    keys = Keys("", 1)
    assert set(left) == {keys.fence, keys.history, keys.jobs, keys.jobs_order}


async def test_a_source_that_was_never_warmed_says_so(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Line 15: no made-up figures."""
    async with make_cache(tmp_path, redis_url, facts) as cache:
        stats = await cache.stats(1)
        assert stats.state == "never warmed"
        assert (stats.rows, stats.entries, stats.hit_rate, stats.last_warm) == (None,) * 4


ROLELESS = {
    "measure": ("measure = false", {"frequency": "Monthly"}, "frequency = 'Monthly'"),
    "frequency": ("frequency = false", {"measure": "Charges"}, "measure = 'Charges'"),
    "both": ("measure = false\nfrequency = false", {}, "TRUE"),
    "provider": ("provider = false", {"measure": "Charges", "frequency": "Monthly"}, None),
    "date": ("date = false", {"measure": "Charges", "frequency": "Monthly"}, None),
    "practice": ("practice = false", {"measure": "Charges", "frequency": "Monthly"}, None),
}


@pytest.mark.parametrize("lacking", ROLELESS)
async def test_a_table_may_lack_roles(
    tmp_path: Path, redis_url: str, facts: str, lacking: str
) -> None:
    """The rest works; what needs the role says so; access without it is as designed."""
    columns, query, where = ROLELESS[lacking]
    where = where or "measure = 'Charges' AND frequency = 'Monthly'"
    async with make_cache(tmp_path, redis_url, facts, columns=columns) as cache:
        await cache.warm(1)
        assert await ask(cache, "root", datasource=1, **query) == expected(facts, where)
        if lacking == "measure":
            with pytest.raises(MissingRole):
                await ask(cache, "root", datasource=1, measure="Charges", **query)
        if lacking == "date":
            with pytest.raises(MissingRole):
                await ask(cache, "root", datasource=1, **query, start="2024-01-01")
        if lacking == "provider":
            with pytest.raises(AccessDenied):
                await ask(cache, "provider", datasource=1, **query)
        if lacking == "practice":
            with pytest.raises(AccessDenied):
                await ask(cache, "north", datasource=1, **query)


async def test_no_output_carries_foreign_text(cache: AnalyticsCache) -> None:
    """The raw bytes of every form hold no text of a row that isn't in the answer."""
    result = await cache.query(Query(**CHARGES, practices=[102]), await cache.authorize("north"))
    outputs = [repr(result.rows()).encode(), repr(result).encode()]
    outputs += [to_json(result), to_csv(result), to_parquet(result), to_arrow_stream(result)]
    frame = result.to_polars()
    outputs.append(frame.write_ipc(None, compression="uncompressed").getvalue())
    for raw in outputs:
        for practice in (101, 103, 110, 112):
            assert f"practice {practice}".encode() not in raw
