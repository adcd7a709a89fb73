"""Two periods side by side: what is compared with what."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from warmcube.dashboard.dates import add_months
from warmcube.dashboard.definition import Comparison, Step
from warmcube.dashboard.periods import MOST_FILLED, Pair, align, compared_range, fill, step_of
from warmcube.dashboard.rendered import DateRange
from warmcube.errors import InvalidQuery

PREVIOUS = Comparison(kind="previous_period")
LAST_YEAR = Comparison(kind="same_period_last_year")
DAYS = st.dates(date(1995, 1, 1), date(2050, 1, 1))


def days(start: str, end: str) -> DateRange:
    """A range by its first and last day."""
    return DateRange(start=date.fromisoformat(start), end=date.fromisoformat(end))


def bounds(found: DateRange) -> tuple[str, str]:
    """Its first and last day as text."""
    return str(found.start), str(found.end)


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


@pytest.mark.parametrize(
    ("dates", "comparison", "expected"),
    [
        (days("2026-03-01", "2026-03-31"), PREVIOUS, ("2026-02-01", "2026-02-28")),
        (days("2024-03-01", "2024-03-31"), PREVIOUS, ("2024-02-01", "2024-02-29")),
        (days("2025-11-01", "2026-10-31"), PREVIOUS, ("2024-11-01", "2025-10-31")),
        (days("2026-03-10", "2026-03-16"), PREVIOUS, ("2026-03-03", "2026-03-09")),
        (days("2026-03-10", "2026-03-10"), PREVIOUS, ("2026-03-09", "2026-03-09")),
        (days("2024-02-29", "2024-02-29"), LAST_YEAR, ("2023-02-28", "2023-02-28")),
        (days("2023-02-01", "2023-02-28"), LAST_YEAR, ("2022-02-01", "2022-02-28")),
        (days("2025-02-01", "2025-02-28"), LAST_YEAR, ("2024-02-01", "2024-02-29")),
        (days("2026-01-15", "2026-02-14"), LAST_YEAR, ("2025-01-15", "2025-02-14")),
        (
            days("2026-03-31", "2026-05-30"),
            Comparison(kind="shift", count=1, unit="month"),
            ("2026-02-28", "2026-04-30"),
        ),
        (
            days("2026-03-02", "2026-03-08"),
            Comparison(kind="shift", count=52, unit="week"),
            ("2025-03-03", "2025-03-09"),
        ),
        (
            days("2026-03-02", "2026-03-08"),
            Comparison(kind="shift", count=3, unit="day"),
            ("2026-02-27", "2026-03-05"),
        ),
        (
            days("2026-04-01", "2026-06-30"),
            Comparison(kind="shift", count=1, unit="quarter"),
            ("2026-01-01", "2026-03-31"),
        ),
        (
            days("2026-04-01", "2026-06-30"),
            Comparison(kind="shift", count=2, unit="year"),
            ("2024-04-01", "2024-06-30"),
        ),
    ],
)
def test_compared_ranges(
    dates: DateRange, comparison: Comparison, expected: tuple[str, str]
) -> None:
    """Whole months with whole months; other days keep their number or are a month's last."""
    assert bounds(compared_range(dates, comparison)) == expected


@given(start=DAYS, length=st.integers(0, 800))
def test_the_previous_period_ends_the_day_before(start: date, length: int) -> None:
    """And is as long: in months where it is whole months, else in days."""
    end = start + timedelta(days=length)
    found = compared_range(DateRange(start=start, end=end), PREVIOUS)
    assert found.start is not None
    assert found.end == start - timedelta(days=1)
    if start.day == 1 and end == month_end(end):
        assert found.start.day == 1
        assert (
            add_months(found.start, (end.year - start.year) * 12 + end.month - start.month + 1)
            == start
        )
    else:
        assert found.end - found.start == end - start


