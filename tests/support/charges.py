"""One partition of the table of `tests.support.caches`: asking for it, and SQL's answer to that."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from tests.support.caches import select

from warmcube import AnalyticsCache, Query
from warmcube.query.result import Result

__all__ = ["CHARGES", "ask", "expected", "told"]

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}


async def ask(cache: AnalyticsCache, user: str, **query: Any) -> Result:
    """What a user is answered."""
    return await cache.query(Query(**(CHARGES | query)), await cache.authorize(user))


def told(result: Result) -> Counter[tuple[object, ...]]:
    """The rows of an answer."""
    return Counter(tuple(row.values()) for row in result.rows())


def expected(url: str, where: str) -> Counter[tuple[object, ...]]:
    """The rows that SQL gives."""
    rows = select(
        url,
        "SELECT measure, practice_uid, provider_uid, frequency, date_index, measure_value::text, "
        f"note FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' AND ({where})",
    )
    return Counter(
        (*row[:5], None if row[5] is None else Decimal(str(row[5])), row[6]) for row in rows
    )
