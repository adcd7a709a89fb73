"""What is read anew at most once in a while, however many ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Recent"]

_T = TypeVar("_T")


class Recent(Generic[_T]):
    """Keeps what was read for some seconds; those who come while it is read wait for that.

    Args:
        read: reads it.
        seconds: how long it counts.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[_T]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = asyncio.Lock()
        self._known: tuple[float, _T] | None = None

    async def get(self) -> _T:
        """What was read less than so many seconds ago."""
        async with self._lock:
            if self._known is None or self._clock() - self._known[0] >= self._seconds:
                self._known = self._clock(), await self._read()
            return self._known[1]
