"""The text that Postgres prints for a value, for every kind.

``like`` compares it on columns that aren't text, and CSV writes it. Instants are in UTC with
``+00``; booleans are ``true`` and ``false``, as when cast to text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from math import inf, nextafter
from typing import Any, Final
from uuid import UUID

import numpy as np

from warmcube.model.columns import Array, ColumnData
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.instants import day_text, instant_text
from warmcube.query.numbers import decimals_of, reserved
from warmcube.query.ranking import used_codes

__all__ = ["distinct_texts", "texts"]

_FIXED_UP_TO: Final = {Kind.REAL: 5, Kind.DOUBLE: 14}
"""Greatest decimal exponent that is printed without one (``float4out``, ``float8out``)."""

_FIXED_FROM: Final = -4


def texts(column: ColumnData, encode: Callable[[str], str] = str) -> list[str | None]:
    """The text of every row; None where it is NULL.

    Args:
        column: of any kind.
        encode: is applied to each distinct text once.
    """
    distinct, rows = distinct_texts(column)
    encoded = [encode(text) for text in distinct]
    if column.valid is None:
        return [encoded[row] for row in rows.tolist()]
    return [
        encoded[row] if is_valid else None
        for row, is_valid in zip(rows.tolist(), column.valid.tolist(), strict=True)
    ]


def distinct_texts(column: ColumnData) -> tuple[list[str], Array]:
    """The texts of the values in use, and for each row which one is its own.

    Of a NULL row that is arbitrary, and no position at all where there are no texts. Texts of
    different values may be equal.
    """
    kind, values = column.type.kind, column.values
    if kind is Kind.TEXT:
        dictionary: Any = column.dictionary
        codes, used = used_codes(column)
        if not len(used):
            return [], codes
        places = np.zeros(len(dictionary), np.int64)
        places[used] = np.arange(len(used))
        return [dictionary[code] for code in used.tolist()], places[codes]
    if kind.is_float:
        # By their bits: -0 and 0 print differently.
        bits = np.ascontiguousarray(values).view(f"i{values.itemsize}")
        found, rows = np.unique(bits, return_inverse=True)
        return [_float_text(value, column.type) for value in found.view(values.dtype)], rows
    found, rows = np.unique(values, return_inverse=True)
    if kind is Kind.UUID:
        packed = found.tobytes()
        return [str(UUID(bytes=packed[at : at + 16])) for at in range(0, len(packed), 16)], rows
    if kind is Kind.NUMERIC:
        return [f"{number:f}" for number in decimals_of(found.tolist(), column.type)], rows
    printer = _PRINTERS[kind]
    return [printer(value, column.type) for value in found.tolist()], rows


def _integer_text(value: int, _type: ColumnType) -> str:
    return str(value)


def _boolean_text(value: bool, _type: ColumnType) -> str:
    return "true" if value else "false"


def _infinity_text(value: int, type: ColumnType) -> str | None:
    special = reserved(type)
    if value in (special.least, special.infinity):
        return "infinity" if value > 0 else "-infinity"
    return None


def _date_text(value: int, type: ColumnType) -> str:
    return _infinity_text(value, type) or day_text(value)


def _timestamp_text(value: int, type: ColumnType) -> str:
    return _infinity_text(value, type) or instant_text(value)


def _timestamptz_text(value: int, type: ColumnType) -> str:
    return _infinity_text(value, type) or instant_text(value, "+00")


def _float_text(value: Any, type: ColumnType) -> str:
    number = float(value)
    if not np.isfinite(value):
        return "NaN" if np.isnan(value) else "Infinity" if number > 0 else "-Infinity"
    sign = "-" if np.signbit(value) else ""
    if number == 0:
        return f"{sign}0"
    digits, exponent = _shortest(abs(value))
    if _FIXED_FROM <= exponent <= _FIXED_UP_TO[type.kind]:
        return sign + _fixed(digits, exponent)
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{exponent:+03}"


def _fixed(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    decimals = digits[exponent + 1 :]
    return f"{whole}.{decimals}" if decimals else whole


def _shortest(size: np.floating[Any]) -> tuple[str, int]:
    """The fewest digits that only this value is nearest to, and the exponent of the first.

    Python's shortest text may lie exactly half-way to a neighbour and count on rounding to even;
    Postgres's never does (1e23 is 9.999999999999999e+22), so that then more digits are needed.
    """
    found = Decimal(str(size))
    count = len(found.normalize().as_tuple().digits)
    while _is_halfway(found, size):
        count += 1
        found = Decimal(f"{Decimal(float(size)):.{count - 1}e}")
    digits = "".join(map(str, found.as_tuple().digits)).rstrip("0")
    return digits, found.adjusted()


def _is_halfway(found: Decimal, size: np.floating[Any]) -> bool:
    """Whether a decimal lies exactly between a float and one of its neighbours."""
    if isinstance(size, np.float32):
        with np.errstate(over="ignore"):  # the greatest has no neighbour
            below, above = (float(np.nextafter(size, np.float32(end))) for end in (0, inf))
    else:
        below, above = nextafter(float(size), 0), nextafter(float(size), inf)
    opposite = 2 * Fraction(found) - Fraction(float(size))
    return opposite == Fraction(below) or (above != inf and opposite == Fraction(above))


_PRINTERS: Final[Mapping[Kind, Callable[[Any, ColumnType], str]]] = {
    Kind.SMALLINT: _integer_text,
    Kind.INTEGER: _integer_text,
    Kind.BIGINT: _integer_text,
    Kind.BOOLEAN: _boolean_text,
    Kind.DATE: _date_text,
    Kind.TIMESTAMP: _timestamp_text,
    Kind.TIMESTAMPTZ: _timestamptz_text,
}
