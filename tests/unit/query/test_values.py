"""Filter values: what is read, where it lies among stored values, and what is refused."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from warmcube.errors import InvalidFilter
from warmcube.model.schema import Column, ColumnType, Kind
from warmcube.query.values import Span, parse_days, parse_value

NUMERIC = ColumnType(Kind.NUMERIC, 10, 2)
WIDE = ColumnType(Kind.NUMERIC, 38, 2)
BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400_000_000
NEW_YEAR = 19723  # 2024-01-01
_NAN, _INFINITY, _LEAST = 2**63 - 1, 2**63 - 2, -(2**63)
_LONGEST = 2**63 - 1


def _parse(value: Any, type: Kind | ColumnType, zone: ZoneInfo = BERLIN) -> Span:
    column_type = type if isinstance(type, ColumnType) else ColumnType(type)
    return parse_value(value, Column("c", column_type), zone)


@pytest.mark.parametrize(
    ("type", "value", "low", "high"),
    [
        (Kind.SMALLINT, 5, 5, 5),
        (Kind.SMALLINT, "-5", -5, -5),
        (Kind.SMALLINT, "5.0", 5, 5),
        (Kind.SMALLINT, 3.5, 4, 3),
        (Kind.SMALLINT, Decimal("-3.5"), -3, -4),
        (Kind.SMALLINT, 32767, 32767, 32767),
        (Kind.SMALLINT, 32768, 32768, 32767),
        (Kind.SMALLINT, -32769, -32768, -32769),
        (Kind.INTEGER, 10**100, 2**31, 2**31 - 1),
        (Kind.BIGINT, "1e3", 1000, 1000),
        (Kind.BIGINT, 2.0**63, 2**63, 2**63 - 1),
        (Kind.BIGINT, -(2.0**63), -(2**63), -(2**63)),
        (NUMERIC, 5, 500, 500),
        (NUMERIC, "1.005", 101, 100),
        (NUMERIC, "-1.005", -100, -101),
        (NUMERIC, 0.1, 10, 10),
        (NUMERIC, np.float64(0.1), 10, 10),
        (NUMERIC, "1e17", _INFINITY, _INFINITY - 1),
        (NUMERIC, "-1e17", _LEAST + 1, _LEAST),
        (NUMERIC, "NaN", _NAN, _NAN),
        (NUMERIC, math.nan, _NAN, _NAN),
        (NUMERIC, "Infinity", _INFINITY, _INFINITY),
        (NUMERIC, "+inf", _INFINITY, _INFINITY),
        (NUMERIC, -math.inf, _LEAST, _LEAST),
        (WIDE, Decimal("Infinity"), 2**127 - 2, 2**127 - 2),
        (WIDE, "1e5000", 2**127 - 2, 2**127 - 3),
        (Kind.DOUBLE, "0.1", 0.1, 0.1),
        (Kind.DOUBLE, 1, 1.0, 1.0),
        (Kind.DOUBLE, "-inf", -math.inf, -math.inf),
        (Kind.REAL, 0.1, float(np.float32(0.1)), float(np.float32(0.1))),
        (Kind.BOOLEAN, "true", True, True),
        (Kind.BOOLEAN, False, False, False),
        (Kind.DATE, date(2024, 1, 1), NEW_YEAR, NEW_YEAR),
        (Kind.DATE, "0044-03-15 BC", -735160, -735160),
        (Kind.DATE, "infinity", 2**31 - 1, 2**31 - 1),
        (Kind.DATE, "-infinity", -(2**31), -(2**31)),
        (Kind.TIMESTAMP, "2024-01-01", NEW_YEAR * DAY, (NEW_YEAR + 1) * DAY - 1),
        (Kind.TIMESTAMP, "2024-01-01 00:00", NEW_YEAR * DAY, NEW_YEAR * DAY),
        (Kind.TIMESTAMP, datetime(2024, 1, 1, 0, 0, 1), NEW_YEAR * DAY + 10**6, None),  # noqa: DTZ001
        (Kind.TIMESTAMP, "infinity", _LONGEST, _LONGEST),
        (Kind.TIMESTAMP, "300000-01-01", _LONGEST, _LONGEST - 1),
        (Kind.TIMESTAMPTZ, date(2024, 1, 1), NEW_YEAR * DAY - DAY // 24, None),
        (Kind.TIMESTAMPTZ, "2024-01-01 01:00", NEW_YEAR * DAY, NEW_YEAR * DAY),
        (Kind.TIMESTAMPTZ, "2024-01-01 01:00Z", NEW_YEAR * DAY + DAY // 24, None),
        (Kind.TIMESTAMPTZ, "2024-01-01 01:00+01:00", NEW_YEAR * DAY, NEW_YEAR * DAY),
        (Kind.TIMESTAMPTZ, datetime(2024, 1, 1, 1), NEW_YEAR * DAY, NEW_YEAR * DAY),  # noqa: DTZ001
        (Kind.TIMESTAMPTZ, datetime(2024, 1, 1, tzinfo=UTC), NEW_YEAR * DAY, NEW_YEAR * DAY),
        (
            Kind.TIMESTAMPTZ,
            datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-1))),
            NEW_YEAR * DAY + DAY // 24,
            None,
        ),
        (Kind.TIMESTAMPTZ, "-infinity", -(2**63), -(2**63)),
        (Kind.TEXT, "", "", ""),
        (Kind.TEXT, " 5 ", " 5 ", " 5 "),
        (Kind.UUID, UUID(int=1), b"\0" * 15 + b"\1", None),
        (Kind.UUID, "00000000-0000-0000-0000-0000000000ff", b"\0" * 15 + b"\xff", None),
    ],
)
def test_values_are_read(type: Kind | ColumnType, value: Any, low: Any, high: Any) -> None:
    """Into storage form, with the gap or the day that they mean."""
    span = _parse(value, type)
    assert span.low == low
    if high is not None:
        assert span.high == high


def test_nan_is_one_value() -> None:
    """Two conditions on NaN are equal, so that their queries share an answer."""
    assert _parse(math.nan, Kind.DOUBLE) == _parse("NaN", Kind.DOUBLE)
    assert math.isnan(_parse("nan", Kind.REAL).low)


@pytest.mark.parametrize(
    ("type", "value"),
    [
        (Kind.INTEGER, True),
        (Kind.INTEGER, "five"),
        (Kind.INTEGER, ""),
        (Kind.INTEGER, " 5"),
        (Kind.INTEGER, "1_000"),
        (Kind.INTEGER, "0x10"),
        (Kind.INTEGER, "٣"),
        (Kind.INTEGER, b"5"),
        (Kind.INTEGER, [5]),
        (Kind.INTEGER, "NaN"),
        (Kind.INTEGER, math.inf),
        (Kind.INTEGER, date(2024, 1, 1)),
        (NUMERIC, False),
        (NUMERIC, "1,5"),
        (NUMERIC, "1e99999999999999999999"),
        (NUMERIC, "sNaN"),
        (Kind.DOUBLE, True),
        (Kind.DOUBLE, "1e400"),
        (Kind.DOUBLE, 10**400),
        (Kind.DOUBLE, Decimal("1e5000")),
        (Kind.DOUBLE, "1e-400"),
        (Kind.REAL, 1e300),
        (Kind.REAL, "1e-60"),
        (Kind.BOOLEAN, 1),
        (Kind.BOOLEAN, "True"),
        (Kind.BOOLEAN, "yes"),
        (Kind.DATE, 20240101),
        (Kind.DATE, "01/02/2024"),
        (Kind.DATE, datetime(2024, 1, 1)),  # noqa: DTZ001
        (Kind.DATE, "2024-01-01 00:00"),
        (Kind.DATE, "Infinity"),
        (Kind.TIMESTAMP, datetime(2024, 1, 1, tzinfo=UTC)),
        (Kind.TIMESTAMP, "2024-01-01 00:00+00"),
        (Kind.TIMESTAMP, 0),
        (Kind.TIMESTAMPTZ, "2024-01-01 00:00 Europe/Berlin"),
        (Kind.TIMESTAMPTZ, 1.5),
        (Kind.TEXT, 5),
        (Kind.TEXT, b"x"),
        (Kind.UUID, "00000000-0000-0000-0000-0000000000FF"),
        (Kind.UUID, "{00000000-0000-0000-0000-0000000000ff}"),
        (Kind.UUID, "000000000000000000000000000000ff"),
        (Kind.UUID, "x"),
        (Kind.UUID, 5),
    ],
)
def test_other_values_are_refused(type: Kind | ColumnType, value: Any) -> None:
    """With the column, its type, and what to give instead; nothing is coerced."""
    shown = type.value if isinstance(type, Kind) else "numeric(10,2)"
    with pytest.raises(InvalidFilter) as caught:
        _parse(value, type)
    message = str(caught.value)
    assert message.startswith(f'column "c" is {shown}, and ')
    assert "; give " in message


def test_messages_show_the_value_and_the_reason() -> None:
    """One sentence: what was wrong, with the value, what was expected."""
    with pytest.raises(InvalidFilter) as caught:
        _parse("2024-02-30", Kind.DATE)
    assert str(caught.value) == (
        "column \"c\" is date, and '2024-02-30' can't be read as such (day is out of range for "
        'month); give a date, or text such as "2024-12-31"'
    )
    with pytest.raises(InvalidFilter, match="and a very large integer can't be read"):
        _parse(10**5000, Kind.TEXT)
    with pytest.raises(InvalidFilter, match=r"and 5 can't be read as such; give a str"):
        _parse(5, Kind.TEXT)


@pytest.mark.parametrize("kind", [Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ])
@pytest.mark.parametrize("value", [date(2024, 1, 1), "2024-01-01"])
def test_start_and_end_are_days(kind: Kind, value: Any) -> None:
    """They mean the same as a date given to a condition on the date column."""
    column = Column("d", ColumnType(kind))
    assert parse_days(value, "start", column, BERLIN) == parse_value(value, column, BERLIN)


@pytest.mark.parametrize("value", [datetime(2024, 1, 1), 5, "", "2024-01-01 00:00", "soon"])  # noqa: DTZ001
def test_other_starts_are_refused(value: Any) -> None:
    """A start is a day; a time of day would be ignored, so it is an error."""
    with pytest.raises(InvalidFilter, match=r"^end is .* which isn't a day"):
        parse_days(value, "end", Column("d", ColumnType(Kind.DATE)), BERLIN)


def test_a_date_column_of_numbers_has_no_days() -> None:
    """The message says which column of which type it is."""
    with pytest.raises(InvalidFilter, match='"d" is integer; leave start out, or use `where`'):
        parse_days("2024-01-01", "start", Column("d", ColumnType(Kind.INTEGER)), BERLIN)
