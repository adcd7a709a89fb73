"""What a viewer gets of a dashboard: labels, series, totals, and where they come from.

Numbers are `decimal.Decimal`, None for NULL and for what is missing or can't be computed.
`warmcube.dashboard.document` makes JSON of it, numbers as exact text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from warmcube.dashboard.definition import ChartType, DateRange, Drill, Format
from warmcube.errors import WarmcubeError
from warmcube.model.origin import Origin

__all__ = [
    "Change",
    "DateRange",
    "Dropped",
    "Facet",
    "Label",
    "Progress",
    "RenderMeta",
    "RenderedChart",
    "RenderedDashboard",
    "RenderedSeries",
    "UniversalFilters",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalFilters:
    """What the page narrows all of its charts by.

    Attributes:
        preset: of dates; None where `start` or `end` are given, or for the dashboard's own.
        start: first day, inclusive.
        end: last day, inclusive.
        organization: as in a `Query`, like all that follow.
        practices: None is no filter, ``()`` is none of them.
        providers: likewise.
        where: for each filterable column the values that it may have; ``()`` is none of them; a
            None among them stands for NULL.
        time_zone: the viewer's, as an IANA name, in which presets are resolved; None for the data
            source's.
    """

    preset: str | None = None
    start: date | None = None
    end: date | None = None
    organization: str | None = None
    practices: tuple[Any, ...] | None = None
    providers: tuple[Any, ...] | None = None
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    time_zone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A filter value that the viewer may not see, named as the link named it.

    Attributes:
        filter: ``organization``, ``practices``, ``providers`` or a column.
        value: as it was given.
        why: a sentence.
    """

    filter: str
    value: Any
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One position of a chart.

    Attributes:
        key: the value of the column; None for NULL, and for the rest ("other").
        text: what is shown.
        is_other: whether it stands for all that isn't among the top.
    """

    key: Any
    text: str
    is_other: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSeries:
    """One row of figures, one for each label.

    Attributes:
        id: of the definition; with ``split_by`` ``<id>/<value>``; of a compared period
            ``<id>.comparison``.
        name: what the legend says.
        kind: where it comes from.
        values: as many as there are labels.
        total: over all of its rows (a sum of sums, an average of all rows, …), computed anew and
            not from `values`; None where there is none.
        format: of its numbers.
        colour: ``#rrggbb``; None for the next of the palette.
        axis: which.
        draw: how.
        of: of a comparison, the series that it is to be compared with.
        keys: of a comparison over dates, its own dates, position by position.
        split: of ``split_by``, the value.
    """

    id: str
    name: str
    kind: Literal["measure", "comparison", "calculation"]
    values: tuple[Decimal | None, ...]
    total: Decimal | None
    format: Format
    colour: str | None = None
    axis: Literal["left", "right"] = "left"
    draw: Literal["line", "bar", "area"] | None = None
    of: str | None = None
    keys: tuple[Any, ...] | None = None
    split: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a number has changed against the compared period.

    Attributes:
        before: the compared period's.
        difference: now less before.
        share: difference by before; None where before is zero or missing.
    """

    before: Decimal | None
    difference: Decimal | None
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a number is on its way to a target; `share` is None where that is zero or missing."""

    target: Decimal | None
    share: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """One picture: the whole chart, or one of its small multiples.

    Attributes:
        key: of a small multiple, the value of its column.
        title: of a small multiple.
        labels: in their order.
        series: each with as many values.
    """

    labels: tuple[Label, ...]
    series: tuple[RenderedSeries, ...]
    key: Any = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderMeta:
    """Where figures come from; None where it isn't known.

    Attributes:
        origin: the slowest tier that anything of it was answered from.
        snapshot: the snapshot's name.
        as_of: when the database was read.
        stale: whether the snapshot is past its life.
        rows_fetched: how many rows were read for it, each once: those in scope of the measures
            that it asks for, or what practice-level sums have in their place.
        rows: how many rows the answers to its questions have; of grouped ones, groups.
        ms: how long it took, of a chart its evaluation.
        charts: of a whole dashboard, how many.
        queries: how many different questions were asked.
    """

    origin: Origin | None = None
    snapshot: str | None = None
    as_of: datetime | None = None
    stale: bool = False
    rows_fetched: int = 0
    rows: int = 0
    ms: float = 0.0
    charts: int | None = None
    queries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChart:
    """One chart's figures, or why there are none.

    Attributes:
        id: of the definition, like all up to `width`.
        column: of the labels, and its type in words (``date``, ``text``, ``integer``, …).
        dates: which days it is about.
        compared: which days it is compared with.
        facets: one, or one for each small multiple; none with an error.
        change: of a number with a comparison.
        progress: of a progress.
        hidden: how many labels or series are out of sight for ``top`` without ``other``.
        notes: what else is to be known, in sentences.
        error: what the viewer is told instead.
    """

    id: str
    title: str
    type: ChartType
    description: str | None = None
    format: Format = field(default_factory=Format)
    is_percent: bool = False
    drill: Drill = field(default_factory=Drill)
    width: int = 6
    height: int = 2
    column: str | None = None
    column_type: str | None = None
    dates: DateRange = field(default_factory=DateRange)
    compared: DateRange | None = None
    facets: tuple[Facet, ...] = ()
    change: Change | None = None
    progress: Progress | None = None
    hidden: int = 0
    notes: tuple[str, ...] = ()
    meta: RenderMeta = field(default_factory=RenderMeta)
    error: WarmcubeError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedDashboard:
    """A whole dashboard's figures for one viewer.

    Attributes:
        id: of the definition.
        title: of the page.
        description: below it.
        dates: which days the page is about.
        filters: what holds, after what was dropped.
        dropped: what doesn't.
        charts: in their order.
        meta: of the one read.
    """

    id: str
    title: str
    description: str | None
    dates: DateRange
    filters: UniversalFilters
    dropped: tuple[Dropped, ...]
    charts: tuple[RenderedChart, ...]
    meta: RenderMeta
