"""Sums by practice and date of a partition that is held, for questions that ask for nothing else.

Exact, or not made: no floats, no NULLs, nothing that could overflow or be taken for NaN or an
infinity. Pure.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from warmcube.model.columns import Array, Bounds, ColumnData, Factor, LazyColumns, Table
from warmcube.model.schema import Kind, Roles
from warmcube.query.numbers import reserved
from warmcube.query.prepared import Extent, PreparedQuery

__all__ = ["HeldSums", "are_summed", "make_sums"]

LEAST_ENTRIES: Final = 4
"""Of so many entries each practice must be, or the sums are nearly as many as the rows."""
_LARGEST: Final = 1 << 63


class HeldSums:
    """What the rows of each practice come to, by date.

    Args:
        date: the date column's name.
        value: that of what was added up.
        type: its type.
        sums: int64, a row for each practice and a column for each date; nobody changes it.
        bounds: what none of them lies beyond.
        factor: of the dates of all rows of the partition: each entry has all of them, in order.
    """

    def __init__(
        self, date: str, value: ColumnData, name: str, sums: Array, bounds: Bounds, factor: Factor
    ) -> None:
        self._names = (date, name)
        self._dates = (date,)
        self._type = value.type
        self._sums = sums
        self._bounds = bounds
        self._factor = factor
        self.size = sums.nbytes
        """Bytes that they take."""

    def table(self, practices: Array | slice) -> Table:
        """The sums of some practices, in place of their rows.

        Args:
            practices: their places.
        """
        if isinstance(practices, slice):
            sums = self._sums[practices]
        else:
            sums = self._sums.take(practices, 0)
        codes = self._factor.codes[: sums.size]
        make, factor_of = partial(self._column, sums, codes), partial(self._factor_of, codes)
        return Table(
            LazyColumns(self._names, make), sums.size, factor_of, self._dates, self._bounds_of
        )

    def _column(self, sums: Array, codes: Array, name: str) -> ColumnData:
        if name == self._names[0]:
            return self._factor.at(codes)
        return ColumnData(self._type, sums.reshape(-1))

    def _factor_of(self, codes: Array, name: str) -> Factor | None:
        factor = self._factor
        if name != self._names[0]:
            return None
        return Factor(codes, factor.size, factor.at, is_repeating=True, distinct=factor.distinct)

    def _bounds_of(self, name: str) -> Bounds | None:
        return self._bounds if name == self._names[1] else None


def are_summed(prepared: PreparedQuery, roles: Roles) -> bool:
    """Whether a query asks for nothing but sums of values, by date or over all dates."""
    aggregate, date = prepared.aggregate, roles.date
    if aggregate is None or aggregate.function != "sum" or prepared.extent is not Extent.ROWS:
        return False
    if aggregate.column != roles.value or prepared.group_by not in ((date,), ()):
        return False
    return all(condition.column == date for condition in prepared.conditions)


def make_sums(
    date: str,
    name: str,
    value: ColumnData,
    factor: Factor,
    bounds: Bounds | None,
    practices: tuple[int, int],
) -> HeldSums | None:
    """The sums of a partition; None where they aren't worth it, or wouldn't be exact.

    Args:
        date: the date column's name.
        name: that of what is added up.
        value: that column.
        factor: of all dates.
        bounds: what no value lies beyond; None where that isn't known.
        practices: how many entries, and how many rows, each of them has; 0 where they differ.
    """
    entries, rows = practices
    if bounds is None or not factor.is_repeating or entries < LEAST_ENTRIES or not rows:
        return None
    within = (min(0, bounds[0]) * rows, max(0, bounds[1]) * rows)
    least, greatest = -_LARGEST, _LARGEST
    if value.type.kind is Kind.NUMERIC:
        special = reserved(value.type)
        least, greatest = special.least, special.infinity
    elif not value.type.kind.is_integer:
        return None
    if within[0] <= least or within[1] >= greatest:
        return None
    sums = value.values.reshape(-1, rows // factor.size, factor.size).sum(axis=1, dtype=np.int64)
    sums.setflags(write=False)
    return HeldSums(date, value, name, sums, within, factor)
