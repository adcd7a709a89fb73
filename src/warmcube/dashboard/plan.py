"""From a dashboard and its filters to the different questions that its charts ask. Pure.

All charts are asked at once, so each question is asked once, whichever charts need it. An average
is asked as a sum and a count: only so can groups be put together exactly. Of reals, whose sums
come rounded to seven digits, sums and averages are asked as averages, which are doubles, and
counts. A chart that can't be asked, since it names a column that isn't there, say, has its error in
its place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from warmcube.dashboard.amounts import Amount, figure
from warmcube.dashboard.columns import column_named, conditions_named
from warmcube.dashboard.definition import (
    Aggregate,
    Chart,
    Dashboard,
    DateRange,
    MeasureSeries,
)
from warmcube.errors import InvalidQuery, LimitExceeded, MissingRole, WarmcubeError
from warmcube.model.request import Filter, Query
from warmcube.model.schema import ColumnType, Datasource, Kind, Schema

__all__ = ["MOST_QUERIES", "Axis", "ChartPlan", "Page", "Plan", "plan_charts"]

MOST_QUERIES: Final = 12_000
"""Of one dashboard: as many as 60 charts of 50 averages ask, each for two periods."""

_PARTS: Final[Mapping[Aggregate, tuple[Aggregate, ...]]] = {
    "sum": ("sum",),
    "avg": ("sum", "count"),
    "count": ("count",),
    "min": ("min",),
    "max": ("max",),
}
_PARTS_OF_REALS: Final = ("avg", "count")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What all charts of a page have in common: who sees it, and which rows it is about.

    Attributes:
        datasource: which one.
        schema: of its table.
        organization: as in a `Query`, like all up to `where`.
        practices: likewise.
        providers: likewise.
        where: likewise.
        dates: which days.
    """

    datasource: Datasource
    schema: Schema
    organization: str | None = None
    practices: tuple[Any, ...] | None = None
    providers: tuple[Any, ...] | None = None
    where: tuple[Filter, ...] = ()
    dates: DateRange = field(default_factory=DateRange)


@dataclass(frozen=True, slots=True)
class Axis:
    """A column whose values part a chart's figures.

    Attributes:
        column: as the table has it.
        type: of its values.
        names: the column of their names; None where they are shown as they are.
    """

    column: str
    type: ColumnType
    names: str | None

    @property
    def is_date(self) -> bool:
        """Whether its values are days or instants, which stand in their order."""
        return self.type.kind is Kind.DATE or self.type.kind.is_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartPlan:
    """What a chart is made of.

    Attributes:
        chart: its definition.
        labels: what its positions are; None for one figure.
        split: what parts each measure into several series.
        multiples: what parts it into several pictures.
        dates: which days it is about.
        compared: which days it is compared with.
        current: for each of its series the places of the questions that it needs: one, or for an
            average those of its parts.
        before: the same for the compared days; empty without them.
        scale: decimals of the value column.
        is_real: whether it is of single precision.
        date: the data source's date column, to which `dates` and `compared` speak.
        zone: whose days those of instants are.
    """

    chart: Chart
    labels: Axis | None
    split: Axis | None
    multiples: Axis | None
    dates: DateRange
    compared: DateRange | None
    current: tuple[tuple[int, ...], ...]
    before: tuple[tuple[int, ...], ...]
    scale: int
    is_real: bool
    date: str | None
    zone: ZoneInfo

    def figure(self, series: MeasureSeries, amount: Amount) -> Decimal | None:
        """The number to show of one of its series, for all rows that are meant."""
        return figure(series.aggregate, amount, self.scale, is_real=self.is_real)

    @property
    def places(self) -> tuple[int, ...]:
        """The questions that it needs, each once."""
        return tuple(
            dict.fromkeys(place for each in (*self.current, *self.before) for place in each)
        )


Planned: TypeAlias = ChartPlan | WarmcubeError


@dataclass(frozen=True, slots=True)
class Plan:
    """What a dashboard asks.

    Attributes:
        queries: the questions, each once.
        charts: for each chart what it is made of, or why it can't be asked.
    """

    queries: tuple[Query, ...]
    charts: tuple[Planned, ...]


DatesOf: TypeAlias = Callable[[Chart], tuple[DateRange, DateRange | None]]
"""The days that a chart is about, and those that it is compared with."""


