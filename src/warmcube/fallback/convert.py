"""Arrow in storage form as decoded columns, so that one evaluator serves both tiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import ColumnType, Kind, Schema

__all__ = ["column_from_arrow", "table_from_arrow"]


def table_from_arrow(table: pa.Table, schema: Schema) -> Table:
    """A table of storage-form columns, each of them in `schema`."""
    columns = {
        name: column_from_arrow(table.column(name), schema[name].type)
        for name in table.column_names
    }
    return Table(columns, table.num_rows)


def column_from_arrow(chunked: pa.ChunkedArray, type: ColumnType) -> ColumnData:
    """One storage-form column."""
    array = chunked.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # without any chunk
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], chunked.type)
    valid = np.asarray(array.is_valid()) if array.null_count else None
    if type.kind is Kind.TEXT:
        encoded = array.dictionary_encode()
        codes = np.asarray(encoded.indices.fill_null(0)).astype(np.int64)
        return ColumnData(type, codes, valid, encoded.dictionary.to_pylist() or [""])
    return ColumnData(type, _values(array, type), valid)


def _values(array: pa.Array, type: ColumnType) -> Array:
    if type.kind is Kind.UUID or type.is_wide:
        raw: list[bytes] = array.fill_null(bytes(16)).to_pylist()
        if type.kind is Kind.UUID:
            return np.array(raw, "S16")
        wide = np.empty(len(raw), object)
        wide[:] = [int.from_bytes(value, "little", signed=True) for value in raw]
        return wide
    zero: Any = False if type.kind is Kind.BOOLEAN else 0
    return np.asarray(array.fill_null(zero))
