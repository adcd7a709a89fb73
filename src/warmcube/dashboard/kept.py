"""Charts that were assembled before, of the very answers that they would be assembled of now. Pure.

A kept answer is one object for as long as it is kept (see `warmcube.query.resident`), and nobody
changes it. So a chart whose answers are the same objects as before, and of which nothing else is
different either, is the same. Whose answers they are was judged before this is asked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Final, NamedTuple

from warmcube.dashboard.assemble import Assembled, assemble
from warmcube.dashboard.definition import Chart
from warmcube.dashboard.plan import ChartPlan
from warmcube.model.columns import Table

__all__ = ["KeptCharts"]

BUDGET: Final = 200_000
"""Figures of charts, and rows of the answers that they were assembled of."""
LEAST: Final = 30
"""What a chart takes at least, however little it shows: as much memory as so many figures."""
LARGEST_SHARE: Final = 8
"""No chart takes more than this part of the budget."""


class _Kept(NamedTuple):
    """A chart, and all that it was assembled of: while it is held, no other object has its id."""

    chart: Chart
    tables: tuple[Table, ...]
    assembled: Assembled
    size: int


class KeptCharts:
    """Assembles charts, and keeps them within a budget; what wasn't asked for longest goes first.

    Args:
        budget: see `BUDGET`.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def assemble(self, plan: ChartPlan, tables: Mapping[int, Table]) -> Assembled:
        """A chart's figures; see `warmcube.dashboard.assemble.assemble`.

        Args:
            plan: what it is made of.
            tables: kept answers, by the places of their questions.
        """
        own = tuple(tables[place] for each in (*plan.current, *plan.before) for place in each)
        key = (id(plan.chart), *map(id, own), _rest(plan))
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known.assembled
        found = assemble(plan, tables)
        size = (
            LEAST
            + sum(table.rows for table in tables.values())
            + sum(len(facet.labels) * (1 + len(facet.series)) for facet in found.facets)
        )
        if size * LARGEST_SHARE <= self._budget:
            self._kept[key] = _Kept(plan.chart, own, found, size)
            self._size += size
            while self._size > self._budget:
                self._size -= self._kept.popitem(last=False)[1].size
        return found


def _rest(plan: ChartPlan) -> Hashable:
    """What a chart hangs on beside its definition and its answers."""
    return (
        (plan.labels, plan.split, plan.multiples),
        (plan.dates, plan.compared, len(plan.before)),
        (plan.scale, plan.is_real, plan.date, plan.zone.key),
    )
