"""What somebody else's server said, kept for a while and asked for again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from warmcube.errors import IdentityUnavailable

__all__ = ["Known"]

_T = TypeVar("_T")

_MAX_AGE: Final = 3600.0
_OLDEST: Final = 86_400.0
_REFETCH: Final = 30.0
"""Seconds between two questions to a server whose last answer is still of use."""
_RETRY: Final = 5.0
"""Seconds between two questions to a server that never answered."""


class Known(Generic[_T]):
    """What the provider said last, and when.

    Args:
        monotonic: seconds that only grow.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._value: _T | None = None
        self._said = 0.0
        self._failure: IdentityUnavailable | None = None
        self._failed = 0.0

    async def get(self, ask: Callable[[], Awaitable[_T]], lacks: Callable[[_T], bool]) -> _T:
        """What is known, asked for again where it is old or lacks something.

        One asks for all who wait. A provider that fails is left alone for some seconds, and what it
        said before counts for a while.
        """
        async with self._lock:
            value, age = self._value, self._monotonic() - self._said
            if value is not None and age <= (_REFETCH if lacks(value) else _MAX_AGE):
                return value
            patience = _RETRY if value is None else _REFETCH
            if self._failure is None or self._monotonic() - self._failed > patience:
                try:
                    value = await ask()
                except IdentityUnavailable as error:
                    self._failure, self._failed = error, self._monotonic()
                else:
                    self._value, self._said, self._failure = value, self._monotonic(), None
                    return value
            if value is not None and age <= _OLDEST:
                return value
            raise IdentityUnavailable(str(self._failure)) from self._failure
