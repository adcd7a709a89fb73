"""Hears of changes of a directory in a database, and knows how long it has heard well.

LISTEN needs a direct connection: a pooler that hands out a server connection for each transaction
takes the command and never delivers anything. So every heartbeat asks the server whether this very
session still listens; where it doesn't, LISTEN isn't to be had, and the directory is kept for a
shorter time instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from warmcube.postgres.session import DRIVER_ERRORS, Session, open_session
from warmcube.postgres.url import PostgresUrl

__all__ = ["CHANNEL", "Listening"]

CHANNEL: Final = "warmcube_directory"
"""What the triggers of the tables notify; the payload is the schema."""

HEARTBEAT: Final = 0.5
PATIENCE: Final = 1.0
"""Seconds that a heartbeat may take."""
OPENING: Final = 3.0
"""Seconds that opening the connection may take."""
RETRY: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to listen; the last one for good."""

_HEARTBEAT: Final = f"SELECT '{CHANNEL}' IN (SELECT pg_listening_channels())"


class Listening:
    """Listens in the background until it is closed.

    Args:
        url: of the database.
        schema: whose changes count.
        monotonic: seconds that only grow.
    """

    def __init__(
        self, url: PostgresUrl, schema: str, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._schema = schema
        self._monotonic = monotonic
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._news = asyncio.Event()
        self._heard_at = float("-inf")
        self._news_at = float("-inf")
        self._is_announced = True
        self.is_hearing = False
        """Whether what is announced is heard."""
        self.doubt_at = float("-inf")
        """From when on there may be changes that no read has seen; infinity: there are none."""

    async def begin(self) -> None:
        """Start, if that hasn't happened; returns when the first attempt to listen is over."""
        if self._task is None or self._task.done():
            self._tried.clear()
            self._task = asyncio.create_task(self._listen_for_ever())
            self._task.add_done_callback(lambda _: self._tried.set())
        await self._tried.wait()

    @property
    def hears_all(self) -> bool:
        """Whether every change is announced, and heard."""
        return self.is_hearing and self._is_announced

    def settle(self, began: float, *, is_announced: bool = True) -> None:
        """Know that a read that began then has seen all changes before.

        Args:
            began: when it began.
            is_announced: whether the tables announce their changes, as it found.
        """
        self._is_announced = is_announced
        self._news.clear()
        self.doubt_at = float("inf")
        if not self.hears_all:
            self.doubt_at = began
        elif self._news_at >= began:
            self.doubt_at = began
            self._news.set()

    async def wait_for_news(self, seconds: float) -> None:
        """Return when there is something to read, or after so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _listen_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(OPENING):
                    session = await open_session(self._url)
            except DRIVER_ERRORS:
                session = None
            if session is not None:
                try:
                    await self._listen(session)
                except DRIVER_ERRORS:
                    failures = 0 if self.is_hearing else failures
                finally:
                    self._go_deaf()
                    await _close(session)
            self._tried.set()
            await asyncio.sleep(RETRY[min(failures, len(RETRY) - 1)])
            failures += 1

    async def _listen(self, session: Session) -> None:
        """Hear until something breaks, or the session turns out not to listen."""
        async with asyncio.timeout(PATIENCE):
            await session.execute(f"LISTEN {CHANNEL}")
        while await self._is_listening(session):
            if not self.is_hearing:
                self.is_hearing = True
                self._tell_news()  # what happened before wasn't heard of
            self._tried.set()
            async for notification in session.notifies(timeout=HEARTBEAT):
                if notification.payload in ("", self._schema):
                    self._tell_news()

    async def _is_listening(self, session: Session) -> bool:
        asked = self._monotonic()
        # The driver takes up to ten seconds more to give up a statement on a silent connection.
        late = asyncio.get_running_loop().call_later(PATIENCE, self._go_deaf)
        try:
            async with asyncio.timeout(PATIENCE):
                cursor = await session.execute(_HEARTBEAT)
                row = await cursor.fetchone()
        finally:
            late.cancel()
        if row is None or row[0] is not True:
            return False
        self._heard_at = asked
        return True

    def _go_deaf(self) -> None:
        if self.is_hearing:
            self.is_hearing = False
            self.doubt_at = min(self.doubt_at, self._heard_at)
            self._news.set()

    def _tell_news(self) -> None:
        self._news_at = self._monotonic()
        self.doubt_at = min(self.doubt_at, self._news_at)
        self._news.set()


async def _close(session: Session) -> None:
    with contextlib.suppress(*DRIVER_ERRORS):
        async with asyncio.timeout(PATIENCE):
            await session.close()
