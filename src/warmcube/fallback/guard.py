"""A breaker for a database: whoever asks doesn't wait for one that can't be reached.

A connection that hangs takes seconds to be given up, and a thread with it. So once one was, nobody
is made to wait for the next; a probe finds out when it is there again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from warmcube.errors import NotUsable, QueryTimeout, SourceUnavailable
from warmcube.store.breaker import Breaker

__all__ = ["NOTICE", "SourceGuard", "Watch", "closed"]

PAUSE: Final = 0.5
"""Seconds between the end of one probe and the next."""
NOTICE: Final = 1.0
"""After so many seconds without an answer, a probe finds out whether the database is there."""
PROBE_SECONDS: Final = 5.0
"""After so long a probe is given up that the driver hasn't."""
CLOSE_SECONDS: Final = 3.0
"""For so long at most the end of reads is waited for: what a silent database lets go of by then."""


def closed() -> NotUsable:
    """What those are told whose cache is closed under them."""
    return NotUsable("the cache was closed while this was read; ask again when it is open")


class Watch:
    """A read under way, ended when nothing has come for too long.

    Args:
        seconds: for which the first may be waited for.
        slow: called when it takes so long that the database may be silent.
    """

    def __init__(self, seconds: float, slow: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.timeout = asyncio.timeout(seconds)
        self._slow = slow
        self._notice = loop.call_later(NOTICE, slow)
        self._is_stopped = False

    def came(self, seconds: float) -> None:
        """Something came; for the next so many seconds may be waited for."""
        if self._is_stopped or self.timeout.expired():
            return
        loop = asyncio.get_running_loop()
        self.timeout.reschedule(loop.time() + seconds)
        self.end()
        self._notice = loop.call_later(NOTICE, self._slow)

    def stop(self) -> None:
        """End the read now, whatever comes at the same moment."""
        self._is_stopped = True
        if not self.timeout.expired():
            self.timeout.reschedule(asyncio.get_running_loop().time())

    def end(self) -> None:
        """Nothing more is waited for."""
        self._notice.cancel()


class SourceGuard:
    """Lets reads of a database begin, or not, and sees to it that they end.

    Args:
        name: the source's, for messages.
        ping: opens a connection and closes it.
    """

    def __init__(self, name: str, ping: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._ping = ping
        self._breaker = Breaker()
        self._task: asyncio.Task[None] | None = None
        self._watches: set[Watch] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_closed = False

    def require(self) -> None:
        """Let a read begin.

        Raises:
            SourceUnavailable: the database couldn't be reached, and still can't.
            NotUsable: the cache is closed.
        """
        if self._is_closed:
            raise closed()
        if self._breaker.is_open:
            raise SourceUnavailable(self._breaker.why, is_unreachable=True)

    def fail(self, why: str) -> None:
        """Let none begin until a probe says that the database is there."""
        breaker = self._breaker
        if breaker.fail(breaker.closings, why, asyncio.get_running_loop().time()):
            self.suspect()

    def suspect(self) -> None:
        """Find out whether it is there, if that isn't under way; while it isn't, none may begin."""
        if not self._is_closed and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._probe())

    @asynccontextmanager
    async def watch(self, seconds: float, allowed: float) -> AsyncIterator[Watch]:
        """Read under a deadline that whatever comes may move, and tell how the database is.

        Args:
            seconds: for which the first may be waited for.
            allowed: how many a query has in all, for the message.

        Raises:
            SourceUnavailable: none may begin.
            QueryTimeout: nothing came in time.
            NotUsable: the cache is closed.
        """
        self.require()
        watch = Watch(seconds, self.suspect)
        self._watches.add(watch)
        self._idle.clear()
        try:
            async with watch.timeout:
                yield watch
        except SourceUnavailable as error:
            if error.is_unreachable:
                self.fail(str(error))
            raise
        except TimeoutError:
            if self._is_closed:
                raise closed() from None
            self.suspect()  # many statements may only have taken long together
            raise QueryTimeout.at("reading the database", allowed) from None
        finally:
            watch.end()
            self._watches.discard(watch)
            if not self._watches:
                self._idle.set()

    async def close(self) -> None:
        """End all reads, and probe no more."""
        self._is_closed = True
        for watch in self._watches:
            watch.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._idle.wait()
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
