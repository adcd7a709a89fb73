"""Two periods side by side: which days are compared with which, position by position.

A position is a place on the calendar grid of a chart's step, counted from the first one that lies
in the period. So a month that one of the two periods lacks shifts nothing.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, TypeVar

from warmcube.dashboard.dates import add_months
from warmcube.dashboard.definition import Comparison, DateRange, Step
from warmcube.errors import InvalidQuery

__all__ = ["Pair", "align", "compared_range", "fill", "step_of"]

_D = TypeVar("_D", bound=date)

MOST_FILLED: Final = 20_000
"""How many dates a chart is filled up to at most."""

_DAYS: Final = {"day": 1, "week": 7}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
_ALWAYS_LAST: Final = 31
"""What the last day of any month counts as."""
_WEEK: Final = 7

_NAMES: Final[dict[str, Step]] = {
    "day": "day",
    "days": "day",
    "daily": "day",
    "d": "day",
    "week": "week",
    "weeks": "week",
    "weekly": "week",
    "w": "week",
    "month": "month",
    "months": "month",
    "monthly": "month",
    "m": "month",
    "quarter": "quarter",
    "quarters": "quarter",
    "quarterly": "quarter",
    "q": "quarter",
    "year": "year",
    "years": "year",
    "yearly": "year",
    "annual": "year",
    "annually": "year",
    "y": "year",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One position.

    Attributes:
        label: the date that the current period has or would have there; None for rows without one.
        current: the date of the current period; None where it has none.
        compared: the date of the compared period; None where it has none.
        has_current: whether the current period has this position (a NULL date is one, too).
        has_compared: likewise.
    """

    label: date | None
    current: date | None
    compared: date | None
    has_current: bool
    has_compared: bool


def compared_range(dates: DateRange, comparison: Comparison) -> DateRange:
    """The period that another is compared with.

    Whole calendar months are compared with whole calendar months; other days keep their number,
    or become the last day of a month that is too short.

    Raises:
        InvalidQuery: the period has no first or no last day, or there is none so long ago.
    """
    start, end = dates.start, dates.end
    if start is None or end is None:
        raise InvalidQuery(
            "a comparison needs a period with a first and a last day; choose other dates than "
            f"{dates.preset or 'an open range'}"
        )
    try:
        if comparison.kind == "same_period_last_year":
            return _back_months(start, end, 12)
        if comparison.kind == "previous_period":
            if _is_whole_months(start, end):
                return _back_months(start, end, _month(end) - _month(start) + 1)
            return _back_days(start, end, (end - start).days + 1)
        count, unit = comparison.count or 0, comparison.unit or "day"
        if unit in _MONTHS:
            return _back_months(start, end, count * _MONTHS[unit])
        return _back_days(start, end, count * _DAYS[unit])
    except OverflowError:
        raise InvalidQuery(
            f"there is no period so long before {start.isoformat()} to {end.isoformat()}; "
            "compare with a later one"
        ) from None


def step_of(
    frequency: object, explicit: Step | None = None, dates: Iterable[date | None] = ()
) -> Step:
    """How far the dates of a chart lie apart.

    Args:
        frequency: of the chart; its name tells, if it is a usual one.
        explicit: what the definition says, which counts first.
        dates: all that there are, which tell if nothing else does.
    """
    if explicit is not None:
        return explicit
    if isinstance(frequency, str) and (named := _NAMES.get(frequency.strip().lower())):
        return named
    return _detected({_day(each) for each in dates if each is not None})


def _detected(days: set[date]) -> Step:
    """How far dates lie apart, by what they have in common."""
    if len(days) < 2:
        return "month" if all(day.day == 1 for day in days) and days else "day"
    if len({_phase(day, 12) for day in days}) == 1:
        return "year"
    if len({_phase(day, 3) for day in days}) == 1:
        return "quarter"
    if all(day.day == 1 for day in days) or all(map(_is_last_of_month, days)):
        return "month"
    return "week" if len({day.weekday() for day in days}) == 1 else "day"


def align(
    current: Iterable[date | None],
    compared: Iterable[date | None],
    ranges: tuple[DateRange, DateRange],
    step: Step,
) -> list[Pair]:
    """Both periods' dates, position by position; rows without a date come last, side by side.

    Args:
        current: the dates of the current period, each once.
        compared: those of the compared one.
        ranges: of both; each with a first day.
        step: how far dates lie apart.
    """
    here, there = list(current), list(compared)
    dated = [each for each in here if each is not None]
    dated_before = [each for each in there if each is not None]
    grid = _Grid.of(step, dated, dated_before)
    starts = [each.start or date.min for each in ranges]
    ours, theirs = grid.positions(dated, starts[0]), grid.positions(dated_before, starts[1])
    pairs = []
    for position in sorted(ours.keys() | theirs.keys()):
        mine, other = ours.get(position), theirs.get(position)
        label = mine if mine is not None or other is None else grid.moved(other, starts)
        pairs.append(Pair(label, mine, other, mine is not None, other is not None))
    if None in here or None in there:
        pairs.append(Pair(None, None, None, None in here, None in there))
    return pairs


