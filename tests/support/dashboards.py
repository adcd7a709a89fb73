"""Dashboards over the facts of `tests.support.caches`."""

from __future__ import annotations

from typing import Any

from warmcube.dashboard.definition import Chart, Dashboard, MeasureSeries

__all__ = ["SAMPLE", "chart_of", "dashboard_of", "series_of"]


def series_of(id: str = "charges", **fields: Any) -> MeasureSeries:
    """A series of the measure of most tests."""
    return MeasureSeries(**{"id": id, "name": id.title(), "measure": "Charges", **fields})


def chart_of(id: str = "chart", **fields: Any) -> Chart:
    """A chart of one series over dates, with some fields changed."""
    given = {
        "id": id,
        "title": id.title(),
        "type": "line",
        "series": (series_of(),),
        "frequency": "Monthly",
        "group_by": "date",
        **fields,
    }
    return Chart(**given)


def dashboard_of(*charts: Chart, **fields: Any) -> Dashboard:
    """A dashboard of some charts."""
    given = {"id": "board", "title": "Board", "datasource": 1, "charts": charts, **fields}
    return Dashboard(**given)


SAMPLE = dashboard_of(
    chart_of("by-date"),
    chart_of("by-practice", type="bar", group_by="practice", sort="-value"),
    chart_of("total", type="number", group_by=None),
    id="sample",
    title="Sample",
)
"""Three charts of one measure."""
