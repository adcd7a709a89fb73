"""A table for dashboards, dashboards rendered by several users, and what SQL says of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from tests.support.caches import select
from tests.support.dashboards import dashboard_of

from warmcube import AnalyticsCache
from warmcube.dashboard.definition import Chart, Dashboard
from warmcube.dashboard.render import GivenDashboards, Renderer
from warmcube.dashboard.rendered import (
    Facet,
    RenderedChart,
    RenderedDashboard,
    RenderedSeries,
    UniversalFilters,
)

__all__ = ["ALL_TIME", "FACTS", "NOW", "USERS", "YEAR", "Board", "keys_of", "only", "series_named"]

NOW: Final = datetime(2025, 1, 15, 12, tzinfo=UTC)
ALL_TIME: Final = UniversalFilters(preset="all")
YEAR: Final = UniversalFilters(preset="last_year")

FACTS: Final = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid integer, practice_name text, provider_uid integer, frequency text,
    date_index date, measure_value numeric(14,2), region text, note text
);
INSERT INTO ih.facts
SELECT m, p, CASE WHEN p = 103 THEN NULL ELSE 'Practice ' || chr(180 - p) END, nullif(v, 0),
       'Monthly', d::date,
       CASE WHEN (p + v + extract(month FROM d)::int) % 13 = 0 THEN NULL
            ELSE ((p * 37 + v * 11 + extract(month FROM d)::int * 7
                   + extract(year FROM d)::int * 3 + length(m)) % 401 - 120)::numeric / 4 END,
       CASE p % 4 WHEN 0 THEN NULL WHEN 1 THEN 'Bay' WHEN 2 THEN 'Coast' ELSE '' END,
       'note of practice ' || p
FROM unnest(ARRAY['Charges', 'Payments']) m, generate_series(101, 112) p,
     generate_series(0, 4) v,
     generate_series(DATE '2023-01-01', DATE '2024-12-01', INTERVAL '1 month') d
WHERE NOT (extract(month FROM d) = 4 AND extract(year FROM d) = 2024)
  AND NOT (m = 'Payments' AND extract(month FROM d) = 9);
INSERT INTO ih.facts VALUES
    ('Charges', 101, 'Practice O', 1, 'Monthly', NULL, 12.25, 'Bay', 'note of practice 101'),
    ('Charges', 110, 'Practice F', 1, 'Monthly', NULL, 7.75, 'Bay', 'note of practice 110'),
    ('Charges', NULL, NULL, 1, 'Monthly', '2024-02-01', 3.50, 'Bay', 'no practice'),
    ('Charges', 101, 'Old name', 1, 'Monthly', '2024-02-01', 5.00, 'Bay', 'note of practice 101'),
    ('Zeros', 101, 'Practice O', 1, 'Monthly', '2024-02-01', 0.00, 'Bay', 'note of practice 101'),
    ('Zeros', 102, 'Practice N', 1, 'Monthly', '2024-03-01', 0.00, 'Bay', 'note of practice 102'),
    ('Single', 101, 'Practice O', 1, 'Monthly', '2024-02-01', -4.25, 'Bay', 'note of practice 101')
"""
"""Months of two years, one of which lacks April; NULLs in every column; negative values."""

USERS: Final = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
}
"""What each user of `tests.support.caches.ACCESS` may see, as a condition of SQL."""


class Board:
    """Renders dashboards over the table, and asks SQL.

    Args:
        cache: warm.
        url: of the database.
    """

    def __init__(self, cache: AnalyticsCache, url: str) -> None:
        self.cache = cache
        self._url = url

    async def dashboard(
        self,
        user: str,
        dashboard: Dashboard,
        filters: UniversalFilters = ALL_TIME,
        charts: Sequence[str] | None = None,
    ) -> RenderedDashboard:
        """A dashboard as somebody sees it."""
        renderer = Renderer(self.cache, GivenDashboards(dashboard), clock=lambda: NOW)
        grant = await self.cache.authorize(user)
        found = await renderer.dashboard(dashboard.id, grant)
        return await renderer.render(found, filters, grant, charts)

    async def charts(
        self, user: str, *charts: Chart, filters: UniversalFilters = ALL_TIME, **fields: Any
    ) -> tuple[RenderedChart, ...]:
        """Some charts as somebody sees them, none of which may have an error."""
        rendered = await self.dashboard(user, dashboard_of(*charts, **fields), filters)
        for chart in rendered.charts:
            if chart.error is not None:
                raise chart.error
        return rendered.charts

    async def chart(
        self, user: str, chart: Chart, filters: UniversalFilters = ALL_TIME, **fields: Any
    ) -> RenderedChart:
        """One of them."""
        (found,) = await self.charts(user, chart, filters=filters, **fields)
        return found

    def select(
        self, columns: str, user: str, where: str = "measure = 'Charges'", rest: str = ""
    ) -> list[tuple[Any, ...]]:
        """What SQL gives a user of the table."""
        return self.sql(f"SELECT {columns} FROM ih.facts WHERE {USERS[user]} AND {where} {rest}")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """What SQL gives; numerics as exact decimals."""
        return [tuple(map(_exact, row)) for row in select(self._url, statement)]


def _exact(value: Any) -> Any:
    """The driver gives numerics as text."""
    if isinstance(value, str):
        try:
            return Decimal(value)
        except ArithmeticError:
            return value
    return value


def only(chart: RenderedChart) -> Facet:
    """The one picture of a chart."""
    (facet,) = chart.facets
    return facet


def keys_of(facet: Facet) -> list[Any]:
    """What is at each position."""
    return [label.text if label.is_other else label.key for label in facet.labels]


def series_named(facet: Facet, id: str) -> RenderedSeries:
    """One of its series."""
    return next(each for each in facet.series if each.id == id)
