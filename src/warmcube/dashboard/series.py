"""A chart's series: measures, the same in the compared period, and what is calculated. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from warmcube.dashboard.amounts import unite
from warmcube.dashboard.calculations import (
    COMPARISON,
    Figures,
    calculate,
    order_of,
    total_of,
)
from warmcube.dashboard.cells import OTHER, Cell, Cells, key_text, regroup
from warmcube.dashboard.definition import Calculation, Chart, Comparison, Format, MeasureSeries
from warmcube.dashboard.plan import ChartPlan
from warmcube.dashboard.positions import Position
from warmcube.dashboard.rendered import RenderedSeries

__all__ = ["Lines", "lines_of", "render_lines"]

_ZERO: Final = Decimal(0)
_PERCENT: Final = Format(kind="percent")
_SHARES: Final = ("ratio", "growth", "share")


@dataclass(frozen=True, slots=True)
class Lines:
    """What all series of a chart are made of.

    Attributes:
        plan: of the chart.
        current: for each of its measures the cells of its period.
        before: and of the compared one, if there is one.
        whole: for each measure what it comes to over all labels.
        whole_before: likewise.
        positions: of the chart.
        calculations: each after those that it is of.
    """

    plan: ChartPlan
    current: Sequence[Cells]
    before: Sequence[Cells]
    whole: Sequence[Cells]
    whole_before: Sequence[Cells]
    positions: Sequence[Position]
    calculations: Sequence[Calculation]

    def totals(self, multiple: Any, split: Any) -> dict[str, Decimal | None]:
        """What each series comes to over all of its rows, those out of sight too."""
        cell = Cell(multiple, split, None)
        found: dict[str, Decimal | None] = {}
        for number, series in enumerate(self.plan.chart.series):
            none = unite(series.aggregate, ())
            found[series.id] = self.plan.figure(series, self.whole[number].get(cell, none))
            if self.whole_before:
                before = self.whole_before[number].get(cell, none)
                found[series.id + COMPARISON] = self.plan.figure(series, before)
        for each in self.calculations:
            found[each.id] = total_of(each, found)
            if (compared := _compared(each, found)) is not None:
                found[each.id + COMPARISON] = total_of(compared, found)
        return found

    def figures(self, multiple: Any, split: Any) -> dict[str, Figures]:
        """The figures of each series, position by position."""
        found: dict[str, Figures] = {}
        for number, series in enumerate(self.plan.chart.series):
            found[series.id] = self._values(series, self.current[number], multiple, split)
            if self.before:
                found[series.id + COMPARISON] = self._values(
                    series, self.before[number], multiple, split, is_before=True
                )
        for each in self.calculations:
            found[each.id] = calculate(each, found)
            if (compared := _compared(each, found)) is not None:
                found[each.id + COMPARISON] = calculate(compared, found)
        return found

    def _values(
        self,
        series: MeasureSeries,
        cells: Cells,
        multiple: Any,
        split: Any,
        *,
        is_before: bool = False,
    ) -> list[Decimal | None]:
        plan = self.plan
        is_zero = plan.labels is not None and plan.labels.is_date and plan.chart.missing == "zero"
        found: list[Decimal | None] = []
        for each in self.positions:
            key = each.compared if is_before else each.current
            has = each.has_compared if is_before else each.has_current
            amount = cells.get(Cell(multiple, split, key)) if has else None
            if amount is not None:
                found.append(plan.figure(series, amount))
            else:
                found.append(_ZERO if is_zero and has else None)
        return found


def lines_of(
    plan: ChartPlan,
    current: Sequence[Cells],
    before: Sequence[Cells],
    positions: Sequence[Position],
) -> Lines:
    """What all series of a chart are made of.

    Raises:
        InvalidQuery: it calculates with a series that it doesn't have.
    """
    chart = plan.chart
    known = [series.id for series in chart.series]
    if before:
        known += [each + COMPARISON for each in known]
    return Lines(
        plan=plan,
        current=current,
        before=before,
        whole=_whole(chart, current),
        whole_before=_whole(chart, before),
        positions=positions,
        calculations=order_of(chart.calculations, known),
    )


def _whole(chart: Chart, cells: Sequence[Cells]) -> list[Cells]:
    return [
        regroup(series.aggregate, each, lambda cell: cell._replace(label=None))
        for series, each in zip(chart.series, cells, strict=bool(cells))
    ]


def _compared(calculation: Calculation, known: Collection[str]) -> Calculation | None:
    """The same calculation in the compared period; None where it can't be made there."""
    of = calculation.of + COMPARISON
    to = None if calculation.to is None else calculation.to + COMPARISON
    if of not in known or (to is not None and to not in known):
        return None
    return replace(calculation, of=of, to=to)


def render_lines(
    lines: Lines, multiple: Any, split: Any, split_text: str
) -> Iterator[RenderedSeries]:
    """The series that are seen, of one picture and one value of ``split_by``.

    Args:
        lines: of the chart.
        multiple: of which picture.
        split: of which value; None where nothing is split.
        split_text: what is shown for the value.
    """
    plan, chart = lines.plan, lines.plan.chart
    figures, totals = lines.figures(multiple, split), lines.totals(multiple, split)
    defined: list[MeasureSeries | Calculation] = [*chart.series, *chart.calculations]
    seen = [each for each in defined if not each.is_hidden]
    for each in seen:
        own, name = each.id, each.name
        if plan.split is not None:
            own = _split_id(each.id, split)
            name = split_text if len(seen) == 1 else f"{each.name}: {split_text}"
        shown = RenderedSeries(
            id=own,
            name=name,
            kind="measure" if isinstance(each, MeasureSeries) else "calculation",
            values=tuple(figures[each.id]),
            total=totals[each.id],
            format=_format(each, chart),
            colour=None if plan.split is not None else each.colour,
            axis=each.axis,
            draw=each.draw,
            split=None if split is OTHER else split,
        )
        yield shown
        before = each.id + COMPARISON
        if chart.comparison is not None and before in figures:
            yield replace(
                shown,
                id=own + COMPARISON,
                name=f"{name}, {_words(chart.comparison)}",
                kind="comparison",
                values=tuple(figures[before]),
                total=totals[before],
                of=own,
                keys=_keys(lines),
            )


def _keys(lines: Lines) -> tuple[Any, ...] | None:
    axis = lines.plan.labels
    if axis is None or axis.column != lines.plan.date:
        return None
    return tuple(each.compared for each in lines.positions)


def _format(each: MeasureSeries | Calculation, chart: Chart) -> Format:
    if each.format is not None:
        return each.format
    is_share = isinstance(each, Calculation) and each.function in _SHARES
    return _PERCENT if is_share else chart.format


def _split_id(id: str, split: Any) -> str:
    if split is OTHER:
        return f"{id}/~other"
    if split is None:
        return f"{id}/~"
    return f"{id}/{key_text(split).replace('~', '%7E')}"


def _words(comparison: Comparison) -> str:
    if comparison.kind == "previous_period":
        return "previous period"
    if comparison.kind == "same_period_last_year":
        return "a year before"
    count, unit = comparison.count or 0, comparison.unit or "day"
    return f"{count} {unit}{'' if count == 1 else 's'} before"
