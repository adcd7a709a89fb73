"""Date presets: by plain definitions, day by day, wherever the viewer is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warmcube.dashboard.dates import PRESETS, add_months, resolve, time_zone, today
from warmcube.errors import InvalidQuery

Belongs = Callable[[date, date, int], bool]

ZONES = sorted(available_timezones())
NOWS = st.datetimes(datetime(1990, 1, 1), datetime(2060, 12, 31)).map(  # noqa: DTZ001 - given UTC
    lambda naive: naive.replace(tzinfo=UTC)
)


def months_ago(day: date, now: date) -> int:
    """How many calendar months a day's lies before this one."""
    return (now.year - day.year) * 12 + now.month - day.month


def quarter(day: date) -> int:
    """The number of a day's quarter, counted from the year 0."""
    return day.year * 4 + (day.month + 2) // 3


def week(day: date, start: int) -> date:
    """The first day of a day's week, found by walking back."""
    while day.weekday() != start:
        day -= timedelta(days=1)
    return day


def last(count: int) -> Belongs:
    """Whether a day is one of the last, today included."""
    return lambda day, now, _: 0 <= (now - day).days < count


def full_months(count: int) -> Belongs:
    """Whether a day lies in one of the months before this one."""
    return lambda day, now, _: 1 <= months_ago(day, now) <= count


BELONGS: dict[str, Belongs] = {
    "today": lambda day, now, _: day == now,
    "yesterday": lambda day, now, _: (now - day).days == 1,
    **{f"last_{count}_days": last(count) for count in (7, 14, 30, 90, 180, 365)},
    "this_week": lambda day, now, start: week(day, start) == week(now, start),
    "last_week": lambda day, now, start: (week(now, start) - week(day, start)).days == 7,
    "this_month": lambda day, now, _: months_ago(day, now) == 0,
    "last_month": lambda day, now, _: months_ago(day, now) == 1,
    "this_quarter": lambda day, now, _: quarter(day) == quarter(now),
    "last_quarter": lambda day, now, _: quarter(now) - quarter(day) == 1,
    "this_year": lambda day, now, _: day.year == now.year,
    "last_year": lambda day, now, _: now.year - day.year == 1,
    **{f"last_{count}_full_months": full_months(count) for count in (3, 6, 12)},
    "year_to_date": lambda day, now, _: day.year == now.year and day <= now,
}
"""Of each preset with bounds, which days belong to it, seen from a day."""


@pytest.mark.parametrize("preset", BELONGS)
@given(now=NOWS, zone=st.sampled_from(ZONES), week_start=st.integers(0, 6))
@example(now=datetime(2024, 2, 29, 12, tzinfo=UTC), zone="UTC", week_start=0)
@example(now=datetime(2026, 3, 29, 1, tzinfo=UTC), zone="Europe/Berlin", week_start=6)
@example(now=datetime(2026, 11, 1, 6, 30, tzinfo=UTC), zone="America/New_York", week_start=0)
@example(now=datetime(2011, 12, 30, 10, tzinfo=UTC), zone="Pacific/Apia", week_start=0)
@example(now=datetime(2025, 12, 31, 23, 59, tzinfo=UTC), zone="Pacific/Kiritimati", week_start=3)
def test_exactly_its_days(preset: str, now: datetime, zone: str, week_start: int) -> None:
    """The first and the last day belong to it, as all between, and the ones around don't."""
    local = now.astimezone(ZoneInfo(zone)).date()
    found = resolve(preset, today(now, ZoneInfo(zone)), week_start)
    assert found.start is not None
    assert found.end is not None
    belongs = BELONGS[preset]
    one = timedelta(days=1)
    inside = [found.start + one * n for n in range((found.end - found.start).days + 1)]
    assert inside
    assert all(belongs(day, local, week_start) for day in inside)
    assert not belongs(found.start - one, local, week_start)
    assert not belongs(found.end + one, local, week_start)


def test_all_are_known() -> None:
    """Each preset is spoken of here; the one without bounds has none."""
    assert set(PRESETS) == {*BELONGS, "all"}
    everything = resolve("all", date(2026, 1, 1))
    assert (everything.start, everything.end) == (None, None)


def test_today_is_the_viewers() -> None:
    """One instant, two days."""
    now = datetime(2026, 11, 27, 20, tzinfo=UTC)
    assert today(now, ZoneInfo("Pacific/Auckland")) == date(2026, 11, 28)
    assert today(now, ZoneInfo("America/Los_Angeles")) == date(2026, 11, 27)


def test_what_there_is_not() -> None:
    """An unknown preset or zone is named, with what was expected."""
    now = date(2026, 11, 27)
    with pytest.raises(InvalidQuery, match=r"no date preset 'last_weak'.* mean last_week\?"):
        resolve("last_weak", now)
    with pytest.raises(InvalidQuery, match=r"preset 'x{100}'; expected one of today, .*all$"):
        resolve("x" * 500, now)
    for name in ("Mars/Base", "../etc/passwd", "", "\0", "Europe", "x" * 5000):
        with pytest.raises(InvalidQuery, match="no time zone"):
            time_zone(name)
    with pytest.raises(InvalidQuery, match=r"zone 'europe/berlinn'.*mean Europe/Berlin\?$"):
        time_zone("europe/berlinn")
    assert time_zone("Europe/Berlin").key == "Europe/Berlin"


@given(day=st.dates(date(1900, 1, 1), date(2100, 1, 1)), months=st.integers(-600, 600))
def test_months_later(day: date, months: int) -> None:
    """So many months later, on the same day or the month's last."""
    later = add_months(day, months)
    assert months_ago(day, later) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


def test_no_such_year() -> None:
    """Beyond the calendar there is nothing."""
    for months in (-12 * 2026, 12 * 8000):
        with pytest.raises(OverflowError):
            add_months(date(2026, 1, 31), months)
