"""Date presets: names for ranges of days, as seen from the viewer's today."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from warmcube.dashboard.definition import DateRange
from warmcube.errors import InvalidQuery

__all__ = ["PRESETS", "WEEKDAYS", "add_months", "resolve", "time_zone", "today"]

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""The days on which a week may start; their position is `date.weekday`'s."""

_Days = tuple[date | None, date | None]
_QUARTER: Final = 3
_YEAR: Final = 12
_LONGEST_ZONE: Final = 50


def add_months(day: date, months: int) -> date:
    """The same day so many months later; the month's last day where it has no such day.

    Raises:
        OverflowError: there is no such year.
    """
    number = day.year * 12 + day.month - 1 + months
    year, month = divmod(number, 12)
    if not date.min.year <= year <= date.max.year:
        raise OverflowError("there is no such year")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _month_start(day: date, months: int = 1) -> date:
    """The first day of the calendar unit of so many months that a day lies in."""
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _last_days(count: int) -> Callable[[date, int], _Days]:
    return lambda now, _: (now - timedelta(days=count - 1), now)


def _week(back: int) -> Callable[[date, int], _Days]:
    def find(now: date, week_start: int) -> _Days:
        first = now - timedelta(days=(now.weekday() - week_start) % 7 + 7 * back)
        return first, first + timedelta(days=6)

    return find


def _unit(months: int, back: int) -> Callable[[date, int], _Days]:
    """This calendar unit of so many months, or one before."""

    def find(now: date, _: int) -> _Days:
        first = add_months(_month_start(now, months), -months * back)
        return first, add_months(first, months) - timedelta(days=1)

    return find


def _full_months(count: int) -> Callable[[date, int], _Days]:
    def find(now: date, _: int) -> _Days:
        this = _month_start(now)
        return add_months(this, -count), this - timedelta(days=1)

    return find


PRESETS: Final[Mapping[str, Callable[[date, int], _Days]]] = MappingProxyType(
    {
        "today": _last_days(1),
        "yesterday": lambda now, _: (now - timedelta(days=1), now - timedelta(days=1)),
        "last_7_days": _last_days(7),
        "last_14_days": _last_days(14),
        "last_30_days": _last_days(30),
        "last_90_days": _last_days(90),
        "last_180_days": _last_days(180),
        "last_365_days": _last_days(365),
        "this_week": _week(0),
        "last_week": _week(1),
        "this_month": _unit(1, 0),
        "last_month": _unit(1, 1),
        "this_quarter": _unit(_QUARTER, 0),
        "last_quarter": _unit(_QUARTER, 1),
        "this_year": _unit(_YEAR, 0),
        "last_year": _unit(_YEAR, 1),
        "last_3_full_months": _full_months(3),
        "last_6_full_months": _full_months(6),
        "last_12_full_months": _full_months(12),
        "year_to_date": lambda now, _: (_month_start(now, _YEAR), now),
        "all": lambda _now, _start: (None, None),
    }
)
"""Each preset by its name: from today and the day on which weeks start, first and last day.

"last N days" end today, which is one of them; this week, month, quarter and year go to their last
day; "full" months end before this one. ``all`` has no bounds.
"""


def time_zone(name: str) -> ZoneInfo:
    """The zone of a name.

    Raises:
        InvalidQuery: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        close = get_close_matches(name[:_LONGEST_ZONE].casefold(), _zones(), n=1)
        hint = f"; did you mean {_zones()[close[0]]}?" if close else ""
        raise InvalidQuery(
            f"there is no time zone {name[:100]!r}; expected an IANA name such as "
            f"Europe/Berlin{hint}"
        ) from None


@cache
def _zones() -> Mapping[str, str]:
    """All names of zones by their lower-case form; listed once, since that reads many files."""
    return {name.casefold(): name for name in sorted(available_timezones())}


def today(now: datetime, zone: ZoneInfo) -> date:
    """Which day it is somewhere.

    Args:
        now: an instant, with its zone.
        zone: where.
    """
    return now.astimezone(zone).date()


def resolve(preset: str, day: date, week_start: int = 0) -> DateRange:
    """The days that a preset means.

    Args:
        preset: one of `PRESETS`.
        day: the viewer's today.
        week_start: the day on which weeks start, 0 for Monday to 6 for Sunday.

    Raises:
        InvalidQuery: there is no such preset.
    """
    found = PRESETS.get(preset)
    if found is None:
        close = get_close_matches(preset[:100], PRESETS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InvalidQuery(
            f"there is no date preset {preset[:100]!r}; expected one of {', '.join(PRESETS)}{hint}"
        )
    start, end = found(day, week_start)
    return DateRange(start=start, end=end, preset=preset)
