"""Arrow arrays as a database gives them, turned into storage form, exactly or not at all.

What the drivers give and what they can't: dates and timestamps come as their integers (an adapter
says which integers stand for the infinities), numerics as Postgres's text, since Arrow's decimals
know no NaN and no infinity.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import NARROW_PRECISION, Column, ColumnType, Kind, Schema

__all__ = [
    "DATE_MAX",
    "DATE_MIN",
    "INSTANT_MAX",
    "INSTANT_MIN",
    "WIDEST_PRECISION",
    "Array",
    "storage_array",
    "storage_batch",
    "storage_schema",
    "unsupported",
]

Array: TypeAlias = "pa.Array[Any]"

WIDEST_PRECISION: Final = 38
"""Digits that a numeric may have at most."""

INSTANT_MAX: Final = 2**63 - 1
INSTANT_MIN: Final = -(2**63)
DATE_MAX: Final = 2**31 - 1
DATE_MIN: Final = -(2**31)

_PLAIN: Final[dict[Kind, pa.DataType]] = {
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.REAL: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.int32(),
    Kind.TIMESTAMP: pa.int64(),
    Kind.TIMESTAMPTZ: pa.int64(),
    Kind.TEXT: pa.string(),
    Kind.UUID: pa.binary(16),
}
_SIXTEEN: Final = pa.binary(16)
_SPECIAL_TEXTS: Final = ("NaN", "Infinity", "-Infinity")
_NARROW_SPECIALS: Final = (2**63 - 1, 2**63 - 2, -(2**63))
_WIDE_SPECIALS: Final = ((-1, 2**63 - 1), (-2, 2**63 - 1), (0, -(2**63)))  # low and high half


def storage_type(type: ColumnType) -> pa.DataType:
    """The Arrow type of a column in storage form."""
    if type.kind is Kind.NUMERIC:
        return _SIXTEEN if type.is_wide else pa.int64()
    return _PLAIN[type.kind]


def storage_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of these columns in storage form."""
    return pa.schema([pa.field(column.name, storage_type(column.type)) for column in columns])


def storage_batch(arrays: Sequence[Array], schema: Schema) -> pa.RecordBatch:
    """A batch in storage form out of a driver's arrays, one per column of `schema`.

    Raises:
        UnsupportedValue: a value can't be kept exactly; names the column.
    """
    kept = [
        storage_array(array, column) for array, column in zip(arrays, schema.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(kept, schema=storage_schema(schema.columns))


def storage_array(array: Array, column: Column) -> Array:
    """One column in storage form.

    Args:
        array: what the driver gave: text for numerics (or decimals, where they hold nothing but
            numbers), integers or Arrow's own types for the rest, infinities already in place.
        column: its name, for messages, and its type.

    Raises:
        UnsupportedValue: a value can't be kept exactly; names the column.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind, wanted = column.type.kind, storage_type(column.type)
    if kind is Kind.NUMERIC:
        return _numeric(array, column)
    if kind is Kind.DATE or kind.is_instant:
        return array if array.type.equals(wanted) else array.cast(wanted)
    if array.type.equals(wanted):
        return array
    try:
        return array.cast(wanted)
    except pa.ArrowInvalid:
        raise unsupported(column, "a value that its declared type can't hold") from None


def unsupported(column: Column, what: str) -> UnsupportedValue:
    """The error for a value that can't be kept; never shows the value itself."""
    declared = column.type.source_type or str(column.type)
    return UnsupportedValue(
        f"column {column.name!r} ({declared}) holds {what}; nothing is rounded or left out, so "
        "change the value, or read a view that leaves the column out or casts it to text"
    )


def _numeric(array: Array, column: Column) -> Array:
    finite, specials = array, None
    target = pa.decimal128(
        WIDEST_PRECISION if column.type.is_wide else NARROW_PRECISION, column.type.scale
    )
    try:
        decimals = finite.cast(target)
    except pa.ArrowInvalid:
        if not pa.types.is_string(array.type):
            raise _too_long(column) from None
        specials = pc.is_in(array, value_set=pa.array(_SPECIAL_TEXTS))
        finite = pc.if_else(specials, pa.scalar(None, pa.string()), array)
        try:
            decimals = finite.cast(target)
        except pa.ArrowInvalid:
            raise _too_long(column) from None
    halves = _halves(decimals)
    if column.type.is_wide:
        return _wide(halves, array, specials)
    low = halves[:, 0].copy()
    _place(array, specials, lambda rows, which: low.__setitem__(rows, _NARROW_SPECIALS[which]))
    return pa.array(low, mask=np.asarray(array.is_null()) if array.null_count else None)


def _wide(halves: npt.NDArray[np.int64], array: Array, specials: Array | None) -> Array:
    if specials is not None:
        halves = halves.copy()
        _place(array, specials, lambda rows, which: halves.__setitem__(rows, _WIDE_SPECIALS[which]))
    data = pa.py_buffer(np.ascontiguousarray(halves))
    valid = array.is_valid().buffers()[1] if array.null_count else None
    return pa.Array.from_buffers(_SIXTEEN, len(array), [valid, data])


def _place(
    array: Array,
    specials: Array | None,
    put: Callable[[npt.NDArray[np.bool_], int], None],
) -> None:
    """Put the reserved values where the texts of NaN and the infinities stand."""
    if specials is None:
        return
    for which, text in enumerate(_SPECIAL_TEXTS):
        put(np.asarray(pc.fill_null(pc.equal(array, text), False)), which)


def _halves(decimals: Array) -> npt.NDArray[np.int64]:
    """The low and high 64 bits of 128-bit decimals, which Arrow keeps little-endian."""
    data = decimals.buffers()[1]
    if data is None:
        return np.zeros((len(decimals), 2), np.int64)
    words = np.frombuffer(data, "<i8").reshape(-1, 2)
    return words[decimals.offset : decimals.offset + len(decimals)]


def _too_long(column: Column) -> UnsupportedValue:
    return unsupported(column, f"a number that doesn't fit {column.type}")
