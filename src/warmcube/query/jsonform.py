r"""An answer as JSON for programs, column by column or row by row, written fast.

Both forms hold the same values:

========================= ==================================================================
smallint, integer         a number
bigint                    a number; with ``decimals="string"`` a text beyond ±(2⁵³ - 1), where
                          readers that hold numbers as doubles would lose digits
numeric                   with all digits of the column's scale: ``"12.50"``, or ``12.50`` with
                          ``decimals="number"``
real, double              a number that reads back as this value
boolean                   ``true``, ``false``
date                      ``"2024-12-31"``
timestamp, timestamptz    ``"2024-12-31T23:59:59.5"``, instants with ``+00:00``
uuid, text                text; half of a surrogate pair is escaped (``\ud800``)
NULL                      ``null``
========================= ==================================================================

NaN and the infinities of numbers are the texts ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``
whatever is asked; days and instants outside the years 1 to 9999 are Postgres's text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from operator import add
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import orjson

from warmcube.model.columns import Array, ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.instants import day_of, instant_of
from warmcube.query.numbers import reserved
from warmcube.query.result import Result
from warmcube.query.textform import texts

__all__ = ["Decimals", "columns_json", "rows_json"]

Decimals: TypeAlias = Literal["string", "number"]

_EXACT_DOUBLE: Final = (1 << 53) - 1
_MOST_TABLED: Final = 4
"""Decimals up to which all fractions are kept ready."""
_DAYS: Final = (day_of(date.min), day_of(date.max))
_INSTANTS: Final = (
    instant_of(datetime.min.replace(tzinfo=UTC)),
    instant_of(datetime.max.replace(tzinfo=UTC)),
)
_TRAILING_ZEROS: Final = re.compile(rb'(\.\d*[1-9])0+(?=["+])')
_CLOCK: Final = re.compile(r"(\d{4}-\d\d-\d\d) ([\d:.]+)(?:\+00)?", re.ASCII)
_NULL: Final = b"null"


def columns_json(result: Result, *, decimals: Decimals = "string") -> bytes:
    """One object: for each column, in order, its name and an array of its values.

    Args:
        result: the answer.
        decimals: how numerics, and integers that doubles can't hold, are written.
    """
    return result.encoded(("columns", decimals), lambda: _columns(result.table, decimals))


def _columns(table: Table, decimals: Decimals) -> bytes:
    columns = table.columns.items()
    return (
        b"{"
        + b",".join(
            [_text(name) + b":[" + _values(column, decimals) + b"]" for name, column in columns]
        )
        + b"}"
    )


def rows_json(result: Result, *, decimals: Decimals = "string") -> bytes:
    """One array of objects, one for each row.

    Args:
        result: the answer.
        decimals: how numerics, and integers that doubles can't hold, are written.
    """
    return result.encoded(("rows", decimals), lambda: _rows(result.table, decimals))


def _rows(table: Table, decimals: Decimals) -> bytes:
    rows, columns = table.rows, table.columns
    if not rows:
        return b"[]"
    if not columns:
        return b"[" + b",".join([b"{}"] * rows) + b"]"
    width = 2 * len(columns)
    pieces = [b""] * (width * rows)
    opening = b",{"
    for place, (name, column) in enumerate(columns.items()):
        pieces[2 * place :: width] = [opening + _text(name) + b":"] * rows
        pieces[2 * place + 1 :: width] = _each(column, decimals)
        opening = b"," if place + 1 < len(columns) else b""
    # The last piece of a row is its last value, to which the brace belongs.
    pieces[width - 1 :: width] = [value + b"}" for value in pieces[width - 1 :: width]]
    pieces[0] = pieces[0][1:]
    return b"[" + b"".join(pieces) + b"]"


def _each(column: ColumnData, decimals: Decimals) -> list[bytes]:
    if column.type.kind is Kind.TEXT:
        known: dict[int, bytes] = {}
        dictionary: Any = column.dictionary
        found = []
        for code in _codes(column):
            text = known.get(code)
            if text is None:
                text = known[code] = _NULL if code < 0 else _text(dictionary[code])
            found.append(text)
        return found
    return _values(column, decimals).split(b",")  # nothing but text has a comma


def _values(column: ColumnData, decimals: Decimals) -> bytes:
    """All values, with commas between."""
    kind = column.type.kind
    if kind is Kind.TEXT:
        return _texts(column)
    if not len(column):
        return b""
    values = _WRITERS[kind](column, decimals)
    return values if column.valid is None else _with_nulls(values, column.valid)


def _with_nulls(values: bytes, valid: Array) -> bytes:
    found = values.split(b",")
    for row in np.flatnonzero(~valid).tolist():
        found[row] = _NULL
    return b",".join(found)


def _text(text: str) -> bytes:
    try:
        return orjson.dumps(text)
    except TypeError:  # half of a surrogate pair
        return json.dumps(text).encode()


def _codes(column: ColumnData) -> list[int]:
    """Positions in the dictionary; -1 for NULL."""
    codes: list[int] = (
        column.values if column.valid is None else np.where(column.valid, column.values, -1)
    ).tolist()
    return codes


def _texts(column: ColumnData) -> bytes:
    dictionary: Any = column.dictionary
    if column.valid is None and len(dictionary) == 1:
        return b",".join([_text(dictionary[0])] * len(column))
    plain: list[str | None]
    if column.valid is None:
        plain = list(map(dictionary.__getitem__, _codes(column)))
    else:
        plain = [None if code < 0 else dictionary[code] for code in _codes(column)]
    try:
        return orjson.dumps(plain)[1:-1]
    except TypeError:  # half of a surrogate pair
        return b",".join(_each(column, "string"))


def _known(column: ColumnData) -> Array:
    """The values, with zeros for what stands under NULLs."""
    if column.valid is None:
        return column.values
    return np.where(column.valid, column.values, column.values.dtype.type(0))


def _array(values: Array) -> bytes:
    return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]


def _plain(column: ColumnData, _decimals: Decimals) -> bytes:
    return _array(column.values)


def _bigints(column: ColumnData, decimals: Decimals) -> bytes:
    values = _known(column)
    written = _array(values)
    if decimals == "number" or -_EXACT_DOUBLE <= values.min() <= values.max() <= _EXACT_DOUBLE:
        return written
    return b",".join(
        [
            value if len(value) < 16 or abs(int(value)) <= _EXACT_DOUBLE else b'"%b"' % value
            for value in written.split(b",")
        ]
    )


def _floats(column: ColumnData, _decimals: Decimals) -> bytes:
    values = _known(column)
    is_finite = np.isfinite(values)
    if is_finite.all():
        return _array(values)
    found = _array(np.where(is_finite, values, values.dtype.type(0))).split(b",")
    for row in np.flatnonzero(~is_finite).tolist():
        value = values[row]
        found[row] = b'"NaN"' if np.isnan(value) else b'"Infinity"' if value > 0 else b'"-Infinity"'
    return b",".join(found)


def _numerics(column: ColumnData, decimals: Decimals) -> bytes:
    values = _known(column)
    quote = b'"' if decimals == "string" else b""
    if values.dtype != np.object_:
        special = reserved(column.type)
        if special.least < values.min() and values.max() < special.infinity:
            return _scaled(values, column.type.scale, quote)
        return _long_numerics(values.tolist(), column.type, quote)
    try:
        narrow = values.astype(np.int64)
    except OverflowError:
        return _long_numerics(values.tolist(), column.type, quote)
    return _scaled(narrow, column.type.scale, quote)


def _scaled(values: Array, scale: int, quote: bytes) -> bytes:
    """Numerics that are int64."""
    if not scale:
        written = _array(values)
        return quote + written.replace(b",", quote + b"," + quote) + quote
    if scale > 18 or values.min() == -(1 << 63):  # beyond which nothing below fits int64
        return b",".join([_long(value, scale, quote) for value in values.tolist()])
    unit = 10**scale
    is_negative = values < 0
    whole, part = np.divmod(np.abs(values), unit)
    has_negative = is_negative.any()
    if has_negative:
        whole = np.where(is_negative, -whole, whole)
    heads = _array(whole).replace(b",", b"," + quote).split(b",")
    heads[0] = quote + heads[0]
    if has_negative:
        for row in np.flatnonzero(is_negative & (whole == 0)).tolist():  # there is no -0
            heads[row] = quote + b"-0"
    if scale <= _MOST_TABLED:
        return b",".join(map(add, heads, map(_fractions(scale, quote).__getitem__, part.tolist())))
    tails = _array(part + unit).split(b",")
    return b",".join(
        [head + b"." + tail[1:] + quote for head, tail in zip(heads, tails, strict=True)]
    )


@cache
def _fractions(scale: int, quote: bytes) -> Sequence[bytes]:
    return [b".%0*d%b" % (scale, part, quote) for part in range(10**scale)]


def _long_numerics(values: Sequence[int], type: ColumnType, quote: bytes) -> bytes:
    special = reserved(type)
    names = {
        special.nan: b'"NaN"',
        special.infinity: b'"Infinity"',
        special.least: b'"-Infinity"',
    }
    return b",".join([names.get(value) or _long(value, type.scale, quote) for value in values])


def _long(value: int, scale: int, quote: bytes) -> bytes:
    digits = b"%0*d" % (scale + 1, abs(value))
    number = digits[:-scale] + b"." + digits[-scale:] if scale else digits
    return quote + (b"-" if value < 0 else b"") + number + quote


def _dates(column: ColumnData, _decimals: Decimals) -> bytes:
    values = _known(column)
    if _DAYS[0] <= values.min() and values.max() <= _DAYS[1]:
        return orjson.dumps(values.astype(np.int64).view("M8[D]").tolist())[1:-1]
    return _printed(column)


def _instants(column: ColumnData, _decimals: Decimals) -> bytes:
    values = _known(column)
    if not (_INSTANTS[0] <= values.min() and values.max() <= _INSTANTS[1]):
        return _printed(column)
    moments: Array = np.ascontiguousarray(values).view("M8[us]")
    option = orjson.OPT_SERIALIZE_NUMPY
    if column.type.kind is Kind.TIMESTAMPTZ:
        option |= orjson.OPT_NAIVE_UTC
    written = orjson.dumps(moments, option=option)[1:-1]
    return _TRAILING_ZEROS.sub(rb"\1", written) if b"." in written else written


def _printed(column: ColumnData, _decimals: Decimals = "string") -> bytes:
    """Postgres's text, with the clock as in ISO 8601."""
    return b",".join([_NULL if text is None else text.encode() for text in texts(column, _quoted)])


def _quoted(text: str) -> str:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return f'"{text}"'
    return f'"{match[1]}T{match[2]}{"+00:00" if text.endswith("+00") else ""}"'


_WRITERS: Final[Mapping[Kind, Callable[[ColumnData, Decimals], bytes]]] = {
    Kind.SMALLINT: _plain,
    Kind.INTEGER: _plain,
    Kind.BIGINT: _bigints,
    Kind.REAL: _floats,
    Kind.DOUBLE: _floats,
    Kind.BOOLEAN: _plain,
    Kind.NUMERIC: _numerics,
    Kind.DATE: _dates,
    Kind.TIMESTAMP: _instants,
    Kind.TIMESTAMPTZ: _instants,
    Kind.UUID: _printed,
}
