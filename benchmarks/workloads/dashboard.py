"""Nine charts over three partitions in one call, beside one of them alone."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

import redis
from adbc_driver_postgresql import dbapi

from benchmarks.bench import Bench
from benchmarks.measure import in_turns
from benchmarks.ours import Ours, open_ours
from benchmarks.questions import FREQUENCY
from benchmarks.setting import DATASOURCE, TRIO, TRIO_PRACTICES, USER
from benchmarks.truth import WrongAnswer
from warmcube import Query
from warmcube.query.result import Result

__all__ = ["dashboard_queries", "measure"]

MEASURES: Final = 3
CHARTS: Final = (("sum", "date_index"), ("sum", "practice_uid"), ("max", "provider_uid"))
"""Of each measure: aggregate, and by what."""

ALONE: Final = CHARTS[-1]
"""The one that is asked alone: it needs every entry, whatever else is kept of a practice."""


def dashboard_queries() -> list[Query]:
    """The nine questions, without any filter: the grant says which practices."""
    return [_query(measure, *chart) for measure in range(MEASURES) for chart in CHARTS]


def _query(measure: int, aggregate: str, by: str) -> Query:
    return Query(
        datasource=DATASOURCE,
        measure=f"Measure {measure}",
        frequency=FREQUENCY,
        group_by=[by],
        aggregate=aggregate,
    )


async def measure(bench: Bench) -> None:
    """Measure as a member of an organization of 3 practices, and as a super admin."""
    if bench.shape.measures < MEASURES or bench.shape.practices <= len(TRIO_PRACTICES):
        return
    found = {
        TRIO: await _measure_one(bench, TRIO, len(TRIO_PRACTICES)),
        USER: await _measure_one(bench, USER, bench.shape.practices),
    }
    bench.figures["dashboard"] = found
    worst = max(found.values(), key=lambda each: _p50(each, "nine") / _p50(each, "one"))
    bench.ratios.divide(
        "dashboard_9_vs_1",
        (f"nine for {worst['practices']} practices, p50 ms", _p50(worst, "nine")),
        ("one, p50 ms", _p50(worst, "one")),
        conditions={
            "each slice is fetched once": all(each["each_slice_once"] for each in found.values())
        },
    )


def _p50(found: dict[str, Any], name: str) -> float:
    return float(found["times"][name]["p50"])


async def _measure_one(bench: Bench, user: str, practices: int) -> dict[str, Any]:
    bench.tell(f"nine charts of {practices} practices")
    async with open_ours(bench.setting.config, "store", user) as store:
        entries = practices * bench.shape.providers
        rows = entries * bench.shape.frequencies[FREQUENCY]
        queries, alone = dashboard_queries(), _query(0, *ALONE)
        await _check(bench, store, queries, rows)
        keys = await _keys_read(bench, store, queries)

        async def nine(_: int) -> object:
            return await store.cache.query_many(queries, await store.grant())

        async def one(_: int) -> object:
            return await store.cache.query(alone, await store.grant())

        times = await in_turns({"nine": nine, "one": one}, bench.effort.queries // 2, unmeasured=5)
    return {
        "practices": practices,
        "entries_in_scope": MEASURES * entries,
        "rows_in_scope": MEASURES * rows,
        "keys_read": keys,
        # As many keys as there are entries, besides sets, sums, counts and the pointer.
        "each_slice_once": keys <= MEASURES * (entries + 2 * practices + 2) + 4,
        "times": {name: asdict(each) for name, each in times.items()},
    }


async def _check(bench: Bench, store: Ours, queries: list[Query], rows: int) -> None:
    """Compare with SQL, and what was fetched with what is in scope.

    Raises:
        WrongAnswer: an answer is wrong, or isn't the store's, or more or less was read for it.
    """
    is_trio = (await store.grant()).user.id == TRIO
    practices = ", ".join(map(str, TRIO_PRACTICES)) if is_trio else None
    with dbapi.connect(bench.setting.postgres_url) as connection, connection.cursor() as cursor:
        answers = await store.cache.query_many(queries, await store.grant())
        for query, result in zip(queries, answers, strict=True):
            if not isinstance(result, Result):
                raise result
            by, aggregate = query.group_by[0], query.aggregate or ""
            scope = "" if practices is None else f"AND practice_uid IN ({practices})"
            cursor.execute(
                f"SELECT {by}, {aggregate}(measure_value) FROM {bench.setting.table()} "  # noqa: S608
                f"WHERE measure = $1 AND frequency = $2 {scope} GROUP BY 1",
                (query.measure, query.frequency),
            )
            expected = {key: Decimal(value) for key, value in cursor.fetchall()}
            found = {row[by]: row[aggregate] for row in result.rows()}
            if found != expected:
                raise WrongAnswer(f"{query} was answered wrongly")
            if result.meta.origin != "store":
                raise WrongAnswer(f"the {result.meta.origin} answered {query}")
            needs_entries = (aggregate, by) == ALONE
            if result.meta.rows_fetched > rows or (
                needs_entries and result.meta.rows_fetched != rows
            ):
                raise WrongAnswer(f"{result.meta.rows_fetched} rows were read for {query}")


async def _keys_read(bench: Bench, store: Ours, queries: list[Query]) -> int:
    """How many keys one dashboard has the server look up, by its own account."""
    with closing(redis.Redis.from_url(bench.setting.redis_url)) as client:
        before = client.info("stats")
        await store.cache.query_many(queries, await store.grant())
        after = client.info("stats")
    names = ("keyspace_hits", "keyspace_misses")
    return sum(int(after[name]) - int(before[name]) for name in names)
