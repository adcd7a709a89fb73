"""The positions of a chart, where instants lie on both sides of a change of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from warmcube.dashboard.dates import add_months
from warmcube.dashboard.definition import DateRange, Step
from warmcube.dashboard.positions import (
    Position,
    dated_positions,
    filled,
    in_zone,
    plain_positions,
)

BERLIN = ZoneInfo("Europe/Berlin")


def midnight(year: int, month: int, day: int = 1) -> datetime:
    """An instant as rows have it: by Berlin's wall clock, with the offset of that day."""
    return in_zone(datetime(year, month, day, tzinfo=BERLIN), BERLIN)


def month(year: int, number: int) -> DateRange:
    """A whole calendar month."""
    first = date(year, number, 1)
    return DateRange(start=first, end=add_months(first, 1) - timedelta(days=1))


def test_a_moved_instant_shows_the_same_time() -> None:
    """Midnight in summer stands beside midnight in winter, each with its own offset."""
    found = dated_positions(
        [], [midnight(2025, 10)], (month(2025, 11), month(2025, 10)), "month", BERLIN
    )
    assert [str(each.label) for each in found] == ["2025-11-01 00:00:00+01:00"]
    assert [str(each.compared) for each in found] == ["2025-10-01 00:00:00+02:00"]


def test_dates_and_rows_without_one() -> None:
    """What has no offset, or is there in the current period, stays as it is."""
    ranges = (month(2025, 11), month(2025, 10))
    naive = datetime(2025, 10, 1)  # noqa: DTZ001 - a timestamp without a zone
    assert dated_positions([], [naive], ranges, "month", BERLIN)[0].label == naive.replace(month=11)
    assert dated_positions([date(2025, 11, 1), None], [None], ranges, "month", BERLIN) == [
        Position(date(2025, 11, 1), date(2025, 11, 1), None, True, False),
        Position(None, None, None, True, True),
    ]
    assert dated_positions([], [None], ranges, "month", BERLIN) == [
        Position(None, None, None, False, True)
    ]
    assert plain_positions(["x", None]) == [Position("x", "x", "x"), Position(None, None, None)]


@pytest.mark.parametrize(("step", "hours"), [("day", {23, 24, 25}), ("week", {167, 168, 169})])
def test_filling_by_the_wall_clock(step: Step, hours: set[int]) -> None:
    """Midnights stay midnights over both changes of the clock, so that days differ in length."""
    found = filled([midnight(2025, 3, 24), midnight(2025, 11, 3), None], step, BERLIN)
    dates = [each for each in found if isinstance(each, datetime)]
    assert found[-1] is None
    assert {each.astimezone(BERLIN).hour for each in dates} == {0}
    apart = {
        (two.astimezone(UTC) - one.astimezone(UTC)) // timedelta(hours=1)
        for one, two in pairwise(dates)
    }
    assert apart == hours


def test_filling_what_is_no_date() -> None:
    """Infinities stay around the dates; without dates, nothing is filled."""
    days = [date(2026, 1, 1), date(2026, 1, 3)]
    assert filled(["-infinity", *days, "infinity", None], "day", BERLIN) == [
        "-infinity",
        date(2026, 1, 1),
        date(2026, 1, 2),
        date(2026, 1, 3),
        "infinity",
        None,
    ]
    assert filled([None], "day", BERLIN) == [None]