def test_no_compared_range() -> None:
    """Without a first and a last day, or before the calendar, there is nothing to compare with."""
    for dates in (DateRange(preset="all"), DateRange(start=date(2026, 1, 1))):
        with pytest.raises(InvalidQuery, match="a first and a last day"):
            compared_range(dates, PREVIOUS)
    with pytest.raises(InvalidQuery, match="no period so long before 2026-01-01"):
        compared_range(
            days("2026-01-01", "2026-01-31"), Comparison(kind="shift", count=3000, unit="year")
        )


@pytest.mark.parametrize(
    ("frequency", "explicit", "dates", "expected"),
    [
        ("Weekly", "day", [], "day"),
        (" MONTHLY ", None, [], "month"),
        ("Annual", None, [date(2026, 1, 5)], "year"),
        ("Period 4", None, [], "day"),
        (4, None, [date(2026, 1, 1), None], "month"),
        (None, None, [date(2026, 1, 2)], "day"),
        (None, None, [date(2024, 4, 1), date(2026, 4, 1)], "year"),
        (None, None, [date(2026, 1, 31), date(2026, 4, 30), date(2026, 10, 31)], "quarter"),
        (None, None, [date(2026, 1, 1), date(2026, 2, 1), date(2026, 9, 1)], "month"),
        (None, None, [date(2024, 1, 31), date(2024, 2, 29)], "month"),
        (None, None, [date(2026, 1, 5), date(2026, 1, 26)], "week"),
        (None, None, [date(2026, 1, 5), date(2026, 1, 27)], "day"),
        (None, None, [datetime(2026, 1, 5, 9, tzinfo=UTC), date(2026, 1, 12)], "week"),
    ],
)
def test_steps(
    frequency: object, explicit: Step | None, dates: list[date | None], expected: str
) -> None:
    """What the definition says, else the frequency's name, else what the dates have in common."""
    assert step_of(frequency, explicit, dates) == expected


def test_a_missing_month_shifts_nothing() -> None:
    """Each month stands beside the one with its place, whichever of the two is missing."""
    current = [date(2026, month, 1) for month in (1, 2, 4)]
    compared = [date(2025, month, 1) for month in (1, 3, 4)]
    ranges = (days("2026-01-01", "2026-04-30"), days("2025-01-01", "2025-04-30"))
    assert align([None, *current], compared, ranges, "month") == [
        Pair(current[0], current[0], compared[0], True, True),
        Pair(current[1], current[1], None, True, False),
        Pair(date(2026, 3, 1), None, compared[1], False, True),
        Pair(current[2], current[2], compared[2], True, True),
        Pair(None, None, None, True, False),
    ]


def test_nothing_to_align() -> None:
    """No dates, no positions."""
    ranges = (days("2026-01-01", "2026-01-31"), days("2025-12-01", "2025-12-31"))
    assert align([], [], ranges, "day") == []
    assert align([], [], ranges, "month") == []


def test_periods_that_begin_within_a_month() -> None:
    """The first month whose date lies in the period is the first place."""
    ranges = (days("2026-03-31", "2026-06-28"), days("2025-12-31", "2026-03-30"))
    found = align(
        [date(2026, 4, 1), date(2026, 5, 1)],
        [date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)],
        ranges,
        "month",
    )
    assert [(str(each.label), str(each.compared)) for each in found] == [
        ("2026-04-01", "2026-01-01"),
        ("2026-05-01", "2026-02-01"),
        ("2026-06-01", "2026-03-01"),
    ]


def test_months_that_are_named_by_their_last_day() -> None:
    """A leap day is beside the last of February, and a month's last day moves to one."""
    ranges = (days("2024-02-01", "2024-03-31"), days("2023-02-01", "2023-03-31"))
    found = align([date(2024, 2, 29)], [date(2023, 2, 28), date(2023, 3, 31)], ranges, "month")
    assert [(str(each.label), each.has_current) for each in found] == [
        ("2024-02-29", True),
        ("2024-03-31", False),
    ]


