"""The one deadline of a query, for each step of it that waits for others.

What a process holds is answered without any of this: a timer takes as long as such an answer.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Final, Self

from warmcube.errors import QueryTimeout

__all__ = ["AUDITING", "DIRECTORY", "READING", "Within", "time_left"]

DIRECTORY: Final = "reading the directory"
READING: Final = "reading the store"
AUDITING: Final = "writing the audit"


def time_left(until: float) -> float:
    """Seconds until a moment of the monotonic clock; 0 if it is over."""
    return max(0.0, until - time.monotonic())


class Within:
    """A step of a query, ended at the query's deadline; to be entered with ``async with``.

    Args:
        until: the deadline, by the monotonic clock.
        seconds: that the query had in all, for the message.
        step: what it does, likewise.

    Attributes:
        until: the deadline, as what came has moved it.
    """

    __slots__ = ("_seconds", "_step", "_timeout", "until")

    def __init__(self, until: float, seconds: float, step: str) -> None:
        self.until = until
        self._seconds = seconds
        self._step = step
        self._timeout = asyncio.timeout(None)

    def came(self) -> None:
        """The first piece of something long has come: the next may take as long as a query may."""
        if not self._timeout.expired():
            self.until = time.monotonic() + self._seconds
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)

    async def __aenter__(self) -> Self:
        self._timeout = asyncio.timeout(time_left(self.until))
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise QueryTimeout.at(self._step, self._seconds) from None
