"""What DuckDB gives for the expressions of `warmcube.source.duckdb_column`, in storage form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from warmcube.model.schema import Column, Kind, Schema
from warmcube.source.storage_form import (
    DATE_MAX,
    DATE_MIN,
    INSTANT_MAX,
    INSTANT_MIN,
    Array,
    storage_batch,
    unsupported,
)

__all__ = ["duckdb_batch"]

_MICROSECONDS: Final = {"s": 1_000_000, "ms": 1_000, "us": 1}


def duckdb_batch(arrays: Sequence[Array], schema: Schema) -> pa.RecordBatch:
    """A batch in storage form; `arrays` are one per column of `schema`, in its order.

    Raises:
        UnsupportedValue: a value can't be kept exactly; names the column.
    """
    placed = [_placed(array, column) for array, column in zip(arrays, schema.columns, strict=True)]
    return storage_batch(placed, schema)


def _placed(array: Array, column: Column) -> Array:
    """Dates and instants as integers; in DuckDB, minus the greatest one is -infinity."""
    if column.type.kind is Kind.DATE:
        days = np.asarray(array.cast(pa.int32()).fill_null(0))
        return _array(np.where(days == -DATE_MAX, np.int32(DATE_MIN), days), array)
    if column.type.kind.is_instant:
        raw = np.asarray(array.cast(pa.int64()).fill_null(0))
        return _array(_instants(raw, array.type.unit, column), array)
    return array


def _instants(raw: np.ndarray[tuple[int], np.dtype[np.int64]], unit: str, column: Column) -> object:
    late, early = raw == INSTANT_MAX, raw == -INSTANT_MAX
    finite = np.where(late | early, 0, raw)
    if unit == "ns":
        if (finite % 1000).any():
            raise unsupported(column, "an instant with nanoseconds, where microseconds are kept")
        finite = finite // 1000
    else:
        times = _MICROSECONDS[unit]
        if len(finite) and max(int(finite.max()), -int(finite.min())) > (INSTANT_MAX - 1) // times:
            raise unsupported(column, "an instant too far from 1970 for microseconds")
        finite = finite * times
    return np.where(late, INSTANT_MAX, np.where(early, INSTANT_MIN, finite))


def _array(values: object, like: Array) -> Array:
    return pa.array(values, mask=np.asarray(like.is_null()) if like.null_count else None)
