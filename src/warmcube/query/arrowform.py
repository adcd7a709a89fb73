"""An answer as an Arrow table: plain columns that hold nothing but the answer's own rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np
import pyarrow as pa

from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import Kind
from warmcube.query.numbers import MAX_PRECISION, reserved
from warmcube.query.textform import distinct_texts, texts

__all__ = ["LONGEST_DECIMAL", "arrow_table", "arrow_texts"]

LONGEST_DECIMAL: Final = 76
"""Digits of Arrow's longest decimal type."""

_STRING_BYTES: Final = 2**31 - 1
"""What a column of Arrow's ``string`` can hold; beyond it is ``large_string``."""

_PLAIN: Final = {
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.TIMESTAMPTZ: pa.timestamp("us", tz="UTC"),
}


def arrow_table(
    table: Table,
    *,
    longest_decimal: int = LONGEST_DECIMAL,
    as_text: Collection[str] = (),
) -> pa.Table:
    """The table in Arrow's types.

    Numerics become decimals with their precision and scale, dates ``date32``, timestamps
    ``timestamp[us]`` (in UTC where they are instants), text and uuid ``string``. A column with a
    value that Arrow has no place for (NaN or an infinity among numerics, infinity among dates and
    timestamps, an average of too many digits) becomes a ``string`` column of Postgres's texts.

    Args:
        table: the answer.
        longest_decimal: digits of the longest decimal that may be used.
        as_text: columns that become texts whatever is in them, since they do so elsewhere in the
            same answer.
    """
    arrays = [
        _text_array(column) if name in as_text else _array(column, longest_decimal)
        for name, column in table.columns.items()
    ]
    return pa.Table.from_arrays(arrays, names=list(table.columns))


def arrow_texts(table: Table) -> set[str]:
    """The columns that become texts because of a value in them that Arrow has no place for."""
    return {name for name, column in table.columns.items() if _has_no_place(column)}


def _has_no_place(column: ColumnData) -> bool:
    kind = column.type.kind
    if kind is not Kind.NUMERIC and kind is not Kind.DATE and not kind.is_instant:
        return False
    known = column.values if column.valid is None else column.values[column.valid]
    if not len(known):
        return False
    special = reserved(column.type)
    return bool(known.min() == special.least or known.max() >= special.infinity)


def _array(column: ColumnData, longest_decimal: int) -> pa.Array[Any]:
    kind = column.type.kind
    if kind in (Kind.TEXT, Kind.UUID):
        return _text_array(column)
    if _has_no_place(column):
        return _text_array(column)
    if kind is Kind.NUMERIC:
        return _decimal_array(column, longest_decimal)
    # A copy: what stands under NULLs must not leave, nor an array that this one is a part of.
    values = column.values.copy()
    if column.valid is None:
        return pa.array(values).cast(_PLAIN[kind])
    values[~column.valid] = 0
    return pa.array(values, mask=~column.valid).cast(_PLAIN[kind])


def _text_array(column: ColumnData) -> pa.Array[Any]:
    own = ColumnData(
        column.type,
        column.values if column.valid is None else column.values[column.valid],
        None,
        column.dictionary,
    )
    distinct, rows = distinct_texts(own)
    places: Array = rows
    if column.valid is not None:
        places = np.zeros(len(column), np.int64)
        places[column.valid] = rows
    lengths = np.array([len(text.encode()) for text in distinct], np.int64)
    string = pa.string() if int(lengths[rows].sum()) <= _STRING_BYTES else pa.large_string()
    mask = None if column.valid is None else ~column.valid
    return pa.array(distinct, string).take(pa.array(places, mask=mask))


def _decimal_array(column: ColumnData, longest_decimal: int) -> pa.Array[Any]:
    precision = max(column.type.precision, column.type.scale)
    if precision > longest_decimal:
        return pa.array(texts(column), pa.string())
    values = column.values
    if column.valid is not None:
        values = np.where(column.valid, values, 0)
    if precision > MAX_PRECISION:
        decimal: pa.DataType = pa.decimal256(precision, column.type.scale)
        packed = b"".join(value.to_bytes(32, "little", signed=True) for value in values.tolist())
    else:
        decimal = pa.decimal128(precision, column.type.scale)
        packed = _packed(values)
    bits = None if column.valid is None else _bits(column.valid)
    return pa.Array.from_buffers(decimal, len(values), [bits, pa.py_buffer(packed)])


def _packed(values: Array) -> bytes:
    """Integers as 16 bytes each, little-endian."""
    if values.dtype == np.object_:
        return b"".join(value.to_bytes(16, "little", signed=True) for value in values.tolist())
    halves = np.empty((len(values), 2), "<i8")
    halves[:, 0] = values
    halves[:, 1] = values >> 63  # the sign, in every bit
    return halves.tobytes()


def _bits(valid: Array) -> pa.Buffer:
    return pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
