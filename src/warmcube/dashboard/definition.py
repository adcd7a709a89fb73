"""What a dashboard's file says, as values: nothing here reads, asks or computes.

`warmcube.dashboard.parse` makes these of a file; `warmcube.dashboard.schema` describes the file for
editors. A column is named as in the table, or by its role: ``date``, ``practice``, ``provider``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from warmcube.model.request import Filter

__all__ = [
    "AGGREGATES",
    "CALCULATIONS",
    "CHART_TYPES",
    "COMPARISONS",
    "FORMATS",
    "MISSING",
    "STEPS",
    "Aggregate",
    "Calculation",
    "CalculationName",
    "Chart",
    "ChartType",
    "Comparison",
    "Dashboard",
    "DateRange",
    "Drill",
    "Format",
    "FormatKind",
    "MeasureSeries",
    "Missing",
    "Step",
    "Target",
]

ChartType: TypeAlias = Literal[
    "line",
    "area",
    "bar",
    "stacked_bar",
    "horizontal_bar",
    "pie",
    "doughnut",
    "number",
    "progress",
    "table",
    "dual_axis",
]
CHART_TYPES: Final[tuple[ChartType, ...]] = (
    "line",
    "area",
    "bar",
    "stacked_bar",
    "horizontal_bar",
    "pie",
    "doughnut",
    "number",
    "progress",
    "table",
    "dual_axis",
)

Aggregate: TypeAlias = Literal["sum", "avg", "count", "min", "max"]
AGGREGATES: Final[tuple[Aggregate, ...]] = ("sum", "avg", "count", "min", "max")

CalculationName: TypeAlias = Literal[
    "ratio",
    "difference",
    "growth",
    "share",
    "moving_average",
    "running_total",
    "variance_from_average",
]
CALCULATIONS: Final[tuple[CalculationName, ...]] = (
    "ratio",
    "difference",
    "growth",
    "share",
    "moving_average",
    "running_total",
    "variance_from_average",
)

FormatKind: TypeAlias = Literal["number", "count", "currency", "percent", "of_hundred"]
FORMATS: Final[tuple[FormatKind, ...]] = (
    "number",
    "count",
    "currency",
    "percent",
    "of_hundred",
)

Step: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
STEPS: Final[tuple[Step, ...]] = ("day", "week", "month", "quarter", "year")

Missing: TypeAlias = Literal["skip", "gap", "zero"]
MISSING: Final[tuple[Missing, ...]] = ("skip", "gap", "zero")

COMPARISONS: Final = ("previous_period", "same_period_last_year")


@dataclass(frozen=True, slots=True, kw_only=True)
class DateRange:
    """The days that something is about, both inclusive; None where there is no bound."""

    start: date | None = None
    end: date | None = None
    preset: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a number is shown.

    Attributes:
        kind: ``count`` has no decimals; ``percent`` shows 0.25 as 25 %; ``of_hundred`` shows 25
            as 25 %, for measures that are percentages already.
        currency: of ``currency``, its ISO 4217 code.
        decimals: after the point; None for what the kind is usually shown with.
    """

    kind: FormatKind = "number"
    currency: str | None = None
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureSeries:
    """One measure, aggregated.

    Attributes:
        id: what calculations call it; no other of the chart has it.
        name: what the legend calls it.
        measure: which one; None where the table has no measure column.
        frequency: which one; None for the chart's.
        aggregate: over the value column.
        where: conditions of this series alone.
        format: of its numbers; None for the chart's.
        colour: ``#rrggbb``; None for the next of the palette.
        axis: of a dual-axis chart.
        draw: how, where the chart lets each series be drawn its own way (`dual_axis`); None for
            bars on the left, a line on the right.
        is_hidden: whether it is there only for calculations.
    """

    id: str
    name: str
    measure: str | int | None = None
    frequency: str | int | None = None
    aggregate: Aggregate = "sum"
    where: tuple[Filter, ...] = ()
    format: Format | None = None
    colour: str | None = None
    axis: Literal["left", "right"] = "left"
    draw: Literal["line", "bar", "area"] | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """A series that is computed from others, by label.

    ``docs/reference/dashboard-calculations.md`` has the formulas.

    Attributes:
        id: what other calculations call it.
        name: what the legend calls it.
        function: which.
        of: the series that it is of.
        to: of `ratio` and `difference`: the other series, or ``of:comparison``'s name,
            ``<series>.comparison`` for the same series in the compared period. Of `growth`: None
            for the label before, ``<series>.comparison`` for the compared period.
        window: of `moving_average`: how many labels, this one included.
        format: of its numbers; None for what fits the function.
        colour: ``#rrggbb``; None for the next of the palette.
        axis: of a dual-axis chart.
        draw: as of a `MeasureSeries`.
        is_hidden: whether it is there only for other calculations.
    """

    id: str
    name: str
    function: CalculationName
    of: str
    to: str | None = None
    window: int | None = None
    format: Format | None = None
    colour: str | None = None
    axis: Literal["left", "right"] = "left"
    draw: Literal["line", "bar", "area"] | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """With which other period a chart's is compared.

    Attributes:
        kind: ``shift`` goes back by `count` times `unit`.
        count: of ``shift``.
        unit: of ``shift``.
    """

    kind: Literal["previous_period", "same_period_last_year", "shift"]
    count: int | None = None
    unit: Literal["day", "week", "month", "quarter", "year"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a progress is measured against: a figure, or another series' total.

    Attributes:
        value: the figure.
        series: the id of a (hidden) series.
    """

    value: Decimal | None = None
    series: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """Where a click on a mark leads.

    Attributes:
        dashboard: the id of another one, narrowed to what was clicked on; None for the rows.
    """

    dashboard: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart.

    Attributes:
        id: no other of the dashboard has it.
        title: above it.
        type: how it is drawn.
        description: below the title.
        series: its measures, in order.
        calculations: computed of these, after them.
        frequency: of series that have none of their own.
        group_by: the column of the labels; None for one figure (`number`, `progress`), for which
            `table` shows the rows of its series' totals.
        split_by: a column each of whose values becomes a series of each measure.
        multiples: a column each of whose values becomes a small chart of its own.
        where: conditions on all of its series.
        format: of series that have none of their own.
        sort: by ``label`` or ``value`` (the first series' total), ``-`` in front for descending;
            dates are in order.
        top: only so many labels (or split series, where the labels are dates), by value.
        other: the name under which the rest is put together; None to leave the rest out of sight,
            which the chart says.
        is_percent: of `stacked_bar`: each bar as shares of 100 %.
        comparison: with which period; None for none.
        dates: a preset of its own, or days that stay, whatever the page's; None for the page's.
        step: how far dates lie apart; None to tell by the frequency's name, or the dates.
        missing: what a date without rows is, between others: not there, a gap, or zero.
        target: of `progress`.
        drill: where a click leads.
        width: of twelve columns.
        height: in rows of the page's grid.
    """

    id: str
    title: str
    type: ChartType
    description: str | None = None
    series: tuple[MeasureSeries, ...] = ()
    calculations: tuple[Calculation, ...] = ()
    frequency: str | int | None = None
    group_by: str | None = None
    split_by: str | None = None
    multiples: str | None = None
    where: tuple[Filter, ...] = ()
    format: Format = field(default_factory=Format)
    sort: Literal["label", "-label", "value", "-value"] | None = None
    top: int | None = None
    other: str | None = None
    is_percent: bool = False
    comparison: Comparison | None = None
    dates: str | DateRange | None = None
    step: Step | None = None
    missing: Missing = "skip"
    target: Target | None = None
    drill: Drill = field(default_factory=Drill)
    width: int = 6
    height: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page of charts about one data source.

    Attributes:
        id: in its address; letters, digits, ``-`` and ``_``.
        title: of the page.
        datasource: the id of a configured data source.
        description: below the title.
        roles: for others it doesn't exist; empty for everybody.
        dates: the preset, or the days, that the page begins with.
        filters: columns that the filter bar offers, beside organization, practices, providers and
            dates.
        names: for a column of ids the column of their names, as ``{"practice_uid":
            "practice_name"}``.
        charts: in their order.
    """

    id: str
    title: str
    datasource: int
    description: str | None = None
    roles: tuple[str, ...] = ()
    dates: str | DateRange = "last_12_full_months"
    filters: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
