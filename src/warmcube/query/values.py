"""Filter values, read strictly as their column's type and placed among its stored values.

Nothing is guessed: a value of another type, text in another form and a date that doesn't exist
are errors. Where a value lies between two stored values (3.5 in an integer column) or spans many
(a date in a column of instants is a whole day), comparisons still come out exactly: see `Span`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from warmcube.errors import InvalidFilter
from warmcube.model.schema import Column, ColumnType, Kind
from warmcube.query.instants import (
    DAY,
    INFINITIES,
    day_of,
    instant_of,
    local_instant,
    parse_day,
    parse_instant,
)
from warmcube.query.numbers import floor_scaled, reserved
from warmcube.query.wording import shown

__all__ = ["Span", "parse_days", "parse_value"]

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SPECIAL: Final = {
    "nan": "NaN",
    "infinity": "Infinity",
    "+infinity": "Infinity",
    "-infinity": "-Infinity",
    "inf": "Infinity",
    "+inf": "Infinity",
    "-inf": "-Infinity",
}
_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - of a timestamp without a time zone
_MICROSECOND: Final = timedelta(microseconds=1)
_BITS: Final = {Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64}

_EXPECTED: Final[Mapping[Kind, str]] = {
    Kind.SMALLINT: "a number, or its text",
    Kind.INTEGER: "a number, or its text",
    Kind.BIGINT: "a number, or its text",
    Kind.NUMERIC: 'an int, a Decimal, a float, or text such as "12.50", "NaN" or "-Infinity"',
    Kind.REAL: 'a number within the type\'s range, or text such as "1.5e3", "NaN" or "-Infinity"',
    Kind.DOUBLE: 'a number within the type\'s range, or text such as "1.5e3", "NaN" or "-Infinity"',
    Kind.BOOLEAN: 'True or False, or the text "true" or "false"',
    Kind.DATE: 'a date, or text such as "2024-12-31"',
    Kind.TIMESTAMP: "a datetime without a time zone, a date for the whole day, or text such as "
    '"2024-12-31 23:59:59" or "2024-12-31"',
    Kind.TIMESTAMPTZ: "a datetime, a date for the whole day, or text such as "
    '"2024-12-31 23:59:59+01:00" or "2024-12-31"',
    Kind.TEXT: "a str",
    Kind.UUID: 'a UUID, or its text in lower case, "0b7a3e52-8c41-4a9d-b8f0-6d2f5a1c9e34"',
}


@dataclass(frozen=True, slots=True)
class Span:
    """Where a given value lies among the values that a column can store.

    Attributes:
        low: the least stored value that isn't below the given one.
        high: the greatest that isn't above it. Above `low` where the given value is a whole day
            of instants; below `low`, and then next to it, where no stored value equals it.

    The values are in storage form, uuid as bytes and text as str; a bound may lie one beyond what
    the storage form holds.
    """

    low: Any
    high: Any


def parse_value(value: Any, column: Column, zone: ZoneInfo) -> Span:
    """Read a filter's value as its column's type.

    Args:
        value: as given.
        column: whose values it is compared with. Real and double columns compare with the
            nearest value of their type; all others compare exactly.
        zone: whose wall clock instants without an offset, and whole days, mean. See
            `warmcube.query.instants.local_instant` for changes of the clock.

    Raises:
        InvalidFilter: naming the column, its type, the value, and what was expected.
    """
    kind = column.type.kind
    try:
        return _PARSERS[kind](value, column.type, zone)
    except ValueError as error:
        reason = f" ({error})" if str(error) else ""
        raise InvalidFilter(
            f'column "{column.name}" is {column.type}, and {shown(value)} '
            f"can't be read as such{reason}; give {_EXPECTED[kind]}"
        ) from None


def parse_days(value: Any, name: str, column: Column, zone: ZoneInfo) -> Span:
    """Read the query's `start` or `end` as the span of a whole day in the date column.

    Args:
        value: a date or its ISO text.
        name: ``start`` or ``end``.
        column: the date column: dates, timestamps or instants.
        zone: whose days those of instants are.

    Raises:
        InvalidFilter: if the value isn't a day, or the column has no days.
    """
    kind = column.type.kind
    if kind is not Kind.DATE and not kind.is_instant:
        raise InvalidFilter(
            f'{name} needs a date column of dates or timestamps, but "{column.name}" is '
            f"{column.type}; leave {name} out, or use `where`"
        )
    try:
        return _span_of_day(_day(value), column.type, zone)
    except ValueError as error:
        raise InvalidFilter(
            f"{name} is {shown(value)}, which isn't a day "
            f'({error}); give a date, or text such as "2024-12-31"'
        ) from None


def _between(floor: int, exact: bool, least: int, greatest: int) -> Span:
    """The span of a number among the integers from `least` to `greatest`."""
    if floor < least:
        return Span(least, least - 1)
    if floor > greatest:
        return Span(greatest + 1, greatest)
    return Span(floor if exact else floor + 1, floor)


def _read_decimal(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise ValueError("a truth value is no number")  # noqa: TRY004 - one error for all
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str):
        special = _SPECIAL.get(value.lower())
        if special is None and _NUMBER.fullmatch(value) is None:
            raise ValueError("not a number")
        try:
            return Decimal(special or value)
        except InvalidOperation:
            raise ValueError("its exponent is beyond all numbers") from None
    raise ValueError


def _integer(value: Any, type: ColumnType, _zone: ZoneInfo) -> Span:
    number = Decimal(value) if isinstance(value, float) else _read_decimal(value)
    if not number.is_finite():
        raise ValueError("integers are finite")
    limit = 1 << (_BITS[type.kind] - 1)
    return _between(*floor_scaled(number, 0), -limit, limit - 1)


def _numeric(value: Any, type: ColumnType, _zone: ZoneInfo) -> Span:
    number = Decimal(float.__repr__(value)) if isinstance(value, float) else _read_decimal(value)
    special = reserved(type)
    if number.is_nan():
        return Span(special.nan, special.nan)
    if number.is_infinite():
        infinity = special.least if number.is_signed() else special.infinity
        return Span(infinity, infinity)
    return _between(*floor_scaled(number, type.scale), special.least + 1, special.infinity - 1)


def _float(value: Any, type: ColumnType, _zone: ZoneInfo) -> Span:
    given = Decimal(value) if isinstance(value, float) else _read_decimal(value)
    if given.is_nan():
        return Span(math.nan, math.nan)  # one object, so that equal conditions are equal
    number = float(given)  # infinite where it is too great
    if type.kind is Kind.REAL:
        with np.errstate(over="ignore", under="ignore"):
            number = float(np.float32(number))
    if math.isinf(number) and given.is_finite():
        raise ValueError("it is greater than all values of the type")
    if number == 0 and given:
        raise ValueError("it is nearer to 0 than all other values of the type")
    return Span(number, number)


def _boolean(value: Any, _type: ColumnType, _zone: ZoneInfo) -> Span:
    if isinstance(value, str) and value in ("true", "false"):
        return Span(value == "true", value == "true")
    if not isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - one error for all
    return Span(value, value)


def _day(value: Any) -> int | float:
    """A day's number; a float for the infinities."""
    if isinstance(value, str):
        infinity = INFINITIES.get(value)
        return parse_day(value) if infinity is None else math.inf * infinity
    if isinstance(value, datetime):
        raise ValueError("it has a time of day")  # noqa: TRY004 - one error for all
    if isinstance(value, date):
        return day_of(value)
    raise ValueError("it is no date")


