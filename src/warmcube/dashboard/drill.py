"""From a mark of a chart to the question whose answer are the rows behind it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeVar

from warmcube.access.ids import show
from warmcube.dashboard.definition import Chart, Dashboard, Drill, MeasureSeries
from warmcube.dashboard.plan import Axis, ChartPlan, DatesOf, Page, Plan, plan_charts
from warmcube.dashboard.rendered import RenderedChart
from warmcube.errors import InvalidQuery, WarmcubeError
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.wording import shown

__all__ = ["MARK_FIELDS", "Mark", "drills_within", "mark_of", "rows_query"]

_Chart = TypeVar("_Chart", Chart, RenderedChart)

MARK_FIELDS: Final = ("series", "period", "label", "split", "multiple", "order_by", "limit")
_PLACES: Final = ("label", "split", "multiple")
MOST_ROWS: Final = 1000
"""Unless somebody asks for another number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What of a chart somebody wants the rows of.

    Attributes:
        series: the id of a measure in the definition; None for the first.
        period: the chart's own days, or those that it is compared with.
        places: for ``label``, ``split`` and ``multiple`` the values that are meant, a None among
            them for NULL; one that isn't named is all of them.
        order_by: as in a `Query`.
        limit: likewise.
    """

    series: str | None = None
    period: Literal["current", "compared"] = "current"
    places: Mapping[str, tuple[Any, ...]]
    order_by: tuple[str | Order, ...] = ()
    limit: int = MOST_ROWS


def mark_of(data: Mapping[str, Any]) -> Mark:
    """A mark from the fields of a request.

    A place is ``{"key": value}``, or ``{"keys": [value, …]}`` for several; a value of null stands
    for rows without one.

    Raises:
        InvalidQuery: they can't be read.
    """
    series, period = data.get("series"), data.get("period")
    if series is not None and not isinstance(series, str):
        raise _wrong("series", series, "the id of a series")
    if period not in (None, "current", "compared"):
        raise _wrong("period", period, '"current" or "compared"')
    limit = data.get("limit")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise _wrong("limit", limit, "a whole number from 0")
    return Mark(
        series=series,
        period=period or "current",
        places={name: _keys(name, data[name]) for name in _PLACES if data.get(name) is not None},
        order_by=_order(data.get("order_by")),
        limit=MOST_ROWS if limit is None else limit,
    )


def _wrong(name: str, value: Any, expected: str) -> InvalidQuery:
    return InvalidQuery(f"{name} is {shown(value)}; expected {expected}")


def _keys(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, Mapping) and len(given) == 1:
        if "key" in given:
            return (_plain(name, given["key"]),)
        keys = given.get("keys")
        if isinstance(keys, list):
            return tuple(_plain(name, key) for key in keys)
    raise _wrong(name, given, '{"key": a value}, or {"keys": [several]}')


def _plain(name: str, key: Any) -> Any:
    if isinstance(key, list | Mapping):
        raise _wrong(name, key, "plain values")
    return key


def _order(given: Any) -> tuple[str | Order, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(each, str) and each for each in given):
        raise _wrong("order_by", given, 'a list of columns, "-name" for descending')
    return tuple(given)


def rows_query(
    dashboard: Dashboard, chart: Chart, mark: Mark, page: Page, dates_of: DatesOf
) -> Query:
    """The question whose answer are the rows behind a mark.

    Args:
        dashboard: whose chart it is.
        chart: which.
        mark: what of it.
        page: who sees it, narrowed by what.
        dates_of: of the chart.

    Raises:
        InvalidQuery: the chart has no such series, labels or compared period.
    """
    series = _series(chart, mark.series)
    plan = plan_charts(dashboard, [replace(chart, series=(series,))], page, dates_of)
    (planned,) = plan.charts
    if isinstance(planned, WarmcubeError):
        raise planned
    question = _question(plan, planned, mark)
    axes: dict[str, Axis | None] = {
        "label": planned.labels,
        "split": planned.split,
        "multiple": planned.multiples,
    }
    where = [*question.where]
    for name, keys in mark.places.items():
        axis = axes[name]
        if axis is None:
            raise InvalidQuery(f'chart "{chart.id}" has no {name} to tell rows by; leave it out')
        where.append(Filter(axis.column, "in", tuple(NULL if key is None else key for key in keys)))
    return replace(
        question,
        where=tuple(where),
        group_by=(),
        aggregate=None,
        order_by=mark.order_by,
        limit=mark.limit,
    )


def _question(plan: Plan, planned: ChartPlan, mark: Mark) -> Query:
    if mark.period == "current":
        return plan.queries[planned.current[0][0]]
    if not planned.before:
        raise InvalidQuery(
            f'chart "{planned.chart.id}" is compared with no other period; leave period out'
        )
    return plan.queries[planned.before[0][0]]


def _series(chart: Chart, named: str | None) -> MeasureSeries:
    if not chart.series:
        raise InvalidQuery(f'chart "{chart.id}" shows no measure, so it has no rows')
    if named is None:
        return next((each for each in chart.series if not each.is_hidden), chart.series[0])
    for each in chart.series:
        if each.id == named:
            return each
    ids: Sequence[str] = [each.id for each in chart.series]
    raise InvalidQuery(
        f'chart "{chart.id}" has no series {show(named)}; its series are {", ".join(ids)}'
    )


def drills_within(charts: Iterable[_Chart], existing: Collection[str]) -> tuple[_Chart, ...]:
    """The charts as they lead their viewer: to the rows where the dashboard doesn't exist for them.

    Args:
        charts: as they are defined.
        existing: the ids of the dashboards that exist for the viewer.
    """
    return tuple(
        chart
        if chart.drill.dashboard is None or chart.drill.dashboard in existing
        else replace(chart, drill=Drill())
        for chart in charts
    )
