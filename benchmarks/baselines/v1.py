"""The predecessor's first design: one document for each measure and frequency, for everybody.

Its keys have a place for practice and provider, and ``*`` where there is none; a question tries the
key that is made for it alone, then four that hold more and more, and filters what it finds in
memory. Warming fills only the fourth level, all practices of one measure and frequency: what is
narrower was only kept once somebody had asked for it, and was then wrong as soon as the wider one
was renewed; so it isn't kept here.

Its author would say: one GET, any filter, hardly any keys, and no index that could be wrong. What
it costs: to answer for 10 providers, it fetches and parses the rows of 1,000.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
import redis.asyncio as redis

from benchmarks.baselines.api import Answer, Place
from benchmarks.baselines.documents import LIFE, PATIENCE, Row, connect, filtered, pairs_of, summed
from benchmarks.questions import Question

__all__ = ["FirstDesign", "NotCached", "open_v1"]

ANY: Final = "*"


class NotCached(LookupError):
    """No level has an answer; the predecessor would have asked the database."""


class FirstDesign:
    """Reads documents of all practices.

    Args:
        client: of Redis.
        place: where the table is.
    """

    name = "v1"

    def __init__(self, client: Any, place: Place) -> None:
        self._redis = client
        self._place = place
        self._stem = f"{place.prefix}v1:datasource:{place.datasource}"

    async def warm(self) -> None:
        """One SELECT and one SET for each measure and frequency."""
        await self.clear()
        table = self._place.table
        connection = await connect(self._place.postgres_url)
        try:
            documents = await connection.fetch(
                f"SELECT DISTINCT measure, frequency FROM {table}"  # noqa: S608 (a name of ours)
            )
            for measure, frequency in documents:
                rows = await connection.fetch(
                    f"SELECT * FROM {table} WHERE measure = $1 AND frequency = $2",  # noqa: S608
                    measure,
                    frequency,
                )
                key = self._key(measure, ANY, ANY, frequency)
                await self._redis.set(key, orjson.dumps([dict(row) for row in rows]), ex=LIFE)
        finally:
            await connection.close()

    async def rows(self, question: Question) -> Answer:
        """Rows with all their columns."""
        return filtered(await self._fetch(question), question)

    async def sums(self, question: Question) -> Answer:
        """Sums by ISO date."""
        return summed(await self.rows(question))

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths."""
        return pairs_of(answer)

    async def clear(self) -> None:
        """Remove the documents, found by their pattern, as the predecessor did."""
        async for key in self._redis.scan_iter(match=f"{self._stem}:*", count=1000):
            await self._redis.unlink(key)

    async def _fetch(self, question: Question) -> list[Row]:
        for key in self._hierarchy(question):
            document = await self._redis.get(key)
            if document is not None:
                rows: list[Row] = orjson.loads(document)
                if key.endswith(f":freq:{ANY}"):
                    return [row for row in rows if row["frequency"] == question.frequency]
                return rows
        raise NotCached(f"nothing is kept for {question}")

    def _hierarchy(self, question: Question) -> Iterator[str]:
        """The five levels, from the narrowest up."""
        measure, frequency = f"Measure {question.measure}", question.frequency
        practice = "-".join(map(str, question.practices or ())) or ANY
        provider = ANY if question.provider is None else str(question.provider)
        yield self._key(measure, practice, provider, frequency)
        yield self._key(measure, practice, ANY, frequency)
        yield self._key(measure, ANY, provider, frequency)
        yield self._key(measure, ANY, ANY, frequency)
        yield self._key(measure, ANY, ANY, ANY)

    def _key(self, measure: str, practice: str, provider: str, frequency: str) -> str:
        return f"{self._stem}:m:{measure}:p:{practice}:prov:{provider}:freq:{frequency}"


@asynccontextmanager
async def open_v1(place: Place) -> AsyncIterator[FirstDesign]:
    """A client of redis-py, as most people have one."""
    async with redis.Redis.from_url(place.redis_url, socket_timeout=PATIENCE) as client:
        yield FirstDesign(client, place)
