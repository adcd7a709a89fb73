"""From the answers to a chart's questions to its labels, series and totals. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from warmcube.dashboard.calculations import quotient, subtract
from warmcube.dashboard.cells import OTHER, Cell, Cells, Values, read_cells, regroup
from warmcube.dashboard.choose import choose
from warmcube.dashboard.definition import Chart, MeasureSeries
from warmcube.dashboard.periods import step_of
from warmcube.dashboard.plan import ChartPlan
from warmcube.dashboard.positions import Position, dated_positions, filled, plain_positions
from warmcube.dashboard.rendered import Change, Facet, Label, Progress
from warmcube.dashboard.series import Lines, lines_of, render_lines
from warmcube.errors import LimitExceeded
from warmcube.model.columns import Table

__all__ = ["MOST_FIGURES", "Assembled", "assemble"]

MOST_FIGURES: Final = 500_000
"""Of one chart; what is missing between others counts."""

_SPLIT: Final = Cell._fields.index("split")
_LABEL: Final = Cell._fields.index("label")


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

    Raises:
        InvalidQuery: it calculates with what it doesn't have, or is filled up beyond all bounds.
        LimitExceeded: it has more figures than a chart may have.
    """
    return _Assembly(plan, tables).assembled()


class _Assembly:
    """One chart on its way from answers to figures."""

    def __init__(self, plan: ChartPlan, tables: Mapping[int, Table]) -> None:
        self.plan = plan
        self.chart = plan.chart
        self.multiples = Values(plan.multiples, plan.zone)
        self.splits = Values(plan.split, plan.zone)
        self.labels = Values(plan.labels, plan.zone)
        axis = plan.labels
        self.is_dated = axis is not None and axis.is_date
        # Only the dates that both periods are cut out of lie at other places in each.
        self.has_own_dates = axis is not None and axis.column == plan.date and bool(plan.before)
        self.labels_before = Values(axis, plan.zone) if self.has_own_dates else self.labels
        self.current = self._read(plan.current, tables, self.labels)
        self.before = self._read(plan.before, tables, self.labels_before)
        self.hidden = 0

    def _read(
        self, asked: Sequence[tuple[int, ...]], tables: Mapping[int, Table], labels: Values
    ) -> list[Cells]:
        axes = (self.multiples, self.splits, labels)
        return [
            read_cells(series.aggregate, [tables[place] for place in places], axes)
            for series, places in zip(self.chart.series, asked, strict=bool(asked))
        ]

    def assembled(self) -> Assembled:
        """The chart."""
        labels, splits = self.labels.ordered, self.splits.ordered
        if self.is_dated or self.plan.labels is None:
            splits = self._chosen(splits, _SPLIT)
        else:
            labels = self._chosen(labels, _LABEL)
        positions = self._positions(labels)
        multiples = self.multiples.ordered
        self._check_size(len(positions) * len(splits) * len(multiples))
        lines = lines_of(self.plan, self.current, self.before, positions)
        facets = [self._facet(lines, each, splits, positions) for each in multiples]
        change, progress = None, None
        if len(facets) == 1 and self.plan.multiples is None:
            change, progress = self._change(facets[0]), self._progress(facets[0], lines)
        return Assembled(
            facets=tuple(facets),
            hidden=self.hidden,
            change=change,
            progress=progress,
            notes=_notes(self.chart, facets),
        )

    def _chosen(self, keys: Sequence[Any], place: int) -> list[Any]:
        """The shown values of an axis; the rest becomes one, or is hidden."""
        number, series = _leading(self.chart)
        amounts = regroup(
            series.aggregate,
            self.current[number],
            lambda cell: Cell(None, None, cell[place]),
        )
        figures = {cell.label: self.plan.figure(series, amount) for cell, amount in amounts.items()}
        shown, rest = choose(self.chart, keys, figures)
        if not rest:
            return shown
        if self.chart.other is None:
            self.hidden = rest
            return shown
        self.current = self._put_together(self.current, set(shown), place)
        self.before = self._put_together(self.before, set(shown), place)
        return [*shown, OTHER]

    def _put_together(self, cells: Sequence[Cells], shown: set[Any], place: int) -> list[Cells]:
        """Make one of all that isn't shown."""
        name = Cell._fields[place]

        def new(cell: Cell) -> Cell:
            return cell if cell[place] in shown else cell._replace(**{name: OTHER})

        return [
            regroup(series.aggregate, each, new)
            for series, each in zip(self.chart.series, cells, strict=bool(cells))
        ]

    def _positions(self, labels: Sequence[Any]) -> list[Position]:
        if not self.is_dated:
            return plain_positions(labels)
        compared = self.labels_before.ordered if self.has_own_dates else []
        step = step_of(_frequency(self.chart), self.chart.step, _dates([*labels, *compared]))
        if self.chart.missing != "skip":
            labels = filled(labels, step, self.plan.zone)
            compared = filled(compared, step, self.plan.zone)
        if not self.has_own_dates or self.plan.compared is None:
            return plain_positions(labels)
        ranges = (self.plan.dates, self.plan.compared)
        return dated_positions(labels, compared, ranges, step, self.plan.zone)

    def _check_size(self, each: int) -> None:
        count = each * (len(self.chart.series) + len(self.chart.calculations))
        if count > MOST_FIGURES:
            raise LimitExceeded(
                f"the chart has {count:,} figures, more than {MOST_FIGURES:,}; narrow it, or let "
                "it show the top ones"
            )

    def _facet(
        self,
        lines: Lines,
        multiple: Any,
        splits: Sequence[Any],
        positions: Sequence[Position],
    ) -> Facet:
        names = {split: self._split_text(split) for split in splits}
        return Facet(
            labels=tuple(self._label(each.label) for each in positions),
            series=tuple(
                each
                for split in splits
                for each in render_lines(lines, multiple, split, names[split])
            ),
            key=multiple,
            title=None if self.plan.multiples is None else self.multiples.text(multiple),
        )

    def _split_text(self, split: Any) -> str:
        return (self.chart.other or "") if split is OTHER else self.splits.text(split)

    def _label(self, key: Any) -> Label:
        if key is OTHER:
            return Label(key=None, text=self.chart.other or "", is_other=True)
        return Label(key=key, text=self.labels.text(key))

    def _change(self, facet: Facet) -> Change | None:
        if self.chart.type != "number" or not self.plan.before or not facet.series:
            return None
        now = facet.series[0]
        before = next((each.total for each in facet.series if each.of == now.id), None)
        difference = subtract(now.total, before)
        return Change(before=before, difference=difference, share=quotient(difference, before))

    def _progress(self, facet: Facet, lines: Lines) -> Progress | None:
        target = self.chart.target
        if target is None or not facet.series:
            return None
        wanted = target.value
        if target.series is not None:
            wanted = lines.totals(None, None).get(target.series)
        return Progress(target=wanted, share=quotient(facet.series[0].total, wanted))


def _frequency(chart: Chart) -> str | int | None:
    """The one of all of its series; None if they have several."""
    of_series = {
        chart.frequency if each.frequency is None else each.frequency for each in chart.series
    }
    return of_series.pop() if len(of_series) == 1 else None


def _dates(keys: Sequence[Any]) -> list[Any]:
    return [key for key in keys if key is None or hasattr(key, "year")]


def _leading(chart: Chart) -> tuple[int, MeasureSeries]:
    """The series by which a chart is sorted: the first that is seen, or else the first."""
    for number, series in enumerate(chart.series):
        if not series.is_hidden:
            return number, series
    return 0, chart.series[0]


def _notes(chart: Chart, facets: Sequence[Facet]) -> tuple[str, ...]:
    if chart.type in ("pie", "doughnut") and any(
        value is not None and value < 0
        for facet in facets
        for series in facet.series
        for value in series.values
    ):
        return ("negative values have no slice; the table shows them",)
    return ()
