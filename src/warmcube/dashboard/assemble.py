"""From the answers to a chart's questions to its labels, series and totals. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from warmcube.dashboard.amounts import EXACT, Amount, figure, unite
from warmcube.dashboard.cells import (
    OTHER,
    Cell,
    Cells,
    Values,
    key_text,
    read_cells,
    regroup,
)
from warmcube.dashboard.definition import Chart, MeasureSeries
from warmcube.dashboard.plan import Axis, ChartPlan
from warmcube.dashboard.rendered import Change, Facet, Label, Progress, RenderedSeries
from warmcube.model.columns import Table
from warmcube.model.schema import Kind

__all__ = ["Assembled", "assemble"]

_ZERO: Final = Decimal(0)
_TOTAL: Final = "Total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A chart's figures; see `warmcube.dashboard.rendered.RenderedChart`."""

    facets: tuple[Facet, ...]
    hidden: int = 0
    change: Change | None = None
    progress: Progress | None = None
    notes: tuple[str, ...] = ()


def assemble(plan: ChartPlan, tables: Mapping[int, Table]) -> Assembled:
    """A chart's figures.

    Args:
        plan: what it is made of.
        tables: the answers, by the places of their questions.
    """
    return _Assembly(plan, tables).assembled()


class _Assembly:
    """One chart on its way from answers to figures."""

    def __init__(self, plan: ChartPlan, tables: Mapping[int, Table]) -> None:
        self.plan = plan
        self.chart = plan.chart
        self.multiples = Values(plan.multiples, _no_value(plan.multiples))
        self.splits = Values(plan.split, _no_value(plan.split))
        self.labels = Values(plan.labels, _no_value(plan.labels))
        axes = (self.multiples, self.splits, self.labels)
        self.cells = [
            read_cells(series.aggregate, [tables[place] for place in places], axes)
            for series, places in zip(self.chart.series, plan.current, strict=True)
        ]
        self.hidden = 0

    def assembled(self) -> Assembled:
        labels, splits = self.labels.ordered, self.splits.ordered
        if self._is_over_dates or self.plan.labels is None:
            splits = self._chosen(splits, 1)
        else:
            labels = self._chosen(labels, 2)
        facets = tuple(self._facet(multiple, labels, splits) for multiple in self.multiples.ordered)
        return Assembled(
            facets=facets,
            hidden=self.hidden,
            progress=self._progress(),
            notes=self._notes(facets),
        )

    @property
    def _is_over_dates(self) -> bool:
        axis = self.plan.labels
        return axis is not None and (axis.type.kind is Kind.DATE or axis.type.kind.is_instant)

    def _chosen(self, keys: Sequence[Any], place: int) -> list[Any]:
        """Of an axis the values that are shown, in order; the rest becomes one, or is hidden.

        Args:
            keys: all values, ascending.
            place: of the axis in a `Cell`.
        """
        sort, top = self.chart.sort or "label", self.chart.top
        if not sort.endswith("value") and (top is None or len(keys) <= top):
            return list(reversed(keys)) if sort == "-label" else list(keys)
        figures = self._figures(place)
        shown = sorted(keys, key=lambda key: _descending(figures.get(key)))[:top]
        if sort == "value":
            shown.sort(key=lambda key: _ascending(figures.get(key)))
        elif sort != "-value":
            kept = set(shown)
            shown = [key for key in keys if key in kept]
            if sort == "-label":
                shown.reverse()
        if len(shown) == len(keys):
            return shown
        if self.chart.other is None:
            self.hidden = len(keys) - len(shown)
            return shown
        self._put_together(set(shown), place)
        return [*shown, OTHER]

    def _figures(self, place: int) -> dict[Any, Decimal | None]:
        """What the first series has of each value of an axis."""
        number, series = _leading(self.chart)
        amounts: dict[Any, list[Amount]] = {}
        for cell, amount in self.cells[number].items():
            amounts.setdefault(cell[place], []).append(amount)
        return {
            key: figure(series.aggregate, unite(series.aggregate, some), self.plan.scale)
            for key, some in amounts.items()
        }

    def _put_together(self, shown: set[Any], place: int) -> None:
        """Make one of all that isn't shown."""

        def new(cell: Cell) -> Cell:
            if cell[place] in shown:
                return cell
            return cell._replace(**{Cell._fields[place]: OTHER})

        self.cells = [
            regroup(series.aggregate, cells, new)
            for series, cells in zip(self.chart.series, self.cells, strict=True)
        ]

    def _facet(self, multiple: Any, labels: Sequence[Any], splits: Sequence[Any]) -> Facet:
        series = [
            self._series(each, cells, multiple, split, labels)
            for each, cells in zip(self.chart.series, self.cells, strict=True)
            if not each.is_hidden
            for split in splits
        ]
        is_faceted = self.plan.multiples is not None
        return Facet(
            labels=tuple(self._label(key) for key in labels),
            series=tuple(series),
            key=multiple,
            title=self.multiples.text(multiple) if is_faceted else None,
        )

    def _label(self, key: Any) -> Label:
        if key is OTHER:
            return Label(key=None, text=self.chart.other or "", is_other=True)
        if self.plan.labels is None:
            return Label(key=None, text=_TOTAL)
        return Label(key=key, text=self.labels.text(key))

    def _series(
        self, series: MeasureSeries, cells: Cells, multiple: Any, split: Any, labels: Sequence[Any]
    ) -> RenderedSeries:
        is_split = self.plan.split is not None
        return RenderedSeries(
            id=_split_id(series.id, split) if is_split else series.id,
            name=self._split_name(series.name, split) if is_split else series.name,
            kind="measure",
            values=tuple(self._value(series, cells, Cell(multiple, split, key)) for key in labels),
            total=self._total(series, cells, multiple, split),
            format=series.format or self.chart.format,
            colour=None if is_split else series.colour,
            axis=series.axis,
            draw=series.draw,
            split=None if split is OTHER else split,
        )

    def _split_name(self, name: str, split: Any) -> str:
        text = (self.chart.other or "") if split is OTHER else self.splits.text(split)
        visible = [each for each in self.chart.series if not each.is_hidden]
        return text if len(visible) + len(self.chart.calculations) == 1 else f"{name}: {text}"

    def _value(self, series: MeasureSeries, cells: Cells, cell: Cell) -> Decimal | None:
        amount = cells.get(cell)
        if amount is None:
            is_zero = self._is_over_dates and self.chart.missing == "zero"
            return _ZERO if is_zero else None
        return figure(series.aggregate, amount, self.plan.scale)

    def _total(
        self, series: MeasureSeries, cells: Cells, multiple: Any, split: Any
    ) -> Decimal | None:
        """Over all rows of a series, those of labels that are out of sight too."""
        some = [
            amount
            for cell, amount in cells.items()
            if cell.multiple == multiple and cell.split == split
        ]
        return figure(series.aggregate, unite(series.aggregate, some), self.plan.scale)

    def _whole(self, number: int) -> Decimal | None:
        series = self.chart.series[number]
        cells = self.cells[number].values()
        return figure(series.aggregate, unite(series.aggregate, cells), self.plan.scale)

    def _progress(self) -> Progress | None:
        target = self.chart.target
        if target is None or not self.chart.series:
            return None
        wanted = target.value
        if target.series is not None:
            (number,) = [
                place for place, each in enumerate(self.chart.series) if each.id == target.series
            ]
            wanted = self._whole(number)
        reached = self._whole(_leading(self.chart)[0])
        return Progress(target=wanted, share=share_of(reached, wanted))

    def _notes(self, facets: Sequence[Facet]) -> tuple[str, ...]:
        if self.chart.type in ("pie", "doughnut") and any(
            value is not None and value < 0
            for facet in facets
            for series in facet.series
            for value in series.values
        ):
            return ("negative values have no slice; the table shows them",)
        return ()


