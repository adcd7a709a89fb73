"""Integers that compare as a column's values do, for order, groups, minimum and maximum.

Our own rules, the same for every source: text by code point, NaN largest and equal to itself,
-0 equal to 0, uuid bytewise, false before true.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from warmcube.model.columns import Array, ColumnData
from warmcube.model.schema import Kind

__all__ = ["is_own_rank", "ranks", "used_codes"]

_MAGNITUDE: Final = np.int64(0x7FFF_FFFF_FFFF_FFFF)


def is_own_rank(column: ColumnData) -> bool:
    """Whether `ranks` gives the column's very values."""
    kind = column.type.kind
    return (
        kind.is_integer
        or kind.is_instant
        or kind is Kind.DATE
        or (kind is Kind.NUMERIC and column.values.dtype != np.object_)
    )


def ranks(column: ColumnData) -> Array:
    """One integer per row: equal for equal values, less for lesser ones.

    The array is signed, so that ``~ranks`` has the reverse order. A NULL row's rank is arbitrary.
    """
    kind = column.type.kind
    if kind is Kind.TEXT:
        return _text_ranks(column)
    if kind.is_float:
        return _float_ranks(column.values)
    if kind is Kind.BOOLEAN:
        return column.values.astype(np.int8)
    if kind is Kind.UUID:
        return np.unique(column.values, return_inverse=True)[1]
    if column.values.dtype == np.object_:
        values = column.values.tolist()
        places = {value: place for place, value in enumerate(sorted(set(values)))}
        return np.fromiter((places[value] for value in values), np.int64, len(values))
    return column.values


def used_codes(column: ColumnData) -> tuple[Array, Array]:
    """The codes of a text column with those of NULL rows set to 0, and which codes are in use.

    A dictionary is the whole partition's, an answer uses little of it: work that costs something
    per value is done for the second array only. It may hold 0 for the sake of NULL rows; it is
    empty where the dictionary is.
    """
    codes = column.values if column.valid is None else np.where(column.valid, column.values, 0)
    is_used = np.zeros(len(column.dictionary or ()), np.bool_)
    if len(is_used):
        is_used[codes] = True
    return codes, np.flatnonzero(is_used)


def _text_ranks(column: ColumnData) -> Array:
    dictionary: Any = column.dictionary
    codes, used = used_codes(column)
    if not len(used):
        return codes
    ordered = sorted(used.tolist(), key=dictionary.__getitem__)
    places = np.zeros(len(dictionary), np.int64)
    places[ordered] = np.arange(len(ordered))
    return places[codes]


def _float_ranks(values: Array) -> Array:
    """Bits as integers, negative ones reversed; one NaN, one zero."""
    numbers = values.astype(np.float64) + 0.0  # -0 + 0 is 0
    numbers[np.isnan(numbers)] = np.nan
    bits = numbers.view(np.int64)
    return bits ^ ((bits >> np.int64(63)) & _MAGNITUDE)
