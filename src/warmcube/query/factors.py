"""A column's values as small integers, equal where the values are."""

from __future__ import annotations

from typing import Final

import numpy as np

from warmcube.model.columns import Array, ColumnData, Factor
from warmcube.model.schema import Kind
from warmcube.query.ranking import is_own_rank, ranks, used_codes

__all__ = ["dense_factor", "factor_of", "is_small", "repeating_factor", "without_gaps"]

_SPARSE_LIMIT: Final = 4096
"""Up to so many possible values, or four per row, are numbered without sorting."""


def is_small(size: int, rows: int) -> bool:
    """Whether so many possible values are worth a place each."""
    return size <= max(_SPARSE_LIMIT, 4 * rows)


def factor_of(column: ColumnData) -> Factor:
    """A column's factor; NULLs are equal, and so are NaNs. NULL has the greatest code.

    Not all codes below its size need have rows.

    Args:
        column: of one row at least.
    """
    factor = _of_text(column) if column.type.kind is Kind.TEXT else _of_numbers(column)
    valid = column.valid
    if valid is None:
        return factor
    size = factor.size
    codes = np.where(valid, factor.codes, size)

    def at(wanted: Array) -> ColumnData:
        is_valid = wanted != size
        found = factor.at(np.where(is_valid, wanted, factor.codes[0]))
        all_valid = bool(is_valid.all())
        return ColumnData(
            column.type, found.values, None if all_valid else is_valid, found.dictionary
        )

    return Factor(codes, size + 1, at)


def _of_text(column: ColumnData) -> Factor:
    codes, used = used_codes(column)
    size, own_type, dictionary = len(column.dictionary or ()), column.type, column.dictionary
    if size and not is_small(size, len(codes)):
        places = np.zeros(size, np.intp)
        places[used] = np.arange(len(used))
        return Factor(
            places[codes],
            len(used),
            lambda wanted: ColumnData(own_type, used[wanted], None, dictionary),
        )
    return Factor(
        codes.astype(np.intp, copy=False),
        max(size, 1),
        lambda wanted: ColumnData(own_type, wanted.astype(np.int64, copy=False), None, dictionary),
    )


def _of_numbers(column: ColumnData) -> Factor:
    valid, own_type = column.valid, column.type
    if not is_own_rank(column) and own_type.kind is not Kind.BOOLEAN:
        return _by_example(column)
    values = column.values
    if valid is not None:
        known = values[valid]  # what stands for NULL may be far off
        values = np.where(valid, values, known[0] if len(known) else 0)
    least = int(values.min())
    size = int(values.max()) - least + 1
    if not is_small(size, len(values)):
        return _by_example(column)
    dtype = values.dtype
    codes = values.astype(np.intp) - least

    def at(wanted: Array) -> ColumnData:
        return ColumnData(own_type, (wanted + least).astype(dtype))

    return Factor(codes, size, at)


def _by_example(column: ColumnData) -> Factor:
    """By sorting: each distinct value is known by a row that has it."""
    known = np.arange(len(column)) if column.valid is None else np.flatnonzero(column.valid)
    _, first, places = np.unique(ranks(column)[known], return_index=True, return_inverse=True)
    codes = np.zeros(len(column), np.intp)
    codes[known] = places
    distinct = column.values[known[first]] if len(first) else column.values[:1].copy()
    own_type, dictionary = column.type, column.dictionary
    return Factor(
        codes,
        len(distinct),
        lambda wanted: ColumnData(own_type, distinct[wanted], None, dictionary),
    )


def without_gaps(factor: Factor) -> Factor:
    """The same with codes that all have rows, in the same order."""
    counts = np.bincount(factor.codes, minlength=factor.size)
    present = np.flatnonzero(counts)
    if len(present) == factor.size:
        return factor
    places = np.zeros(factor.size, np.intp)
    places[present] = np.arange(len(present))
    return Factor(places[factor.codes], len(present), lambda wanted: factor.at(present[wanted]))


def repeating_factor(column: ColumnData, size: int) -> Factor | None:
    """A factor of a column that has the same ascending values again and again; else None.

    So have dates where all entries have the same ones, and then they needn't be told apart row by
    row.

    Args:
        column: of dates or instants.
        size: after how many rows it begins again; 0 where it doesn't.
    """
    if not size or column.valid is not None or not len(column):
        return None
    values = column.values.reshape(-1, size)
    first, own_type = values[0], column.type
    if not (first[1:] > first[:-1]).all() or not (values == first).all():
        return None

    def at(wanted: Array) -> ColumnData:
        return ColumnData(own_type, first[wanted])

    codes = np.empty(values.shape, np.intp)
    codes[:] = np.arange(size)
    return Factor(codes.reshape(-1), size, at, is_repeating=True)


def dense_factor(column: ColumnData) -> Factor:
    """A factor all of whose codes have rows, that holds on to nothing else of the column.

    Args:
        column: of one row at least.
    """
    factor = without_gaps(factor_of(column))
    distinct = factor.values()
    distinct.values.setflags(write=False)  # it is given on as it is
    return Factor(factor.codes, factor.size, distinct.take, distinct=distinct)