def _leading(chart: Chart) -> tuple[int, MeasureSeries]:
    """The series by which a chart is sorted and measured: the first that is seen, or else any."""
    for number, series in enumerate(chart.series):
        if not series.is_hidden:
            return number, series
    return 0, chart.series[0]


def _ascending(value: Decimal | None) -> tuple[int, Decimal]:
    """NaN after all numbers, nothing at the very end."""
    if value is None:
        return (2, _ZERO)
    return (1, _ZERO) if value.is_nan() else (0, value)


def _descending(value: Decimal | None) -> tuple[int, Decimal]:
    """NaN before all numbers, nothing at the very end."""
    if value is None:
        return (2, _ZERO)
    return (0, _ZERO) if value.is_nan() else (1, EXACT.minus(value))


def _no_value(axis: Axis | None) -> str:
    if axis is None:
        return ""
    if axis.type.kind is Kind.DATE or axis.type.kind.is_instant:
        return "no date"
    return "no " + axis.column.replace("_", " ")


def _split_id(id: str, split: Any) -> str:
    if split is OTHER:
        return f"{id}/~other"
    if split is None:
        return f"{id}/~"
    return f"{id}/{key_text(split).replace('~', '%7E')}"


def share_of(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """A quotient to 28 digits; None where the whole is zero or missing."""
    if part is None or whole is None or not whole:
        return None
    return part / whole
