"""Days and instants: their ISO text as Postgres reads and prints it, also BC and beyond 9999.

Days and microseconds count from 1970-01-01, in the proleptic Gregorian calendar. Texts are read
strictly: one form, no two-digit years, no month names.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = [
    "DAY",
    "INFINITIES",
    "day_of",
    "day_text",
    "instant_of",
    "instant_text",
    "local_instant",
    "parse_day",
    "parse_instant",
]

DAY: Final = 86_400_000_000
"""Microseconds of a day without a clock change."""

INFINITIES: Final = {"infinity": 1, "-infinity": -1}

_DATE: Final = r"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?"
_OFFSET: Final = r"(?P<offset>[Zz]|[+-]\d\d(?::?\d\d(?::\d\d)?)?)"
_DAY_FORM: Final = re.compile(rf"{_DATE}(?P<bc> BC)?", re.ASCII)
_INSTANT_FORM: Final = re.compile(rf"{_DATE}[T ]{_TIME}{_OFFSET}?(?P<bc> BC)?", re.ASCII)

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_CYCLE_YEARS: Final = 400
_CYCLE_DAYS: Final = 146_097  # days of 400 Gregorian years, after which the calendar repeats
_FIRST_YEAR: Final = -4712  # 4713 BC, where Postgres begins
_LAST_YEAR_OF_DAYS: Final = 5_874_897  # where Postgres ends
_LAST_YEAR_OF_INSTANTS: Final = 294_246  # the last whole year whose microseconds fit 64 bits
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def day_of(value: date) -> int:
    """A date as days since 1970-01-01."""
    return value.toordinal() - _EPOCH_ORDINAL


def instant_of(value: datetime) -> int:
    """An aware datetime as microseconds since 1970-01-01 00:00 UTC."""
    return (value - _EPOCH) // _MICROSECOND


def _civil_day(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a day of an astronomical year (0 is 1 BC).

    Raises:
        ValueError: if there is no such day.
    """
    cycle, year_of_cycle = divmod(year, _CYCLE_YEARS)
    inside = date(year_of_cycle + _CYCLE_YEARS, month, day)  # year 0 isn't one of Python's
    return day_of(inside) + (cycle - 1) * _CYCLE_DAYS


def _civil(days: int) -> tuple[int, date]:
    """The astronomical year of a day, and a date of the same month, day and calendar."""
    cycle, day_of_cycle = divmod(days + _EPOCH_ORDINAL - 1, _CYCLE_DAYS)
    inside = date.fromordinal(day_of_cycle + 1 + _CYCLE_DAYS)
    return inside.year + (cycle - 1) * _CYCLE_YEARS, inside


def _matched_day(match: re.Match[str], last_year: int) -> int:
    year = int(match["year"])
    if year == 0 or (match["year"].startswith("0") and len(match["year"]) > 4):
        raise ValueError("there is no such year")
    if match["bc"]:
        year = 1 - year
    if not _FIRST_YEAR <= year <= last_year:
        raise ValueError(f"years go from 4713 BC to {last_year}")
    return _civil_day(year, int(match["month"]), int(match["day"]))


def parse_day(text: str) -> int:
    """Days since 1970-01-01 of ``2024-12-31``, ``12024-12-31`` or ``0044-03-15 BC``.

    Raises:
        ValueError: if it isn't exactly that.
    """
    match = _DAY_FORM.fullmatch(text)
    if match is None:
        raise ValueError("not a date")
    return _matched_day(match, _LAST_YEAR_OF_DAYS)


def parse_instant(text: str) -> tuple[int, timedelta | None]:
    """The wall clock's microseconds since 1970-01-01 00:00, and the offset from UTC if given.

    Reads ``2024-12-31T23:59:59.5+01:00``, with a space or a T, and the offset or not; years as
    `parse_day` does.

    Raises:
        ValueError: if it isn't exactly that.
    """
    match = _INSTANT_FORM.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError("there is no such time of day")
    seconds = (hour * 60 + minute) * 60 + second
    fraction = int((match["fraction"] or "").ljust(6, "0"))
    day = _matched_day(match, _LAST_YEAR_OF_INSTANTS)
    return day * DAY + seconds * 1_000_000 + fraction, _offset(match["offset"])


def _offset(text: str | None) -> timedelta | None:
    if text is None:
        return None
    if text in "Zz":
        return timedelta()
    parts = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(parts[:2]), int(parts[2:4]), int(parts[4:])
    if hours > 15 or minutes > 59 or seconds > 59:
        raise ValueError("there is no such offset from UTC")
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -offset if text[0] == "-" else offset


def local_instant(wall: int, zone: ZoneInfo) -> int:
    """The UTC instant at which clocks in `zone` show `wall`.

    Of a time that they show twice it is the earlier one; a time that they skip is read as though
    they hadn't been changed yet. So a day begins where its first 00:00 is. Years that Python's
    calendar lacks follow the zone's rules of the nearest years of the same calendar.
    """
    days, rest = divmod(wall, DAY)
    year, inside = _civil(days)
    shifted = year % _CYCLE_YEARS or _CYCLE_YEARS
    if 1 <= year <= 9999:
        shifted = year
    elif year > 9999:
        shifted = 9999 - (9999 - year) % _CYCLE_YEARS
    clock = datetime(shifted, inside.month, inside.day, tzinfo=zone) + rest * _MICROSECOND
    offset = clock.utcoffset()
    return wall - (offset or timedelta()) // _MICROSECOND


def _year_text(year: int) -> tuple[str, str]:
    return (f"{year:04}", "") if year > 0 else (f"{1 - year:04}", " BC")


def day_text(days: int) -> str:
    """A day as Postgres prints it."""
    year, inside = _civil(days)
    text, era = _year_text(year)
    return f"{text}-{inside.month:02}-{inside.day:02}{era}"


def instant_text(instant: int, suffix: str = "") -> str:
    """An instant as Postgres prints it; `suffix` is the offset, ``+00`` for a timestamptz."""
    days, rest = divmod(instant, DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    year, inside = _civil(days)
    text, era = _year_text(year)
    decimals = f".{fraction:06}".rstrip("0") if fraction else ""
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{decimals}"
    return f"{text}-{inside.month:02}-{inside.day:02} {clock}{suffix}{era}"
