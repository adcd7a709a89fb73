"""The cache against the database, as every sample user: do they answer the same?"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from warmcube.demo.expected import CASES, Case, expected_sql
from warmcube.demo.files import USERS
from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied

__all__ = ["CheckReport", "Mismatch", "UserReport", "check", "differences"]

_REPETITIONS: Final = 7
_NUMERICS: Final = frozenset({"measure_value", "sum", "avg", "min", "max"})

Row = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserReport:
    """What one user sees of the first case.

    Attributes:
        rows: of the cache's answer.
        expected_rows: of the database's.
        ms: the cache's median over some repetitions, to an Arrow table.
        sql_ms: the database's, likewise.
        origin: where the last of the cache's answers that were timed came from.
    """

    rows: int
    expected_rows: int
    ms: float
    sql_ms: float
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One answer that differs from SQL's; tells how, never a value."""

    user: str
    case: str
    what: str


@dataclass(slots=True)
class CheckReport:
    """The outcome of a check."""

    users: dict[str, UserReport] = field(default_factory=dict)
    mismatches: list[Mismatch] = field(default_factory=list)
    queries: int = 0


async def check(
    cache: AnalyticsCache,
    url: str,
    practices: int,
    *,
    cases: Sequence[Case] = CASES,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Ask every case as every sample user, and compare.

    Args:
        cache: warmed.
        url: of the database that it was warmed from.
        practices: how many practices the data are about.
        cases: what to ask; the first one that a user may ask is reported and timed.
        progress: told how many of how many questions are done.
    """
    report = CheckReport()
    total = len(USERS) * len(cases)
    with closing(await asyncio.to_thread(_Database, url, practices)) as database:
        for user in USERS:
            for case in cases:
                await _check_case(cache, database, user, case, report)
                report.queries += 1
                if progress is not None:
                    progress(report.queries, total)
    return report


async def _check_case(
    cache: AnalyticsCache, database: _Database, user: str, case: Case, report: CheckReport
) -> None:
    def note(what: str) -> None:
        report.mismatches.append(Mismatch(user=user, case=case.name, what=what))

    grant = await cache.authorize(user)
    try:
        result = await cache.query(case.query, grant)
    except AccessDenied:
        if user not in case.denied:
            note("access was denied, but rows were expected")
        return
    if user in case.denied:
        note("access should have been denied")
        return
    if result.meta.origin == "database":
        note(f"was not answered by the cache: {'; '.join(result.meta.notes)}")
    columns, rows = await asyncio.to_thread(database.rows, case, user)
    found = [_row(list(row.items())) for row in result.rows()]
    expected = [_row(list(zip(columns, _typed(columns, row), strict=True))) for row in rows]
    for what in differences(found, expected, is_ordered=case.is_ordered):
        note(what)
    if user not in report.users:
        ms, origin = await _median_ms(cache, user, case)
        report.users[user] = UserReport(
            rows=len(result),
            expected_rows=len(rows),
            ms=round(ms, 3),
            sql_ms=round(await asyncio.to_thread(database.median_ms, case, user), 3),
            origin=origin,
        )


async def _median_ms(cache: AnalyticsCache, user: str, case: Case) -> tuple[float, str]:
    """The cache's time, from the query to an Arrow table, since columns are made when they are
    asked for; and where the last answer came from.
    """
    grant = await cache.authorize(user)
    taken, origin = [], ""
    for _ in range(_REPETITIONS):
        started = time.perf_counter()
        result = await cache.query(case.query, grant)
        result.to_arrow()
        taken.append((time.perf_counter() - started) * 1000)
        origin = result.meta.origin
    return statistics.median(taken), origin


class _Database:
    """The database, asked in plain SQL; blocks."""

    def __init__(self, url: str, practices: int) -> None:
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - loads polars, and pandas if any

        self._connection = dbapi.connect(url)
        self._practices = practices

    def rows(self, case: Case, user: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The names of the columns, and the rows."""
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(expected_sql(case, user, self._practices))
            rows = cursor.fetchall()
            return [description[0] for description in cursor.description or ()], rows

    def median_ms(self, case: Case, user: str) -> float:
        """The database's time, from the statement to an Arrow table, on an open connection."""
        taken = []
        with closing(self._connection.cursor()) as cursor:
            for _ in range(_REPETITIONS):
                started = time.perf_counter()
                cursor.execute(expected_sql(case, user, self._practices))
                cursor.fetch_arrow_table()
                taken.append((time.perf_counter() - started) * 1000)
        return statistics.median(taken)

    def close(self) -> None:
        self._connection.close()


def differences(found: Sequence[Row], expected: Sequence[Row], *, is_ordered: bool) -> list[str]:
    """How two lists of rows differ; empty if they don't."""
    if found == expected:
        return []
    missing = Counter(expected) - Counter(found)
    extra = Counter(found) - Counter(expected)
    if missing or extra:
        counts = (
            f"{missing.total()} rows are missing and {extra.total()} are too many, of "
            f"{len(expected)} expected and {len(found)} found"
        )
        return [counts]
    return ["the rows are right, but not their order"] if is_ordered else []


def _typed(columns: Sequence[str], row: Sequence[Any]) -> list[Any]:
    return [
        Decimal(value) if name in _NUMERICS and value is not None else value
        for name, value in zip(columns, row, strict=True)
    ]


def _row(items: Sequence[tuple[str, Any]]) -> Row:
    """A row in a form that tells 1 from 1.00, "1" from 1, and doesn't mind a zone's name."""
    return tuple(
        (name, repr(value.astimezone(UTC) if isinstance(value, datetime) else value))
        for name, value in items
    )
