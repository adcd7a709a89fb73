"""When a trip has taken too long: when its server has been silent for so long, to everybody."""

from __future__ import annotations

import asyncio
from typing import Final

from warmcube.store.breaker import Breaker

__all__ = ["LATE", "LONGEST", "Silence"]

LONGEST: Final = 2.0
"""However well others are answered, a trip takes no longer than so many seconds, or than it may; to
wait for a connection, as long again."""
LATE: Final = 0.1
"""A timer that rings so many seconds late does so because this process was held up."""


class Silence:
    """Ends one trip when nobody has heard of the server for the time that the trip may take.

    Where a hundred trips are under way at once, each takes long without anybody being silent: the
    process has to send all of them and read all replies. To give one up then would cost more than
    to wait for it. And a process that was held up hasn't read yet what came meanwhile.

    Args:
        deadline: of the trip; it is moved to now when the time has come.
        breaker: of the server, which is told whenever a reply came.
        seconds: of silence.
    """

    __slots__ = ("_breaker", "_deadline", "_due", "_handle", "_loop", "_seconds", "_since")

    def __init__(self, deadline: asyncio.Timeout, breaker: Breaker, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._deadline = deadline
        self._breaker = breaker
        self._seconds = seconds
        self._since = self._loop.time()
        self._due = self._since + seconds
        self._handle = self._loop.call_at(self._due, self._look)

    def end(self) -> None:
        """The trip has ended."""
        self._handle.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        since = max(self._since, self._breaker.heard)
        if now > self._due + LATE:
            since = self._since = now
        self._due = since + self._seconds
        if self._due <= now and not self._deadline.expired():
            self._deadline.reschedule(now)
            self._due = now + self._seconds  # what comes at this very moment may move the deadline
        if self._due > now:
            self._handle = self._loop.call_at(self._due, self._look)
