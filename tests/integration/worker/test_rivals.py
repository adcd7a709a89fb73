"""Defects of the system that this one replaces, by their line in ``rivals.md``: never again."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.caches import execute, make_cache, select

from warmcube import AnalyticsCache, Query
from warmcube.worker.events import Event, EventKind
from warmcube.worker.worker import Worker

MANY = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts AS
SELECT 'Charges'::text AS measure, 1 + n % 1300 AS practice_uid, n / 1300 AS provider_uid,
       'Monthly'::text AS frequency, DATE '2024-01-01' AS date_index,
       (n % 9973)::numeric(14, 2) / 4 AS measure_value
FROM generate_series(0, {rows} - 1) n, generate_series(1, {each});
"""


async def warmed(cache: AnalyticsCache) -> list[Event]:
    """What a worker told that did what was due."""
    events: list[Event] = []
    assert await Worker(cache, cache.datasources, events.append).run_once() == 0
    return events


async def is_sqls(cache: AnalyticsCache, database: str) -> bool:
    """Whether all rows are there: their number, and their sum."""
    grant = await cache.authorize("root")
    totals = []
    for aggregate in ("count", "sum"):
        query = Query(datasource=1, measure="Charges", frequency="Monthly", aggregate=aggregate)
        result = await cache.query(query, grant)
        assert result.meta.origin == "store"
        ((total,),) = [tuple(row.values()) for row in result.rows()]
        totals.append(str(total))
    return [tuple(totals)] == select(
        database, "SELECT count(*)::text, sum(measure_value)::text FROM ih.facts"
    )


async def test_line_14_130_000_entries_are_warmed(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Line 14: as any other number of them; the warm doesn't die of its own call stack."""
    execute(postgres_db, MANY.format(rows=130_000, each=1))
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        events = await warmed(cache)
        (report,) = [event.report for event in events if event.kind is EventKind.WARMED]
        assert report is not None
        assert (report.entries, report.rows) == (130_000, 130_000)
        assert await is_sqls(cache, postgres_db)


@pytest.mark.long
async def test_line_14_5_000_000_rows_are_not_cut(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Line 14: all of them, or an error; never some."""
    execute(postgres_db, MANY.format(rows=130_000, each=39))
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        events = await warmed(cache)
        (report,) = [event.report for event in events if event.kind is EventKind.WARMED]
        assert report is not None
        assert report.rows == 130_000 * 39
        assert await is_sqls(cache, postgres_db)
