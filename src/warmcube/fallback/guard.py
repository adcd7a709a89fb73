"""A breaker for a database: whoever asks doesn't wait for one that can't be reached.

A connection that hangs takes seconds to be given up, and a thread with it. So once one was, nobody
is made to wait for the next; a probe finds out when it is there again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from warmcube.errors import SourceUnavailable
from warmcube.store.breaker import Breaker

__all__ = ["NOTICE", "SourceGuard"]

PAUSE: Final = 0.5
"""Seconds between the end of one probe and the next."""
NOTICE: Final = 1.0
"""After so many seconds without an answer, a probe finds out whether the database is there."""
PROBE_SECONDS: Final = 5.0
"""After so long a probe is given up that the driver hasn't."""


class SourceGuard:
    """Lets reads of a database begin, or not.

    Args:
        name: the source's, for messages.
        ping: opens a connection and closes it.
    """

    def __init__(self, name: str, ping: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._ping = ping
        self._breaker = Breaker()
        self._task: asyncio.Task[None] | None = None

    def require(self) -> None:
        """Let a read begin.

        Raises:
            SourceUnavailable: the database couldn't be reached, and still can't.
        """
        if self._breaker.is_open:
            raise SourceUnavailable(self._breaker.why, is_unreachable=True)

    def fail(self, why: str) -> None:
        """Let none begin until a probe says that the database is there."""
        breaker = self._breaker
        if breaker.fail(breaker.closings, why, asyncio.get_running_loop().time()):
            self.suspect()

    def suspect(self) -> None:
        """Find out whether it is there, if that isn't under way; while it isn't, none may begin."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._probe())

    async def close(self) -> None:
        """Probe no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _probe(self) -> None:
        while (why := await self._ask()) is not None:
            self._breaker.unanswered(why, asyncio.get_running_loop().time())
            await asyncio.sleep(PAUSE)
        self._breaker.answered()

    async def _ask(self) -> str | None:
        """Why no read should begin; None if it may."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._ping()
        except SourceUnavailable as error:
            # What says that it can't is there; whoever asks next is told what it says.
            return str(error) if error.is_unreachable else None
        except TimeoutError:
            return f"source {self._name!r} doesn't answer; check that it runs"
        except Exception:  # noqa: BLE001 - a probe that dies would keep everybody out for ever
            return None
        return None
