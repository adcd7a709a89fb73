"""Days and instants as text, also where Python's calendar ends."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.query.instants import (
    DAY,
    day_of,
    day_text,
    instant_of,
    instant_text,
    local_instant,
    parse_day,
    parse_instant,
)

# What PostgreSQL 18.4 prints for `date - date '1970-01-01'`.
DAYS = [
    ("1970-01-01", 0),
    ("2000-02-29", 11016),
    ("0001-01-01", -719162),
    ("0001-12-31 BC", -719163),
    ("0001-02-29 BC", -719469),
    ("0044-03-15 BC", -735160),
    ("4713-01-01 BC", -2440550),
    ("12024-01-01", 3672148),
    ("5874897-12-31", 2145042905),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_days_are_those_of_postgres(text: str, day: int) -> None:
    """Reading and printing agree with Postgres at all ends of the calendar."""
    assert parse_day(text) == day
    assert day_text(day) == text


@given(st.dates())
def test_days_read_and_print_iso(value: date) -> None:
    """Within Python's calendar the text is ISO's."""
    assert day_text(day_of(value)) == value.isoformat()
    assert parse_day(value.isoformat()) == day_of(value)


@given(st.integers(-2440550, 2145042905))
def test_days_round_trip(day: int) -> None:
    """Every day that Postgres has is read back from its text."""
    assert parse_day(day_text(day)) == day


@given(st.datetimes())
def test_instants_read_and_print_iso(value: datetime) -> None:
    """Microseconds survive, and end without zeros."""
    wall = (value - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    assert parse_instant(value.isoformat()) == (wall, None)
    assert parse_instant(value.isoformat(" ")) == (wall, None)
    text = value.isoformat(" ")
    assert instant_text(wall) == (text.rstrip("0") if value.microsecond else text)


@given(st.datetimes(timezones=st.timezones()))
def test_offsets_are_read(value: datetime) -> None:
    """An offset in the text names the instant."""
    text = value.isoformat()
    wall, offset = parse_instant(text)
    assert offset == value.utcoffset()
    assert wall - (offset or timedelta()) // timedelta(microseconds=1) == instant_of(value)


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("2024-01-01 00:00Z", timedelta()),
        ("2024-01-01 00:00+05", timedelta(hours=5)),
        ("2024-01-01 00:00-0530", -timedelta(hours=5, minutes=30)),
        ("2024-01-01 00:00+05:30:15", timedelta(hours=5, minutes=30, seconds=15)),
    ],
)
def test_offsets_have_many_forms(text: str, offset: timedelta) -> None:
    """Z, hours, minutes and seconds, with colons or without."""
    assert parse_instant(text) == (19723 * DAY, offset)


@pytest.mark.parametrize(
    ("instant", "suffix", "text"),
    [
        (0, "", "1970-01-01 00:00:00"),
        (100_000, "+00", "1970-01-01 00:00:00.1+00"),
        (-1, "", "1969-12-31 23:59:59.999999"),
        (-735160 * DAY + 43_200_500_000, "+00", "0044-03-15 12:00:00.5+00 BC"),
        (3672148 * DAY + 100_000, "", "12024-01-01 00:00:00.1"),
    ],
)
def test_instants_print_as_postgres(instant: int, suffix: str, text: str) -> None:
    """The era comes last, after the offset."""
    assert instant_text(instant, suffix) == text
    assert parse_instant(text)[0] == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-1-1",
        "20240101",
        " 2024-01-01",
        "2024-01-01 ",
        "2024-02-30",
        "2023-02-29",
        "2024-13-01",
        "0000-01-01",
        "02024-01-01",
        "5874898-01-01",
        "4714-12-31 BC",
        "2024-01-01 AD",
        "٢٠٢٤-01-01",
        "2024-W01-1",
        "today",
    ],
)
def test_other_days_are_refused(text: str) -> None:
    """One form only, and only days that exist."""
    with pytest.raises(ValueError, match=r".+"):
        parse_day(text)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01",
        "2024-01-01 24:00:00",
        "2024-01-01 23:60:00",
        "2024-01-01 23:59:60",
        "2024-01-01 1:00:00",
        "2024-01-01 10:00:00.1234567",
        "2024-01-01 10:00:00+16",
        "2024-01-01 10:00:00+01:60",
        "2024-01-01 10:00:00+01:00:60",
        "2024-01-01 10:00:00 UTC",
        "2024-02-30 10:00:00",
        "294247-01-01 00:00:00",
    ],
)
def test_other_instants_are_refused(text: str) -> None:
    """No leap seconds, no 24:00, no seven decimals, no names of zones."""
    with pytest.raises(ValueError, match=r".+"):
        parse_instant(text)


@given(st.datetimes(), st.timezones())
def test_wall_clocks_are_those_of_the_zone(value: datetime, zone: ZoneInfo) -> None:
    """A wall clock's time is the instant that Python gives it."""
    wall = (value - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    offset = value.replace(tzinfo=zone).utcoffset()
    assert offset is not None
    assert local_instant(wall, zone) == wall - offset // timedelta(microseconds=1)


def test_the_earlier_of_two_equal_times_is_meant() -> None:
    """What clocks show twice is meant the first time; what they skip, as if they hadn't."""
    zone = ZoneInfo("America/New_York")
    twice = local_instant(parse_instant("2024-11-03 01:30")[0], zone)
    skipped = local_instant(parse_instant("2024-03-10 02:30")[0], zone)
    assert twice == instant_of(datetime(2024, 11, 3, 5, 30, tzinfo=UTC))
    assert skipped == instant_of(datetime(2024, 3, 10, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("9999-07-01 00:00", -4),
        ("10000-07-01 00:00", -4),
        ("12024-01-01 00:00", -5),
        ("290000-07-01 00:00", -4),
    ],
)
def test_far_years_follow_the_zones_rules(text: str, hours: int) -> None:
    """Summer time goes on beyond Python's calendar."""
    wall = parse_instant(text)[0]
    assert local_instant(wall, ZoneInfo("America/New_York")) == wall - hours * DAY // 24


@pytest.mark.parametrize("text", ["0001-01-01 00:00", "0001-06-01 00:00 BC", "4713-01-01 00:00 BC"])
def test_early_years_follow_the_sun(text: str) -> None:
    """Before zones there was local mean time: -4:56:02 in New York."""
    wall = parse_instant(text)[0]
    local = local_instant(wall, ZoneInfo("America/New_York"))
    assert local - wall == ((4 * 60 + 56) * 60 + 2) * 1_000_000
