"""The positions of a chart: those with rows, dates in between, and what is compared. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

from warmcube.dashboard.definition import DateRange, Step
from warmcube.dashboard.periods import align, fill

__all__ = ["Position", "dated_positions", "filled", "in_zone", "plain_positions"]


@dataclass(frozen=True, slots=True)
class Position:
    """One position of a chart.

    Attributes:
        label: the value that is shown there.
        current: the value whose rows stand there.
        compared: the value whose rows of the compared period stand there.
        has_current: whether there is such a position in the current period.
        has_compared: likewise.
    """

    label: Any
    current: Any
    compared: Any
    has_current: bool = True
    has_compared: bool = True


def plain_positions(keys: Iterable[Any]) -> list[Position]:
    """Both periods have the same values."""
    return [Position(key, key, key) for key in keys]


def dated_positions(
    current: Sequence[Any],
    compared: Sequence[Any],
    ranges: tuple[DateRange, DateRange],
    step: Step,
    zone: ZoneInfo,
) -> list[Position]:
    """Two periods side by side, each of which has dates of its own.

    Args:
        current: the dates of the current period.
        compared: those of the compared one.
        ranges: of both.
        step: how far dates lie apart.
        zone: whose wall clock instants show; one that is moved shows the same time.
    """
    return [
        Position(
            pair.label if pair.has_current else _by_wall(pair.label, zone),
            pair.current,
            pair.compared,
            pair.has_current,
            pair.has_compared,
        )
        for pair in align(current, compared, ranges, step)
    ]


def filled(keys: Sequence[Any], step: Step, zone: ZoneInfo) -> list[Any]:
    """Dates in order, with those of the grid that lie between.

    Args:
        keys: ascending, NULL last; those that are no date of the calendar, like infinity, stay
            where they are.
        step: how far dates lie apart.
        zone: in which days of instants begin.

    Raises:
        InvalidQuery: they would be too many.
    """
    dates = [key for key in keys if isinstance(key, date)]
    if not dates:
        return list(keys)
    first, last = keys.index(dates[0]), keys.index(dates[-1])
    return [*keys[:first], *_between(dates, step, zone), *keys[last + 1 :]]


def _between(dates: Sequence[date], step: Step, zone: ZoneInfo) -> list[date]:
    """Instants are filled up by the wall clock, so that a change of the clock makes no gap."""
    by_wall: dict[date, list[date]] = {}
    for each in dates:
        wall = each.replace(tzinfo=None) if isinstance(each, datetime) else each
        by_wall.setdefault(wall, []).append(each)
    has_zone = isinstance(dates[0], datetime) and dates[0].tzinfo is not None
    found: list[date] = []
    for wall in fill(by_wall, step):
        found += by_wall.get(wall) or [_placed(wall, zone) if has_zone else wall]
    return found


def _by_wall(label: date | None, zone: ZoneInfo) -> date | None:
    """The label with the offset that its wall clock has on its own day."""
    has_zone = isinstance(label, datetime) and label.tzinfo is not None
    return _placed(label, zone) if has_zone and label is not None else label


def _placed(wall: date, zone: ZoneInfo) -> date:
    return in_zone(wall.replace(tzinfo=zone), zone) if isinstance(wall, datetime) else wall


def in_zone(moment: datetime, zone: ZoneInfo) -> datetime:
    """The same instant by the wall clock of a zone.

    It keeps the offset and not the zone: two datetimes of one zone are compared by their walls,
    and so two instants would be one where the clock is set back.
    """
    local = moment.astimezone(zone)
    offset = local.utcoffset()
    return local if offset is None else local.replace(tzinfo=timezone(offset), fold=0)