def fill(dates: Iterable[date], step: Step) -> list[date]:
    """All dates of the grid from the first to the last, and those that lie on none, in order.

    Raises:
        InvalidQuery: they would be too many.
    """
    known = sorted(set(dates))
    if not known:
        return []
    first, last = known[0], known[-1]
    found = set(known)
    months, number = _MONTHS.get(step), 0
    on = _common_day(map(_day, known))
    while True:
        number += 1
        try:
            if months is None:
                following: date = first + timedelta(days=number * _DAYS[step])
            else:
                following = _later(first, number * months, on)
        except OverflowError:
            break
        if following > last:
            break
        found.add(following)
        if len(found) > MOST_FILLED:
            raise InvalidQuery(
                f"from {first} to {last} there are more than {MOST_FILLED:,} dates by "
                f"{step}; choose a shorter period, or don't fill what is missing"
            )
    return sorted(found)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The calendar grid of a step.

    Attributes:
        step: how far its places lie apart.
        anchor: how late in its month, quarter or year a date lies at most.
        on: the day of the month on which all dates lie; None if there is none.
        weekday: of all dates of the current period; None if there is none.
    """

    step: Step
    anchor: tuple[int, int]
    on: int | None
    weekday: int | None

    @classmethod
    def of(cls, step: Step, current: Sequence[date], compared: Sequence[date]) -> _Grid:
        days = [_day(each) for each in (*current, *compared)]
        weekdays = {_day(each).weekday() for each in current}
        months = _MONTHS.get(step, 1)
        anchor = max((_phase(day, months) for day in days), default=(0, 1))
        weekday = weekdays.pop() if len(weekdays) == 1 else None
        return cls(step, anchor, _common_day(days), weekday)

    def positions(self, dates: Sequence[_D], start: date) -> dict[tuple[int, int], _D]:
        """Each date by its place; several of one place by their order, too."""
        found: dict[tuple[int, int], _D] = {}
        for each in sorted(dates):
            place, rank = self._place(_day(each), start), 0
            while (place, rank) in found:
                rank += 1
            found[place, rank] = each
        return found

    def moved(self, day: _D, starts: Sequence[date]) -> date:
        """A date of the compared period where the current one has its place."""
        current, compared = starts
        try:
            if self.step == "week":
                return self._moved_by_weeks(day, current, compared)
            if self.step == "day":
                return _plus(day, (current - compared).days)
            months = _MONTHS[self.step]
            places = self._first(current) - self._first(compared)
            return _later(day, places * months, self.on)
        except OverflowError:
            return day

    def _moved_by_weeks(self, day: _D, current: date, compared: date) -> date:
        """As many weeks into the current period, on the weekday that dates have there."""
        weekday = _day(day).weekday() if self.weekday is None else self.weekday
        first = current + timedelta(days=(weekday - current.weekday()) % _WEEK)
        target = first + timedelta(days=_WEEK * self._place(_day(day), compared))
        return _plus(day, (target - _day(day)).days)

    def _place(self, day: date, start: date) -> int:
        if self.step in _DAYS:
            return (day - start).days // _DAYS[self.step]
        return _month(day) // _MONTHS[self.step] - self._first(start)

    def _first(self, start: date) -> int:
        """The number of the first unit in which a date of the period can lie."""
        months = _MONTHS[self.step]
        phase = ((start.month - 1) % months, start.day)
        return _month(start) // months + (phase > self.anchor)


def _day(value: date) -> date:
    return value.date() if isinstance(value, datetime) else value


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _is_last_of_month(day: date) -> bool:
    return day.day == calendar.monthrange(day.year, day.month)[1]


def _is_whole_months(start: date, end: date) -> bool:
    return start.day == 1 and _is_last_of_month(end)


def _phase(day: date, months: int) -> tuple[int, int]:
    """How late in its unit of so many months a day lies."""
    return (day.month - 1) % months, _ALWAYS_LAST if _is_last_of_month(day) else day.day


def _plus(day: _D, days: int) -> _D:
    return day + timedelta(days=days)


def _common_day(days: Iterable[date]) -> int | None:
    """On which day of the month all lie, or on the last where it is too short; None if on none."""
    listed = list(days)
    if all(map(_is_last_of_month, listed)):
        return _ALWAYS_LAST
    latest = max(day.day for day in listed)
    return latest if all(day == _on(day, latest) for day in listed) else None


def _on(day: date, number: int) -> date:
    """The day of that number in a day's month, or its last."""
    return day.replace(day=min(number, calendar.monthrange(day.year, day.month)[1]))


def _later(day: date, months: int, on: int | None) -> date:
    """So many months later, with its time if it has one.

    Args:
        day: a date or an instant.
        months: how many.
        on: on which day of the month; None for the same.
    """
    moved = add_months(_day(day), months)
    if on is not None:
        moved = _on(moved, on)
    return datetime.combine(moved, day.timetz()) if isinstance(day, datetime) else moved


def _last_of_month(day: date) -> date:
    return _on(day, _ALWAYS_LAST)


def _back_days(start: date, end: date, days: int) -> DateRange:
    back = timedelta(days=days)
    return DateRange(start=start - back, end=end - back)


def _back_months(start: date, end: date, months: int) -> DateRange:
    moved = add_months(end, -months)
    if _is_whole_months(start, end):
        moved = _last_of_month(moved)
    return DateRange(start=add_months(start, -months), end=moved)
