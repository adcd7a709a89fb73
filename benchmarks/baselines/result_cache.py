"""A cache of results by key, in front of Postgres: what most people mean by "put Redis before it".

cashews, which is asyncio's own and is being kept (dogpile.cache blocks; aiocache has stood still),
on the same Redis; behind it the fastest form of Postgres. Whoever asks what was asked before, gets
what was answered before; what counts as the same question is measure, frequency, and the practices
and provider that the asker's rights leave of the filter, so that nobody gets another's rows, and
those who may see the same share their answers. Answers are pickled as arrays.

Its author would say: a decorator and a time to live; nothing to warm, nothing to keep for those who
never ask; as fast as one GET, and any SQL can stand behind it. What it can't: answer a combination
that nobody has asked for yet. `ResultCache.hits` and `ResultCache.asked` tell how many were new.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from cashews import Cache

from benchmarks.baselines.api import Answer, Place
from benchmarks.baselines.postgres import CONNECTIONS, Form, Postgres, open_postgres
from benchmarks.questions import Question

__all__ = ["ResultCache", "open_result_cache"]

LIFE: Final = "4h"

PATIENCE: Final = 60
"""Seconds that it waits for Redis."""

CONNECTIONS_TO_REDIS: Final = 128
"""As many as ever ask at a time, and more."""

_KEY: Final = "{question.measure}:{question.frequency}:{practices:hash}:{question.provider}:{sums}"


class ResultCache:
    """Asks Postgres what nobody asked before.

    Args:
        cache: on Redis.
        postgres: behind it.
        place: where the table is.
    """

    name = "result_cache"

    def __init__(self, cache: Cache, postgres: Postgres, place: Place) -> None:
        self._cache = cache
        self._postgres = postgres
        self._prefix = f"{place.prefix}results:{place.datasource}:"
        self.asked = 0
        self.misses = 0
        self._ask = cache(ttl=LIFE, key=self._prefix + _KEY)(self._answer)

    @property
    def hits(self) -> int:
        """How many questions were answered without the database."""
        return self.asked - self.misses

    def forget_counts(self) -> None:
        """Count from zero again."""
        self.asked = self.misses = 0

    async def warm(self) -> None:
        """Prepare the database, and forget all results: there is nothing to fill them with."""
        await self._postgres.warm()
        await self.forget()

    async def rows(self, question: Question) -> Answer:
        """Two arrays."""
        return await self._asked(question, sums=False)

    async def sums(self, question: Question) -> Answer:
        """Two arrays."""
        return await self._asked(question, sums=True)

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths."""
        days, cents = answer
        return list(zip(days.tolist(), cents.tolist(), strict=True))

    async def clear(self) -> None:
        """Remove the results, and what the database was given."""
        await self.forget()
        await self._postgres.clear()

    async def forget(self) -> None:
        """Remove the results."""
        await self._cache.delete_match(self._prefix + "*")

    async def _asked(self, question: Question, *, sums: bool) -> Answer:
        self.asked += 1
        practices = "" if question.practices is None else str(sorted(question.practices))
        return await self._ask(question, practices, sums=sums)

    async def _answer(self, question: Question, practices: str, *, sums: bool) -> Answer:  # noqa: ARG002 (part of the key)
        self.misses += 1
        ask = self._postgres.sums if sums else self._postgres.rows
        pairs = self._postgres.pairs(await ask(question))
        return (
            np.array([day for day, _ in pairs], np.int32),
            np.array([cents for _, cents in pairs], np.int64),
        )


@asynccontextmanager
async def open_result_cache(
    place: Place, connections: int = CONNECTIONS
) -> AsyncIterator[ResultCache]:
    """The cache and the pool behind it.

    Args:
        place: where the table is.
        connections: to the database.
    """
    cache = Cache()
    # The address by itself: cashews knows redis:// and rediss:// only, its client also unix://.
    # Nothing suppressed, and patient: else what goes wrong, or long, would look like a miss.
    cache.setup(
        "redis://",
        address=place.redis_url,
        suppress=False,
        socket_timeout=PATIENCE,
        max_connections=CONNECTIONS_TO_REDIS,
    )
    async with open_postgres(place, Form.ARRAYS, connections) as postgres:
        try:
            yield ResultCache(cache, postgres, place)
        finally:
            with warnings.catch_warnings():
                # It closes its client by a name that redis-py has given another.
                warnings.simplefilter("ignore", DeprecationWarning)
                await cache.close()
