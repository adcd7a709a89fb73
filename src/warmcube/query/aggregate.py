"""Sums, averages, counts, least and greatest values by group, with Postgres's result types.

Integers and numerics are exact. Sums and averages of floats are added up as doubles, in the order
of the rows, and agree with any other order within ``rows * 2**-52 * sum(abs(values))``; those of
real columns are rounded to their result type once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from warmcube.errors import UnsupportedValue
from warmcube.model.columns import Array, Bounds, ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.grouping import Groups
from warmcube.query.numbers import MAX_PRECISION, Reserved, digits_of, divide, reserved
from warmcube.query.prepared import Aggregation
from warmcube.query.ranking import is_own_rank, ranks

__all__ = ["aggregate_groups"]

_HALF_BITS: Final = 32
_LOW_HALF: Final = (1 << _HALF_BITS) - 1
_LARGEST_INTEGER: Final = 1 << 63
_TOO_GREAT: Final = 10**MAX_PRECISION


def aggregate_groups(
    table: Table, groups: Groups, aggregation: Aggregation, counts: Array | None = None
) -> ColumnData:
    """One value for each group.

    Args:
        table: holds the column to aggregate.
        groups: of the table's rows.
        aggregation: what to compute; NULLs are skipped, and a group of nothing else has the
            count 0 and every other aggregate NULL.
        counts: how many values each row stands for; None for one each.

    Raises:
        UnsupportedValue: a sum that its result type can't hold.
    """
    if aggregation.column is None:
        return ColumnData(aggregation.type, groups.of_groups(_counted(groups, None, counts)))
    column, of_rows = table.columns[aggregation.column], groups.of_rows
    counting = partial(_counted, groups, column.valid, counts)
    bounds = None
    if column.valid is None:
        bounds = None if table.bounds is None else table.bounds(aggregation.column)
    else:
        of_rows = of_rows[column.valid]
        column = column.take(column.valid)
        groups = groups.filtered()
    known = _Known(column, of_rows, groups, counting, bounds)
    if aggregation.function == "count":
        return ColumnData(aggregation.type, known.counts)
    if aggregation.function in ("min", "max"):
        found = _extreme(known, is_least=aggregation.function == "min")
    elif column.type.kind.is_float:
        found = _float(known, aggregation)
    else:
        found = _exact(known, aggregation)
    if column is table.columns[aggregation.column] and groups.keys:  # each group has a row
        return found
    has_values = known.counts > 0
    return ColumnData(
        found.type, found.values, None if has_values.all() else has_values, found.dictionary
    )


def _counted(groups: Groups, valid: Array | None, counts: Array | None) -> Array:
    """Of each bin, how many values it has."""
    if valid is None and counts is None:
        return groups.counts
    if valid is None and counts is not None and groups.are_repeating:
        added: Array = np.add.reduce(counts.reshape(-1, groups.bins), axis=0, dtype=np.int64)
        return added
    of_rows = groups.of_rows if valid is None else groups.of_rows[valid]
    if counts is None:
        return np.bincount(of_rows, minlength=groups.bins)
    counts = counts.astype(np.int64, copy=False)
    totals = np.zeros(groups.bins, np.int64)
    np.add.at(totals, of_rows, counts if valid is None else counts[valid])
    return totals


@dataclass(slots=True, eq=False)
class _Known:
    """What is aggregated.

    Attributes:
        column: the values that aren't NULL.
        of_rows: the bin of each.
        groups: the bins.
        counting: gives of each bin how many values it has; not every aggregate asks.
        bounds: what none of the values lies beyond, where that is known.
    """

    column: ColumnData
    of_rows: Array
    groups: Groups
    counting: Callable[[], Array]
    bounds: Bounds | None

    @property
    def counts(self) -> Array:
        """Of each group, how many values it has."""
        return self.groups.of_groups(self.counting())


def _extreme(known: _Known, *, is_least: bool) -> ColumnData:
    """Of each group the least or the greatest value; any value if it has none."""
    column, of_rows, groups = known.column, known.of_rows, known.groups
    if not len(column):
        empty = np.zeros(len(groups), column.values.dtype)
        return ColumnData(column.type, empty, None, column.dictionary)
    placed = ranks(column)
    limits = np.iinfo(placed.dtype)
    extreme = np.minimum if is_least else np.maximum
    if groups.are_repeating:
        found = extreme.reduce(placed.reshape(-1, groups.bins), axis=0)
    else:
        found = np.full(groups.bins, limits.max if is_least else limits.min, placed.dtype)
        if groups.of_runs is None:
            extreme.at(found, of_rows, placed)
        else:
            runs = placed.reshape(len(groups.of_runs), -1)
            extreme.at(found, groups.of_runs, extreme.reduce(runs, axis=1))
    if is_own_rank(column):
        return ColumnData(column.type, groups.of_groups(found))
    hits = np.flatnonzero(placed == found[of_rows])
    examples = np.zeros(groups.bins, np.intp)
    examples[of_rows[hits]] = hits
    return column.take(groups.of_groups(examples))


def _float(known: _Known, aggregation: Aggregation) -> ColumnData:
    column, groups = known.column, known.groups
    added = np.bincount(known.of_rows, column.values.astype(np.float64), groups.bins)
    sums = groups.of_groups(added)
    if aggregation.function == "avg":
        found = sums / np.maximum(known.counts, 1)
    else:
        with np.errstate(over="ignore"):
            found = sums.astype(np.float32 if column.type.kind is Kind.REAL else np.float64)
    overflown = np.isinf(sums) | np.isinf(found)
    if overflown.any():
        infinite = np.bincount(known.of_rows[np.isinf(column.values)], minlength=groups.bins)
        overflown &= groups.of_groups(infinite) == 0
        if overflown.any():
            raise _too_great(aggregation, f"is beyond the range of {aggregation.type}")
    return ColumnData(aggregation.type, found)


def _too_great(aggregation: Aggregation, problem: str) -> UnsupportedValue:
    return UnsupportedValue(
        f'the {aggregation.function} of column "{aggregation.column}" {problem}; '
        "ask for fewer rows at once"
    )


def _exact(known: _Known, aggregation: Aggregation) -> ColumnData:
    column, groups, of_rows = known.column, known.groups, known.of_rows
    values, marks = column.values, None
    bounds = known.bounds
    if bounds is None or not _are_harmless(bounds, column.type, len(values)):
        bounds = _bounds(values)
    if column.type.kind is Kind.NUMERIC and len(values):
        special = reserved(column.type)
        if bounds[0] <= special.least or bounds[1] >= special.infinity:
            values, of_rows, marks = _without_reserved(values, of_rows, groups, special)
            groups = groups.filtered()
            bounds = _bounds(values)
    largest = max(-bounds[0], bounds[1])
    sums = _integer_sums(values, of_rows, groups, largest)
    if aggregation.function == "avg":
        result_type, found = _averages(sums, known.counts, column.type.scale, _are_finite(marks))
    elif aggregation.type.kind is Kind.NUMERIC:
        result_type, found = aggregation.type, sums.astype(np.object_)
        if largest * len(values) >= _TOO_GREAT and _largest(found) >= _TOO_GREAT:
            raise _too_great(aggregation, f"has more than {MAX_PRECISION} digits")
    else:
        result_type, found = aggregation.type, sums
    if marks is not None:
        _put_reserved(found, result_type, marks)
    return ColumnData(result_type, found)


def _are_harmless(bounds: Bounds, type: ColumnType, rows: int) -> bool:
    """Whether so many numbers within these bounds are all finite, and so is each of their sums."""
    if type.kind is Kind.NUMERIC:
        special = reserved(type)
        if bounds[0] <= special.least or bounds[1] >= special.infinity:
            return False
    return max(-bounds[0], bounds[1]) * rows < _LARGEST_INTEGER


def _bounds(values: Array) -> tuple[int, int]:
    """The least and the greatest value; zeros if there is none."""
    return (int(values.min()), int(values.max())) if len(values) else (0, 0)


def _largest(values: Array) -> int:
    return max(map(abs, values.tolist()), default=0)


def _without_reserved(
    values: Array, of_rows: Array, groups: Groups, special: Reserved
) -> tuple[Array, Array, tuple[Array, Array, Array]]:
    """The finite values; and which groups have NaN, infinity, -infinity."""
    marks = []
    is_finite = np.ones(len(values), np.bool_)
    for code in (special.nan, special.infinity, special.least):
        is_code = np.asarray(values == code, np.bool_)
        hits = np.bincount(of_rows[is_code], minlength=groups.bins)
        marks.append(groups.of_groups(hits) > 0)
        is_finite &= ~is_code
    return values[is_finite], of_rows[is_finite], (marks[0], marks[1], marks[2])


def _put_reserved(found: Array, type: ColumnType, marks: tuple[Array, Array, Array]) -> None:
    special = reserved(type)
    nan, infinity, least = marks
    found[infinity] = special.infinity
    found[least] = special.least
    found[nan | (infinity & least)] = special.nan


def _integer_sums(values: Array, of_rows: Array, groups: Groups, largest: int) -> Array:
    """Exact sums by group: int64 where they surely fit, else Python ints."""
    if values.dtype == np.object_:
        totals = [0] * groups.bins
        for group, value in zip(of_rows.tolist(), values.tolist(), strict=True):
            totals[group] += value
        return groups.of_groups(np.array(totals, np.object_))
    values = values.astype(np.int64, copy=False)
    if largest * len(values) < _LARGEST_INTEGER:
        return _added(values, of_rows, groups)
    low = _added(values & _LOW_HALF, of_rows, groups).astype(np.object_)
    high = _added(values >> _HALF_BITS, of_rows, groups).astype(np.object_)
    joined: Array = (high << _HALF_BITS) + low
    return joined


def _added(values: Array, of_rows: Array, groups: Groups) -> Array:
    """Sums by group.

    `numpy.add.at` on int64 and intp is a loop of its own, faster than a bincount whose weights
    would have to be doubles.
    """
    if groups.are_repeating or groups.bins == 1:
        found: Array = np.add.reduce(values.reshape(-1, groups.bins), axis=0)
        return found
    totals = np.zeros(groups.bins, np.int64)
    if groups.of_runs is None:
        np.add.at(totals, of_rows, values)
    else:
        runs = values.reshape(len(groups.of_runs), -1)
        np.add.at(totals, groups.of_runs, np.add.reduce(runs, axis=1))
    return groups.of_groups(totals)


def _are_finite(marks: tuple[Array, Array, Array] | None) -> Array | None:
    return None if marks is None else ~(marks[0] | marks[1] | marks[2])


def _averages(
    sums: Array, counts: Array, scale: int, are_finite: Array | None
) -> tuple[ColumnType, Array]:
    """Postgres's quotients, all brought to the greatest of their scales.

    Those of `are_finite` alone decide on that; the others mean nothing.
    """
    kept = [True] * len(counts) if are_finite is None else are_finite.tolist()
    quotients = [
        divide(total, scale, max(count, 1)) if is_kept else (0, scale)
        for total, count, is_kept in zip(sums.tolist(), counts.tolist(), kept, strict=True)
    ]
    widest = max((decimals for _, decimals in quotients), default=scale)
    found = [quotient * 10 ** (widest - decimals) for quotient, decimals in quotients]
    digits = max(map(digits_of, found), default=1)
    result_type = ColumnType(Kind.NUMERIC, max(MAX_PRECISION, digits, widest), widest)
    return result_type, np.array(found, np.object_)