def plan_charts(
    dashboard: Dashboard, charts: Sequence[Chart], page: Page, dates_of: DatesOf
) -> Plan:
    """Plan some charts of a dashboard.

    Args:
        dashboard: whose charts they are.
        charts: which ones, in order.
        page: what they have in common.
        dates_of: of each chart; may raise `WarmcubeError`, which is then the chart's own.

    Raises:
        LimitExceeded: they ask more than one read may answer.
    """
    questions = _Questions(page)
    planned: list[Planned] = []
    for chart in charts:
        try:
            planned.append(_plan(dashboard, chart, page, dates_of(chart), questions))
        except WarmcubeError as error:
            planned.append(error)
    if len(questions.queries) > MOST_QUERIES:
        raise LimitExceeded(
            f'dashboard "{dashboard.id}" asks {len(questions.queries):,} different questions, more '
            f"than {MOST_QUERIES:,}; give its charts fewer series"
        )
    return Plan(tuple(questions.queries), tuple(planned))


class _Questions:
    """The different questions, in the order in which they come up."""

    def __init__(self, page: Page) -> None:
        self.queries: list[Query] = []
        self._places: dict[Hashable, int] = {}
        self._base = Query(
            datasource=page.datasource.id,
            organization=page.organization,
            practices=page.practices,
            providers=page.providers,
        )

    def place(self, **fields: Any) -> int:
        """Where a question is, the same for the same one."""
        query = replace(self._base, **fields)
        # 1 and True are equal, but as values of a condition one may be right and the other wrong.
        key = (query, tuple(type(value) for each in query.where for value in _each(each.value)))
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = len(self.queries)
            self.queries.append(query)
        return place


def _plan(
    dashboard: Dashboard,
    chart: Chart,
    page: Page,
    dates: tuple[DateRange, DateRange | None],
    questions: _Questions,
) -> ChartPlan:
    of_chart, compared = dates
    axes = [
        _axis(name, dashboard, page) for name in (chart.group_by, chart.split_by, chart.multiples)
    ]
    known = [axis.column for axis in axes if axis is not None]
    for column in known:
        if known.count(column) > 1:
            raise InvalidQuery(
                f'the chart uses column "{column}" twice, for its labels, series or multiples; '
                "once is enough"
            )
    group_by = tuple(
        dict.fromkeys(
            name
            for axis in axes
            if axis is not None
            for name in (axis.column, axis.names)
            if name is not None
        )
    )
    where = page.where + _conditions(chart.where, page)

    scale, is_real = _check_values(chart, page)

    def ask(series: MeasureSeries, days: DateRange) -> tuple[int, ...]:
        frequency = chart.frequency if series.frequency is None else series.frequency
        return tuple(
            questions.place(
                measure=series.measure,
                frequency=frequency,
                start=days.start,
                end=days.end,
                where=where + _conditions(series.where, page),
                group_by=group_by,
                aggregate=part,
            )
            for part in _parts(series.aggregate, is_real=is_real)
        )

    return ChartPlan(
        chart=chart,
        labels=axes[0],
        split=axes[1],
        multiples=axes[2],
        dates=of_chart,
        compared=compared,
        current=tuple(ask(series, of_chart) for series in chart.series),
        before=() if compared is None else tuple(ask(series, compared) for series in chart.series),
        scale=scale,
        is_real=is_real,
        date=page.datasource.roles.date,
        zone=ZoneInfo(page.datasource.time_zone),
    )


def _axis(name: str | None, dashboard: Dashboard, page: Page) -> Axis | None:
    if name is None:
        return None
    roles = page.datasource.roles
    column = column_named(name, page.schema, roles)
    names = {
        column_named(of, page.schema, roles): column_named(shown, page.schema, roles)
        for of, shown in dashboard.names.items()
    }
    return Axis(column, page.schema[column].type, names.get(column))


def _conditions(conditions: Iterable[Filter], page: Page) -> tuple[Filter, ...]:
    named = conditions_named(conditions, page.schema, page.datasource.roles)
    return tuple(replace(each, value=_fixed(each.value)) for each in named)


def _fixed(value: Any) -> Any:
    """The same value in a form by which questions can be compared."""
    return tuple(value) if isinstance(value, list | set) else value


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, tuple | frozenset) else (value,)


def _parts(aggregate: Aggregate, *, is_real: bool) -> tuple[Aggregate, ...]:
    return _PARTS_OF_REALS if is_real and aggregate in ("sum", "avg") else _PARTS[aggregate]


def _check_values(chart: Chart, page: Page) -> tuple[int, bool]:
    """The decimals of the values, of which all series must be numbers, and if they are reals."""
    name = page.datasource.roles.value
    if name is None:
        if any(series.aggregate != "count" for series in chart.series):
            raise MissingRole(
                "the data source has no value column, so that rows can only be counted; "
                'use aggregate = "count"'
            )
        return 0, False
    column = page.schema[name]
    for series in chart.series:
        if series.aggregate in ("min", "max") and not column.type.kind.is_number:
            raise InvalidQuery(
                f'a chart shows numbers, and the value column "{name}" is {column.type}; '
                'use aggregate = "count"'
            )
    return column.type.scale, column.type.kind is Kind.REAL
