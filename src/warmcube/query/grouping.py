"""Which group each row belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from warmcube.model.columns import Array, ColumnData, Factor, Table
from warmcube.query.factors import factor_of, is_small

__all__ = ["Groups", "group_rows"]


@dataclass(slots=True, eq=False)
class Groups:
    """Rows by group.

    Figures are added up by bin, of which some may have no rows; the others are the groups.

    Attributes:
        of_rows: intp, each row's bin, from 0 on.
        counts: of each bin, how many rows it has.
        present: the bins that are groups, in their order; None if all are.
        keys: the columns that rows were grouped by, one value per group.
        are_repeating: whether the rows are of the first bin, the second, …, the last, and so on
            from the first again.
        of_runs: where each so many rows in a row are of one bin, these bins; else None.
    """

    of_rows: Array
    counts: Array
    present: Array | None
    keys: tuple[ColumnData, ...]
    are_repeating: bool = False
    of_runs: Array | None = None

    def __len__(self) -> int:
        return self.bins if self.present is None else len(self.present)

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.counts)

    def filtered(self) -> Groups:
        """The same bins for whoever leaves rows out."""
        return replace(self, are_repeating=False, of_runs=None)

    def of_groups(self, figures: Array) -> Array:
        """From one figure per bin to one per group."""
        return figures if self.present is None else figures[self.present]


def group_rows(table: Table, by: Sequence[str]) -> Groups:
    """Group rows whose values are equal in all columns; NULLs are equal, and so are NaNs.

    Args:
        table: the rows.
        by: names of its columns; none makes one group, over no rows too.
    """
    rows = table.rows
    if not by:
        return Groups(np.zeros(rows, np.intp), np.array([rows]), None, ())
    if rows == 0:
        nothing = np.zeros(0, np.intp)
        keys = tuple(table.columns[name].first(0) for name in by)
        return Groups(nothing, np.zeros(0, np.int64), None, keys)
    factor = table.factor(by[0])
    if factor is not None and factor.is_repeating and len(by) == 1:
        counts = _alike(factor.size, rows // factor.size)
        return Groups(factor.codes, counts, None, (factor.values(),), are_repeating=True)
    if factor is not None and factor.of_runs is not None and len(by) == 1:
        size, of_runs = factor.size, factor.of_runs
        counts = np.bincount(of_runs, minlength=size) * factor.run
        return Groups(factor.codes, counts, None, (factor.values(),), of_runs=of_runs)
    joined = _join([table.factor(name) or factor_of(table.columns[name]) for name in by], rows)
    counts = np.bincount(joined.codes, minlength=joined.size)
    present = np.flatnonzero(counts)
    keys = tuple(joined.keys(present))
    return Groups(joined.codes, counts, None if len(present) == len(counts) else present, keys)


@lru_cache(maxsize=64)
def _alike(size: int, count: int) -> Array:
    """The same count so many times; nobody can write to it."""
    counts = np.full(size, count)
    counts.setflags(write=False)
    return counts


@dataclass(slots=True, eq=False)
class _Joined:
    """Several factors as one."""

    codes: Array
    size: int
    keys: Callable[[Array], list[ColumnData]]


def _join(factors: Sequence[Factor], rows: int) -> _Joined:
    first, *others = factors
    found = _packed(_Joined(first.codes, first.size, lambda codes: [first.at(codes)]), rows)
    for factor in others:
        found = _packed(_times(found, factor), rows)
    return found


def _times(joined: _Joined, factor: Factor) -> _Joined:
    size = factor.size

    def keys(codes: Array) -> list[ColumnData]:
        before, last = np.divmod(codes, size)
        return [*joined.keys(before), factor.at(last)]

    return _Joined(joined.codes * size + factor.codes, joined.size * size, keys)


def _packed(joined: _Joined, rows: int) -> _Joined:
    """The same with fewer bins, if there are far more than rows."""
    if is_small(joined.size, rows):
        return joined
    distinct, codes = np.unique(joined.codes, return_inverse=True)
    return _Joined(codes, len(distinct), lambda wanted: joined.keys(distinct[wanted]))