def _span_of_day(day: float, type: ColumnType, zone: ZoneInfo) -> Span:
    """The values of a date, timestamp or timestamptz column that lie on a day."""
    special = reserved(type)
    if math.isinf(day):
        infinity = special.infinity if day > 0 else special.least
        return Span(infinity, infinity)
    if type.kind is Kind.DATE:
        return Span(day, day)
    first, after = int(day) * DAY, (int(day) + 1) * DAY
    if type.kind is Kind.TIMESTAMPTZ:
        first, after = local_instant(first, zone), local_instant(after, zone)
    return Span(min(first, special.infinity), min(after, special.infinity) - 1)


def _date(value: Any, type: ColumnType, zone: ZoneInfo) -> Span:
    return _span_of_day(_day(value), type, zone)


def _instant(value: Any, type: ColumnType, zone: ZoneInfo) -> Span:
    has_zone = type.kind is Kind.TIMESTAMPTZ
    if isinstance(value, datetime):
        instant = _datetime(value, zone if has_zone else None)
    elif isinstance(value, str) and ":" in value:
        wall, offset = parse_instant(value)
        if not has_zone and offset is not None:
            raise ValueError("the column has no time zone, so it can't have an offset")
        if offset is not None:
            instant = wall - offset // _MICROSECOND
        else:
            instant = local_instant(wall, zone) if has_zone else wall
    else:
        return _span_of_day(_day(value), type, zone)
    return Span(instant, instant)


def _datetime(value: datetime, zone: ZoneInfo | None) -> int:
    """Microseconds since 1970; with a zone in UTC, else of the wall clock."""
    if zone is None:
        if value.tzinfo is not None:
            raise ValueError("the column has no time zone, so it can't have one")
        return (value - _WALL_EPOCH) // _MICROSECOND
    return instant_of(value if value.tzinfo is not None else value.replace(tzinfo=zone))


def _text(value: Any, _type: ColumnType, _zone: ZoneInfo) -> Span:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004 - one error for all
    return Span(value, value)


def _uuid(value: Any, _type: ColumnType, _zone: ZoneInfo) -> Span:
    parsed = value
    if isinstance(value, str):
        parsed = UUID(value)
        if str(parsed) != value:
            raise ValueError("not in the canonical form")
    if not isinstance(parsed, UUID):
        raise ValueError  # noqa: TRY004 - one error for all
    return Span(parsed.bytes, parsed.bytes)


_PARSERS: Final[Mapping[Kind, Callable[[Any, ColumnType, ZoneInfo], Span]]] = {
    Kind.SMALLINT: _integer,
    Kind.INTEGER: _integer,
    Kind.BIGINT: _integer,
    Kind.NUMERIC: _numeric,
    Kind.REAL: _float,
    Kind.DOUBLE: _float,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _instant,
    Kind.TIMESTAMPTZ: _instant,
    Kind.TEXT: _text,
    Kind.UUID: _uuid,
}
