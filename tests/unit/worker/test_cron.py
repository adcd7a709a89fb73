"""`warmcube.worker.cron`: the next time of a cron expression, also where clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.worker.cron import next_fire

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")


def ms(text: str) -> int:
    """An instant in ISO 8601 as Unix milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@given(
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from(ZONES),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_a_daily_time_comes_within_a_day(minute: int, hour: int, zone: str, at: datetime) -> None:
    """After what it counts from; at that time of the day, but where the clocks leave it out."""
    after = round(at.replace(tzinfo=UTC).timestamp() * 1000)
    found = next_fire(f"{minute} {hour} * * *", zone, after)
    assert found is not None
    assert after - 1000 < found <= after + 25 * 3_600_000
    local = datetime.fromtimestamp(found / 1000, ZoneInfo(zone))
    wanted = local.replace(hour=hour, minute=minute)
    left_out = wanted.astimezone(UTC).astimezone(ZoneInfo(zone)).time() != wanted.time()
    assert (local.hour, local.minute) == (hour, minute) or left_out
    assert local.second == 0


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        ("0 */2 * * *", "UTC", "2026-03-01T12:00:00Z", "2026-03-01T14:00:00Z"),
        ("0 */2 * * *", "UTC", "2026-03-01T11:59:59.999Z", "2026-03-01T12:00:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:31:00Z", "2026-10-26T01:30:00Z"),
        ("0 6 * * mon-fri", "Asia/Kolkata", "2026-11-27T12:00:00Z", "2026-11-30T00:30:00Z"),
        ("0 0 29 2 *", "UTC", "2026-03-01T12:00:00Z", "2028-02-29T00:00:00Z"),
    ],
)
def test_times(expression: str, zone: str, after: str, expected: str) -> None:
    """Steps, names, leap days; an hour that is left out, and one that comes twice."""
    assert next_fire(expression, zone, ms(after)) == ms(expected)


def test_an_hourly_schedule_has_no_gap() -> None:
    """Through a whole year with its two changes of clocks, no two times lie an hour apart more."""
    at, end = ms("2026-01-01T00:00:00Z"), ms("2027-01-01T00:00:00Z")
    longest = 0
    while at < end:
        following = next_fire("0 * * * *", "Europe/Berlin", at)
        assert following is not None
        longest, at = max(longest, following - at), following
    assert timedelta(milliseconds=longest) == timedelta(hours=1)
