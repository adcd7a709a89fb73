"""One chart of a dashboard: its figures, or why there are none."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from warmcube.dashboard.assemble import Assembled, assemble
from warmcube.dashboard.columns import type_word
from warmcube.dashboard.definition import Chart, MeasureSeries
from warmcube.dashboard.origins import meta_of
from warmcube.dashboard.plan import ChartPlan, Plan
from warmcube.dashboard.rendered import RenderedChart
from warmcube.errors import WarmcubeError
from warmcube.model.columns import Table
from warmcube.query.result import Result

__all__ = ["Assemble", "render_chart"]

Assemble: TypeAlias = Callable[[ChartPlan, Mapping[int, Table]], Assembled]


def render_chart(
    chart: Chart,
    planned: ChartPlan | WarmcubeError,
    answers: Sequence[Result | WarmcubeError],
    plan: Plan,
    make: Assemble,
) -> RenderedChart:
    """What the viewer gets of a chart.

    Args:
        chart: its definition.
        planned: what it is made of, or why it can't be asked.
        answers: to all questions of the dashboard.
        plan: which these are.
        make: assembles it where all of its answers are kept.
    """
    base = RenderedChart(
        id=chart.id,
        title=chart.title,
        type=chart.type,
        description=chart.description,
        format=chart.format,
        is_percent=chart.is_percent,
        drill=chart.drill,
        width=chart.width,
        height=chart.height,
    )
    if isinstance(planned, WarmcubeError):
        return replace(base, error=planned)
    started = time.perf_counter()
    results: dict[int, Result] = {}
    for place in planned.places:
        answer = answers[place]
        if isinstance(answer, WarmcubeError):
            return replace(base, error=answer)
        results[place] = answer
    tables = {place: each.table for place, each in results.items()}
    is_kept = all(each.meta.origin == "resident" for each in results.values())
    try:
        found = (make if is_kept else assemble)(planned, tables)
    except WarmcubeError as error:
        return replace(base, error=error)
    took = (time.perf_counter() - started) * 1000
    took += sum(each.meta.timings.get("evaluate", 0.0) for each in results.values())
    labels = planned.labels
    return replace(
        base,
        column=None if labels is None else labels.column,
        column_type=None if labels is None else type_word(labels.type),
        dates=planned.dates,
        compared=planned.compared,
        facets=found.facets,
        change=found.change,
        progress=found.progress,
        hidden=found.hidden,
        notes=(*found.notes, *_without_rows(planned, answers)),
        meta=meta_of(plan, results, took),
    )


def _without_rows(planned: ChartPlan, answers: Sequence[Result | WarmcubeError]) -> tuple[str, ...]:
    """Which measures a viewer who sees others has no row of: misspelt, perhaps, or not theirs."""
    rows = [each.meta.rows_fetched if isinstance(each, Result) else 0 for each in answers]
    if not any(rows):
        return ()
    named = {
        _named(series, planned.chart): None
        for series, places in zip(planned.chart.series, planned.current, strict=True)
        if not any(rows[place] for place in places)
    }
    return tuple(
        f"for these filters there are no rows of {name} that you may see" for name in named
    )


def _named(series: MeasureSeries, chart: Chart) -> str:
    parts = (series.measure, series.frequency or chart.frequency)
    return ", ".join(str(each) for each in parts if each is not None) or "this data source"
