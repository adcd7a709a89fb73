"""Columns back from what travels: the reverse of `warmcube.query`'s forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from warmcube.errors import ServiceError
from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.formats import TYPE_KEY
from warmcube.query.instants import INFINITIES, parse_day, parse_instant
from warmcube.query.numbers import floor_scaled, reserved

__all__ = ["column_of", "table_of_stream", "type_of"]

_NUMERIC: Final = re.compile(r"numeric\((\d+),(-?\d+)\)", re.ASCII)
_MICROSECOND: Final = 1_000_000
_DTYPES: Final[Mapping[Kind, type[Any]]] = {
    Kind.SMALLINT: np.int16,
    Kind.INTEGER: np.int32,
    Kind.BIGINT: np.int64,
    Kind.REAL: np.float32,
    Kind.DOUBLE: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.DATE: np.int32,
    Kind.TIMESTAMP: np.int64,
    Kind.TIMESTAMPTZ: np.int64,
    Kind.TEXT: np.int64,
}


def type_of(text: str) -> ColumnType:
    """A column's type by its name.

    Raises:
        ServiceError: there is none of this name.
    """
    numeric = _NUMERIC.fullmatch(text)
    if numeric is not None:
        return ColumnType(Kind.NUMERIC, int(numeric[1]), int(numeric[2]))
    try:
        return ColumnType(Kind(text))
    except ValueError:
        raise ServiceError(
            f"the service has a column of type {text!r}, which this client doesn't know; "
            "use the version of warmcube that the service has"
        ) from None


def column_of(type: ColumnType, values: Sequence[Any]) -> ColumnData:
    """A column of the values of a JSON array, or of Postgres's texts.

    Args:
        type: the column's.
        values: numbers, booleans and texts; None for NULL.

    Raises:
        ServiceError: a value isn't of this type.
    """
    valid = None
    if None in values:
        valid = np.array([value is not None for value in values], np.bool_)
    known = [value for value in values if value is not None]
    try:
        if type.kind is Kind.TEXT:
            dictionary = tuple(dict.fromkeys(map(_text, known)))
            places = {text: place for place, text in enumerate(dictionary)}
            return _spread(type, [places[text] for text in known], valid, dictionary)
        read = _READERS[type.kind]
        return _spread(type, [read(value, type) for value in known], valid)
    except (ValueError, TypeError, OverflowError, ArithmeticError):
        raise ServiceError(f"the service has sent a value that is no {type}") from None


def _spread(
    type: ColumnType,
    known: Sequence[Any],
    valid: Array | None,
    dictionary: Sequence[str] | None = None,
) -> ColumnData:
    """A column with these values where it isn't NULL."""
    dtype = _dtype(type)
    values = np.zeros(len(known) if valid is None else len(valid), dtype)
    values[... if valid is None else valid] = np.array(known, dtype)
    return ColumnData(type, values, valid, dictionary)


def _dtype(type: ColumnType) -> Any:
    if type.kind is Kind.UUID:
        return "S16"
    if type.kind is Kind.NUMERIC:
        return np.object_ if type.is_wide else np.int64
    return _DTYPES[type.kind]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any, _type: ColumnType) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any, _type: ColumnType) -> int:
    return int(value)


def _float(value: Any, _type: ColumnType) -> float:
    return float(value)


def _numeric(value: Any, type: ColumnType) -> int:
    number, special = Decimal(value), reserved(type)
    if number.is_nan():
        if special.nan is None:
            raise ValueError
        return special.nan
    if number.is_infinite():
        return special.infinity if number > 0 else special.least
    scaled, is_exact = floor_scaled(number, type.scale)
    if not is_exact:
        raise ValueError
    return scaled


def _uuid(value: Any, _type: ColumnType) -> bytes:
    return UUID(value).bytes


def _day(value: Any, type: ColumnType) -> int:
    return _infinity(value, type) if value in INFINITIES else parse_day(value)


def _instant(value: Any, type: ColumnType) -> int:
    if value in INFINITIES:
        return _infinity(value, type)
    wall, offset = parse_instant(value)
    return wall if offset is None else wall - int(offset.total_seconds()) * _MICROSECOND


def _infinity(value: str, type: ColumnType) -> int:
    special = reserved(type)
    return special.infinity if INFINITIES[value] > 0 else special.least


_READERS: Final[Mapping[Kind, Callable[[Any, ColumnType], Any]]] = {
    Kind.SMALLINT: _integer,
    Kind.INTEGER: _integer,
    Kind.BIGINT: _integer,
    Kind.REAL: _float,
    Kind.DOUBLE: _float,
    Kind.BOOLEAN: _boolean,
    Kind.NUMERIC: _numeric,
    Kind.UUID: _uuid,
    Kind.DATE: _day,
    Kind.TIMESTAMP: _instant,
    Kind.TIMESTAMPTZ: _instant,
}


def table_of_stream(body: bytes) -> Table:
    """The table of an Arrow stream whose fields have their types in their metadata.

    Raises:
        ServiceError: it is something else.
    """
    try:
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        columns = {
            field.name: _of_arrow(_declared(field), table.column(place).combine_chunks())
            for place, field in enumerate(table.schema)
        }
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ServiceError(
            f"the service's answer is no table of this client's form ({type(error).__name__}); "
            "use the version of warmcube that the service has"
        ) from None
    return Table(columns, table.num_rows)


def _declared(field: Any) -> ColumnType:
    return type_of((field.metadata or {}).get(TYPE_KEY, b"").decode())


def _of_arrow(type: ColumnType, array: Any) -> ColumnData:
    kind = type.kind
    if kind is Kind.TEXT:
        encoded = array.dictionary_encode()
        codes, valid = _filled(encoded.indices, 0, np.int64), _validity(encoded.indices)
        return ColumnData(type, codes, valid, tuple(encoded.dictionary.to_pylist()))
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return column_of(type, array.to_pylist())
    valid = _validity(array)
    if kind is Kind.NUMERIC:
        return ColumnData(type, _scaled(type, array, valid), valid)
    if kind is Kind.DATE:
        array = array.cast(pa.int32())
    elif kind.is_instant:
        array = array.cast(pa.int64())
    return ColumnData(type, _filled(array, False if kind is Kind.BOOLEAN else 0, None), valid)


def _validity(array: Any) -> Array | None:
    if not array.null_count:
        return None
    found: Array = array.is_valid().to_numpy(zero_copy_only=False)
    return found


def _filled(array: Any, empty: Any, dtype: Any) -> Array:
    filled = array.fill_null(empty) if array.null_count else array
    found: Array = filled.to_numpy(zero_copy_only=False)
    return found if dtype is None else found.astype(dtype)


def _scaled(type: ColumnType, array: Any, valid: Array | None) -> Array:
    """The integers behind decimals: 16 or 32 bytes each, little-endian."""
    width = array.type.bit_width // 8
    packed = np.frombuffer(array.buffers()[1], np.uint8)
    rows = packed[array.offset * width : (array.offset + len(array)) * width].tobytes()
    if not type.is_wide:
        narrow = np.frombuffer(rows, "<i8")[:: width // 8].astype(np.int64)
        return narrow if valid is None else np.where(valid, narrow, 0)
    wide = np.zeros(len(array), np.object_)
    for row in range(len(array)) if valid is None else np.flatnonzero(valid).tolist():
        wide[row] = int.from_bytes(rows[row * width : (row + 1) * width], "little", signed=True)
    return wide
