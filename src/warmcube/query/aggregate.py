"""Sums, averages, counts, least and greatest values by group, with Postgres's result types.

Integers and numerics are exact. Sums and averages of floats are added up as doubles, in the order
of the rows, and agree with any other order within ``rows * 2**-52 * sum(abs(values))``; those of
real columns are rounded to their result type once, at the end.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from warmcube.errors import UnsupportedValue
from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.grouping import Groups
from warmcube.query.numbers import MAX_PRECISION, Reserved, digits_of, divide, reserved
from warmcube.query.prepared import Aggregation
from warmcube.query.ranking import ranks

__all__ = ["aggregate_groups"]

_HALF_BITS: Final = 32
_LOW_HALF: Final = (1 << _HALF_BITS) - 1


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
        return _count(groups.of_rows, len(groups), aggregation, counts)
    column, of_rows = table.columns[aggregation.column], groups.of_rows
    if column.valid is not None:
        of_rows = of_rows[column.valid]
        counts = None if counts is None else counts[column.valid]
    count = _count(of_rows, len(groups), aggregation, counts)
    if aggregation.function == "count":
        return count
    if column.valid is not None:
        column = column.take(column.valid)
    if aggregation.function in ("min", "max"):
        found = _extreme(column, of_rows, len(groups), is_least=aggregation.function == "min")
    elif column.type.kind.is_float:
        found = _float(column, of_rows, count.values, aggregation)
    else:
        found = _exact(column, of_rows, count.values, aggregation)
    has_values = count.values > 0
    return ColumnData(
        found.type, found.values, None if has_values.all() else has_values, found.dictionary
    )


def _count(
    of_rows: Array, groups: int, aggregation: Aggregation, counts: Array | None
) -> ColumnData:
    if counts is not None:
        return ColumnData(aggregation.type, _added(counts, of_rows, groups))
    return ColumnData(aggregation.type, np.bincount(of_rows, minlength=groups).astype(np.int64))


def _extreme(column: ColumnData, of_rows: Array, groups: int, *, is_least: bool) -> ColumnData:
    """Of each group a row whose value is the least or the greatest; any row if it has none."""
    placed = ranks(column).astype(np.int64)
    if not is_least:
        placed = ~placed
    least = np.full(groups, np.iinfo(np.int64).max)
    np.minimum.at(least, of_rows, placed)
    hits = np.flatnonzero(placed == least[of_rows])
    examples = np.zeros(groups, np.int64)
    examples[of_rows[hits]] = hits
    if not len(column):
        empty = np.zeros(groups, column.values.dtype)
        return ColumnData(column.type, empty, None, column.dictionary)
    return column.take(examples)


def _float(
    column: ColumnData, of_rows: Array, counts: Array, aggregation: Aggregation
) -> ColumnData:
    sums = np.bincount(of_rows, column.values.astype(np.float64), len(counts))
    if aggregation.function == "avg":
        found = sums / np.maximum(counts, 1)
    else:
        with np.errstate(over="ignore"):
            found = sums.astype(np.float32 if column.type.kind is Kind.REAL else np.float64)
    overflown = np.isinf(sums) | np.isinf(found)
    if overflown.any():
        overflown[of_rows[np.isinf(column.values)]] = False
        if overflown.any():
            raise _too_great(aggregation, f"is beyond the range of {aggregation.type}")
    return ColumnData(aggregation.type, found)


def _too_great(aggregation: Aggregation, problem: str) -> UnsupportedValue:
    return UnsupportedValue(
        f'the {aggregation.function} of column "{aggregation.column}" {problem}; '
        "ask for fewer rows at once"
    )


def _exact(
    column: ColumnData, of_rows: Array, counts: Array, aggregation: Aggregation
) -> ColumnData:
    marks = None
    values = column.values
    if column.type.kind is Kind.NUMERIC and len(values):
        special = reserved(column.type)
        values, of_rows, marks = _without_reserved(values, of_rows, len(counts), special)
    sums = _integer_sums(values, of_rows, len(counts))
    if aggregation.function == "avg":
        result_type, found = _averages(sums, counts, column.type.scale, _are_finite(marks))
    elif aggregation.type.kind is Kind.NUMERIC:
        result_type, found = aggregation.type, sums.astype(np.object_)
        if len(found) and max(map(abs, found.tolist())) >= 10**MAX_PRECISION:
            raise _too_great(aggregation, f"has more than {MAX_PRECISION} digits")
    else:
        result_type, found = aggregation.type, sums
    if marks is not None:
        _put_reserved(found, result_type, marks)
    return ColumnData(result_type, found)


def _without_reserved(
    values: Array, of_rows: Array, groups: int, special: Reserved
) -> tuple[Array, Array, tuple[Array, Array, Array] | None]:
    """The finite values; and which groups have NaN, infinity, -infinity, if any has."""
    if special.least < values.min() and values.max() < special.infinity:
        return values, of_rows, None
    marks = []
    is_finite = np.ones(len(values), np.bool_)
    for code in (special.nan, special.infinity, special.least):
        is_code = np.asarray(values == code, np.bool_)
        marks.append(np.bincount(of_rows[is_code], minlength=groups) > 0)
        is_finite &= ~is_code
    return values[is_finite], of_rows[is_finite], (marks[0], marks[1], marks[2])


def _put_reserved(found: Array, type: ColumnType, marks: tuple[Array, Array, Array]) -> None:
    special = reserved(type)
    nan, infinity, least = marks
    found[infinity] = special.infinity
    found[least] = special.least
    found[nan | (infinity & least)] = special.nan


def _integer_sums(values: Array, of_rows: Array, groups: int) -> Array:
    """Exact sums: int64 where they surely fit, else Python ints."""
    if values.dtype == np.object_:
        totals = [0] * groups
        for group, value in zip(of_rows.tolist(), values.tolist(), strict=True):
            totals[group] += value
        return np.array(totals, np.object_)
    largest = max(-int(values.min()), int(values.max())) if len(values) else 0
    if largest * len(values) < 1 << 63:
        return _added(values.astype(np.int64), of_rows, groups)
    low = _added(values & _LOW_HALF, of_rows, groups).astype(np.object_)
    high = _added(values >> _HALF_BITS, of_rows, groups).astype(np.object_)
    joined: Array = (high << _HALF_BITS) + low
    return joined


def _added(values: Array, of_rows: Array, groups: int) -> Array:
    totals = np.zeros(groups, np.int64)
    np.add.at(totals, of_rows, values)
    return totals


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
