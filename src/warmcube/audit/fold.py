"""Repeated denials become one line a minute, so that who is denied can't fill the disk.

The first denial is told at once. Others like it are counted while its minute lasts, and told as one
event when it is over. Alike are denials of one actor, one user, one data source and one reason.
Users who don't exist are all alike, whatever their names, and so are data sources that don't. There
is a bound to how many kinds are told apart; beyond it, all denials for one reason are alike.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple

from warmcube.audit.events import Denied
from warmcube.audit.listed import MOST_LISTED, listed_texts
from warmcube.audit.reasons import DenialReason

__all__ = ["MOST_OPEN", "WINDOW", "Fold", "Told"]

WINDOW: Final = 60.0
"""Seconds from the first denial of a kind until the others are told."""
MOST_OPEN: Final = 10_000


class Told(NamedTuple):
    """A denial to write, and the time that its line bears."""

    event: Denied
    time: datetime


@dataclass(slots=True)
class _Window:
    """What came after the first denial of a kind."""

    until: float
    last: Told | None = None
    count: int = 0
    since: datetime | None = None
    actors: set[str | None] = field(default_factory=set)  # at most two: one, or several
    datasources: set[int | None] = field(default_factory=set)  # likewise
    subjects: dict[str | None, None] = field(default_factory=dict)

    def take(self, event: Denied, time: datetime) -> None:
        self.count += 1
        self.since = self.since or time
        self.last = Told(event, time)
        if len(self.actors) < 2:
            self.actors.add(event.actor)
        if len(self.datasources) < 2:
            self.datasources.add(event.request.datasource)
        if len(self.subjects) < MOST_LISTED:
            self.subjects[event.subject] = None

    def rest(self) -> Iterator[Told]:
        """All that was counted, as one event; nothing if there is nothing."""
        if self.last is None:
            return
        event, time = self.last
        names = [name for name in self.subjects if name is not None]
        is_one = len(self.subjects) == 1
        yield Told(
            replace(
                event,
                actor=event.actor if len(self.actors) == 1 else None,
                subject=event.subject if is_one else None,
                subjects=None if is_one else listed_texts(names),
                request=event.request
                if len(self.datasources) == 1
                else replace(event.request, datasource=None),
                repeated=self.count - 1,
                since=self.since,
            ),
            time,
        )


class Fold:
    """Folds denials; reads no clock.

    For each kind that is told apart at most two events come out in `window` seconds, and the sum of
    ``1 + repeated`` over what comes out is the number of denials that went in.

    Args:
        window: seconds.
        most_open: how many kinds are told apart at a time.
    """

    def __init__(self, *, window: float = WINDOW, most_open: int = MOST_OPEN) -> None:
        self._window = window
        self._most_open = most_open
        self._open: dict[Hashable, _Window] = {}  # in the order in which their time is over

    @property
    def next_due(self) -> float | None:
        """When the next window is over; None if none is open."""
        return next((window.until for window in self._open.values()), None)

    def add(self, event: Denied, now: float, time: datetime) -> list[Told]:
        """Take a denial.

        Args:
            event: what happened.
            now: seconds that only grow.
            time: of the event.

        Returns:
            what is to be written now: what was due, and `event` if it is the first of its kind.
        """
        told = self.due(now)
        key = _kind(event)
        if key not in self._open and len(self._open) >= self._most_open:
            key = event.reason
        window = self._open.get(key)
        if window is not None:
            window.take(event, time)
            return told
        self._open[key] = _Window(now + self._window)
        return [*told, Told(event, time)]

    def due(self, now: float) -> list[Told]:
        """What is to be written now."""
        told: list[Told] = []
        while self._open:
            key, window = next(iter(self._open.items()))
            if now < window.until:
                break
            del self._open[key]
            told.extend(window.rest())
        return told

    def close(self) -> list[Told]:
        """Everything that is left, whether its time is over or not."""
        windows = list(self._open.values())
        self._open.clear()
        return [told for window in windows for told in window.rest()]


def _kind(event: Denied) -> Hashable:
    """What denials that are alike have in common."""
    if event.reason is DenialReason.UNKNOWN_USER:
        return event.reason
    if event.reason is DenialReason.UNKNOWN_DATASOURCE:
        return event.actor, event.subject, event.reason
    return event.actor, event.subject, event.reason, event.request.datasource