@given(
    year=st.integers(1996, 2040),
    weekday=st.integers(0, 6),
    weeks=st.tuples(st.sets(st.integers(0, 51)), st.sets(st.integers(0, 51))),
)
def test_weeks_of_two_years(year: int, weekday: int, weeks: tuple[set[int], set[int]]) -> None:
    """The nth Monday stands beside the nth Monday, and is named by one, whatever is missing."""

    def nth(of: int, number: int) -> date:
        whole = [date(of, 1, 1) + timedelta(days=n) for n in range(366)]
        return [day for day in whole if day.weekday() == weekday][number]

    ours, theirs = weeks
    ranges = (
        DateRange(start=date(year, 1, 1), end=date(year, 12, 31)),
        DateRange(start=date(year - 1, 1, 1), end=date(year - 1, 12, 31)),
    )
    found = align([nth(year, n) for n in ours], [nth(year - 1, n) for n in theirs], ranges, "week")
    assert found == [
        Pair(
            nth(year, n),
            nth(year, n) if n in ours else None,
            nth(year - 1, n) if n in theirs else None,
            n in ours,
            n in theirs,
        )
        for n in sorted(ours | theirs)
    ]


@given(
    first=st.tuples(st.integers(1996, 2040), st.integers(1, 12)),
    day=st.sampled_from([1, 2, 15, 27, 31]),
    count=st.integers(1, 24),
    step=st.sampled_from(["month", "quarter", "year"]),
    data=st.data(),
)
def test_months_on_one_day_each(
    first: tuple[int, int], day: int, count: int, step: Step, data: st.DataObject
) -> None:
    """Months, quarters, years: each on the same day, or each on its last; none shifts."""
    width = {"month": 1, "quarter": 3, "year": 12}[step]

    def dated(number: int) -> date:
        month = date(first[0] + (first[1] - 1 + number * width) // 12, 1, 1)
        month = month.replace(month=(first[1] - 1 + number * width) % 12 + 1)
        return month.replace(day=min(day, month_end(month).day))

    def period(number: int) -> DateRange:
        return DateRange(start=dated(number).replace(day=1), end=month_end(dated(number + count)))

    places = st.sets(st.integers(0, count - 1))
    ours, theirs = data.draw(places), data.draw(places)
    here, there = [dated(count + n) for n in ours], [dated(n) for n in theirs]
    found = align(here, there, (period(count), period(0)), step)
    assert [(each.label, each.current, each.compared) for each in found] == [
        (
            dated(count + n),
            dated(count + n) if n in ours else None,
            dated(n) if n in theirs else None,
        )
        for n in sorted(ours | theirs)
    ]
    if ours:
        between = range(min(ours), max(ours) + 1)
        assert fill(here, step) == [dated(count + n) for n in between]


def test_filling_on_the_thirtieth() -> None:
    """A series that begins on a short month's last day goes on as its other dates do."""
    assert fill([date(2025, 2, 28), date(2025, 5, 30)], "month") == [
        date(2025, 2, 28),
        date(2025, 3, 30),
        date(2025, 4, 30),
        date(2025, 5, 30),
    ]


def test_several_dates_at_one_place() -> None:
    """Dates closer than the step stand side by side in their order."""
    ranges = (days("2026-01-01", "2026-01-31"), days("2025-12-01", "2025-12-31"))
    found = align([date(2026, 1, 3), date(2026, 1, 20)], [date(2025, 12, 7)], ranges, "month")
    assert [(str(each.current), str(each.compared)) for each in found] == [
        ("2026-01-03", "2025-12-07"),
        ("2026-01-20", "None"),
    ]


@given(
    start=DAYS,
    length=st.integers(1, 400),
    back=st.integers(1, 500),
    step=st.sampled_from(["day", "week"]),
    data=st.data(),
)
def test_days_and_weeks_by_counting(
    start: date, length: int, back: int, step: Step, data: st.DataObject
) -> None:
    """A date stands beside the one that is as far from its period's start, in steps.

    What only the compared period has is shown on the weekday of the current one's weeks, or on
    its own if the current period has none.
    """
    width = 1 if step == "day" else 7
    there = start - timedelta(days=back)
    offsets = st.sets(st.integers(0, length // width))
    ours, theirs = data.draw(offsets), data.draw(offsets)
    here = [start + timedelta(days=width * n) for n in ours]
    other = [there + timedelta(days=width * n) for n in theirs]
    ranges = (
        DateRange(start=start, end=start + timedelta(days=length)),
        DateRange(start=there, end=there + timedelta(days=length)),
    )
    found = align(here, other, ranges, step)
    first = start
    while step == "week" and not ours and theirs and first.weekday() != there.weekday():
        first += timedelta(days=1)
    assert [each.label for each in found] == [
        first + timedelta(days=width * n) for n in sorted(ours | theirs)
    ]
    for each, number in zip(found, sorted(ours | theirs), strict=True):
        assert each.has_current == (number in ours)
        assert each.has_compared == (number in theirs)
        assert each.compared == (
            there + timedelta(days=width * number) if number in theirs else None
        )


def test_instants_keep_their_time() -> None:
    """Where dates have a time, so have the ones that are made of them."""
    ranges = (days("2026-02-01", "2026-02-28"), days("2026-01-01", "2026-01-31"))
    nine = datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert align([], [nine], ranges, "month")[0].label == datetime(2026, 2, 1, 9, tzinfo=UTC)
    assert fill([nine, datetime(2026, 3, 1, 9, tzinfo=UTC)], "month") == [
        datetime(2026, month, 1, 9, tzinfo=UTC) for month in (1, 2, 3)
    ]


def test_a_label_beyond_the_calendar() -> None:
    """A date that can't be moved is its own label."""
    ranges = (DateRange(start=date(9999, 12, 1)), DateRange(start=date(9000, 1, 1)))
    assert align([], [date(9000, 6, 1)], ranges, "month")[0].label == date(9000, 6, 1)


@given(
    first=DAYS,
    count=st.integers(0, 40),
    step=st.sampled_from(["day", "week", "month", "quarter", "year"]),
)
@example(first=date(2024, 1, 27), count=13, step="month")
@example(first=date(2024, 2, 27), count=5, step="year")
def test_filling(first: date, count: int, step: Step) -> None:
    """Between the first and the last, no step is left out; what was there stays."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(step)
    width = 7 if step == "week" else 1
    whole = [
        first + timedelta(days=n * width) if months is None else add_months(first, n * months)
        for n in range(count + 1)
    ]
    if months is not None:
        assume(first.day < 28)  # the 28th may be its month's last day
    found = fill([whole[0], whole[-1]], step)
    assert found == sorted(set(whole))
    assert fill(whole, step) == found


def test_filling_what_lies_on_no_grid() -> None:
    """An odd date stays where it is; nothing stays nothing; month ends stay month ends."""
    odd = [date(2026, 1, 1), date(2026, 1, 17), date(2026, 3, 1)]
    assert fill(odd, "month") == [
        date(2026, 1, 1),
        date(2026, 1, 17),
        date(2026, 2, 1),
        date(2026, 3, 1),
    ]
    assert fill([], "day") == []
    assert fill([date(2024, 1, 31), date(2024, 3, 31)], "month") == [
        date(2024, 1, 31),
        date(2024, 2, 29),
        date(2024, 3, 31),
    ]


def test_filling_between_the_ends_of_februaries() -> None:
    """Where all dates are the last of their months, so are those between them."""
    assert fill([date(2001, 2, 28), date(2002, 2, 28)], "quarter") == [
        date(2001, 2, 28),
        date(2001, 5, 31),
        date(2001, 8, 31),
        date(2001, 11, 30),
        date(2002, 2, 28),
    ]


def test_filling_has_a_bound() -> None:
    """A grid that nobody could look at is refused; the calendar's end is an end."""
    with pytest.raises(InvalidQuery, match=f"more than {MOST_FILLED:,} dates by day"):
        fill([date(1900, 1, 1), date(2026, 1, 1)], "day")
    assert fill([date(9999, 1, 1), date(9999, 12, 31)], "year") == [
        date(9999, 1, 1),
        date(9999, 12, 31),
    ]
