"""One text for one value, whether it comes from the cache as Python or from SQL as text.

Two values are the same exactly if their texts are; None is NULL. Numerics go by their value, so
12.5 is 12.50; floats by the double, or real, that they are; instants by microseconds in UTC.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

__all__ = ["Form", "from_python", "from_sql", "rank"]


class Form(StrEnum):
    """What kind of value a column holds, as far as its text goes."""

    INTEGER = "integer"
    NUMERIC = "numeric"
    REAL = "real"
    DOUBLE = "double precision"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    UUID = "uuid"
    TEXT = "text"

    @property
    def is_exact(self) -> bool:
        """Whether it is a number that is added up without loss."""
        return self in (Form.INTEGER, Form.NUMERIC)

    @property
    def is_float(self) -> bool:
        return self in (Form.REAL, Form.DOUBLE)


_DUCKDB_BC: Final = re.compile(r"(\S+) \(BC\)(.*)")
_FRACTION: Final = re.compile(r"\.(\d{1,6})\d*")


def from_sql(values: Iterable[str | None], form: Form) -> list[str | None]:
    """The texts of a column that SQL cast to text."""
    read = _FROM_SQL.get(form)
    if read is None:
        return list(values)
    return [None if value is None else read(value) for value in values]


def from_python(values: Iterable[Any], form: Form) -> list[str | None]:
    """The texts of a column of the cache's answer.

    A value of another Python type than the documented one gets a text that nothing equals.
    """
    types, read = _FROM_PYTHON[form]
    return [
        None if value is None else read(value) if type(value) in types else _strange(value)
        for value in values
    ]


def rank(text: str, form: Form) -> Any:
    """Where a value stands among those of its column: a key to sort by."""
    if form.is_exact:
        number = Decimal(text)
        # NaN is the greatest of all
        return (1, 0) if number.is_nan() else (0, number)
    if form.is_float:
        value = float(text)
        return (1, 0.0) if math.isnan(value) else (0, value)
    if form in (Form.DATE, Form.TIMESTAMP, Form.TIMESTAMPTZ):
        return _moment_rank(text)
    return text


def _moment_rank(text: str) -> tuple[int, int, str]:
    if text.endswith("infinity"):
        return (-2 if text.startswith("-") else 2, 0, "")
    year, _, rest = text.partition("-")
    if text.endswith(" BC"):
        return (-1, -int(year), rest)
    return (1, int(year), rest)


def _strange(value: Any) -> str:
    return f"<a {type(value).__name__} where another type belongs>"


def _number(text: str) -> str:
    if "." in text:
        text = text.rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    return text


def _decimal(value: Any) -> str:
    if not isinstance(value, Decimal):
        return str(value)
    return _number(format(value, "f")) if value.is_finite() else _special(value)


def _special(value: Decimal) -> str:
    return "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"


def _double(value: str | float) -> str:
    return repr(float(value))


def _real(value: str | float) -> str:
    number = float(value)
    if math.isfinite(number):
        (number,) = struct.unpack("f", struct.pack("f", number))
    return repr(number)


def _moment(text: str) -> str:
    """Postgres's text: BC behind, no zeros behind the fraction, UTC as +00."""
    bc = _DUCKDB_BC.fullmatch(text)
    if bc is not None:
        text = f"{bc[1]}{bc[2]} BC"
    if "." in text:
        text = _FRACTION.sub(lambda match: f".{match[1].rstrip('0')}".rstrip("."), text, count=1)
    return text


def _instant(value: Any) -> str:
    if not isinstance(value, datetime):
        return str(value)
    return _moment(value.isoformat(" ").replace("+00:00", "+00"))


def _day(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


_FROM_SQL: Final[Mapping[Form, Callable[[str], str]]] = {
    Form.NUMERIC: _number,
    Form.REAL: _real,
    Form.DOUBLE: _double,
    Form.DATE: _moment,
    Form.TIMESTAMP: _moment,
    Form.TIMESTAMPTZ: _moment,
}
_FROM_PYTHON: Final[Mapping[Form, tuple[tuple[type, ...], Callable[[Any], str]]]] = {
    Form.INTEGER: ((int, Decimal), _decimal),  # a sum of integers may be a numeric
    Form.NUMERIC: ((Decimal, int), _decimal),
    Form.REAL: ((float,), _real),
    Form.DOUBLE: ((float,), _double),
    Form.BOOLEAN: ((bool,), lambda value: "true" if value else "false"),
    Form.DATE: ((date, str), _day),
    Form.TIMESTAMP: ((datetime, str), _instant),
    Form.TIMESTAMPTZ: ((datetime, str), _instant),
    Form.UUID: ((UUID,), str),
    Form.TEXT: ((str,), str),
}
