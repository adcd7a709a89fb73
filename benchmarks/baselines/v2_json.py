"""The predecessor's second design, to the letter of its plan.

A JSON document for each measure, practice, provider and frequency; five index sets of whole keys;
SUNIONSTORE and SINTERSTORE into temporary keys, which expire or are deleted; MGET; filters in
memory. Each command is awaited by itself, as the plan has it. What a warm writes per entry is the
plan's too, down to an EXPIRE behind each SADD. One thing isn't: the plan has the database sort what
is then grouped in memory, which only costs time, and is left out in its favour.

Its author would say: every filter hits, a new one too; only what is asked for is read; any client
of Redis and any reader of JSON can follow it. What it costs: 11 commands per entry to write, six
copies of each key, the parsing of columns that nobody asked for, and writes for each read.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import redis.asyncio as redis

from benchmarks.baselines.api import Answer, Place
from benchmarks.baselines.documents import LIFE, PATIENCE, Row, connect, filtered, pairs_of, summed
from benchmarks.questions import Question

__all__ = ["SecondDesign", "open_v2_json"]

ENTRIES_IN_PIPELINE: Final = 5_000
KEYS_IN_MGET: Final = 10_000
KEYS_IN_DEL: Final = 1_000
SECONDS_OF_TEMPORARY: Final = 10

_chance: Final = random.Random()  # noqa: S311 (not for secrets)


class SecondDesign:
    """Reads documents that index sets name.

    Args:
        client: of Redis.
        place: where the table is.
    """

    name = "v2_json"

    def __init__(self, client: Any, place: Place) -> None:
        self._redis = client
        self._place = place
        self._prefix = place.prefix
        self._of = f"ds:{place.datasource}"
        self.used_bytes = 0

    async def warm(self) -> None:
        """Read, group, write; `used_bytes` is then what ``used_memory`` grew by."""
        await self.clear()
        before = await self._used_memory()
        connection = await connect(self._place.postgres_url)
        try:
            rows = await connection.fetch(
                f"SELECT * FROM {self._place.table}"  # noqa: S608 (a name of ours)
            )
        finally:
            await connection.close()
        grouped: dict[tuple[str, int, int, str], list[Any]] = {}
        for row in rows:
            entry = (row["measure"], row["practice_uid"], row["provider_uid"], row["frequency"])
            grouped.setdefault(entry, []).append(row)
        entries = list(grouped.items())
        for at in range(0, len(entries), ENTRIES_IN_PIPELINE):
            await self._write_batch(entries[at : at + ENTRIES_IN_PIPELINE])
        await self._redis.set(
            f"{self._prefix}cache:meta:{self._of}:last_warm",
            datetime.now(UTC).isoformat(),
            ex=LIFE,
        )
        self.used_bytes = await self._used_memory() - before

    async def _write_batch(
        self, entries: Sequence[tuple[tuple[str, int, int, str], list[Any]]]
    ) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for (measure, practice, provider, frequency), rows in entries:
                key = (
                    f"{self._prefix}cache:{self._of}:m:{measure}:p:{practice}:prov:{provider}"
                    f":freq:{frequency}"
                )
                pipe.set(key, orjson.dumps([dict(row) for row in rows]), ex=LIFE)
                for index in (
                    self._index("master"),
                    self._index(f"m:{measure}:freq:{frequency}"),
                    self._index(f"m:{measure}:p:{practice}:freq:{frequency}"),
                    self._index(f"m:{measure}:freq:{frequency}:prov:{provider}"),
                    self._index(f"m:{measure}:p:{practice}:prov:{provider}:freq:{frequency}"),
                ):
                    pipe.sadd(index, key)
                    pipe.expire(index, LIFE)
            await pipe.execute()

    async def rows(self, question: Question) -> Answer:
        """Rows with all their columns."""
        keys = list(await self._matching(question))
        found: list[Row] = []
        for at in range(0, len(keys), KEYS_IN_MGET):
            for document in await self._redis.mget(keys[at : at + KEYS_IN_MGET]):
                if document is not None:
                    found += orjson.loads(document)
        return filtered(found, question)

    async def sums(self, question: Question) -> Answer:
        """Sums by ISO date."""
        return summed(await self.rows(question))

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths."""
        return pairs_of(answer)

    async def _matching(self, question: Question) -> set[bytes]:
        """The keys that all index sets have in common."""
        measure, frequency = f"Measure {question.measure}", question.frequency
        sets = [self._index(f"m:{measure}:freq:{frequency}")]
        if question.practices is not None:
            of_practices = [
                self._index(f"m:{measure}:p:{practice}:freq:{frequency}")
                for practice in question.practices
            ]
            sets.append(await self._united(of_practices))
        if question.provider is not None:
            sets.append(self._index(f"m:{measure}:freq:{frequency}:prov:{question.provider}"))
        if len(sets) == 1:
            keys: set[bytes] = await self._redis.smembers(sets[0])
            return keys
        result = self._temporary("result")
        await self._redis.sinterstore(result, sets)
        keys = await self._redis.smembers(result)
        await self._redis.delete(result)
        return keys

    async def _united(self, sets: Sequence[str]) -> str:
        if len(sets) == 1:
            return sets[0]
        union = self._temporary("union")
        await self._redis.sunionstore(union, sets)
        await self._redis.expire(union, SECONDS_OF_TEMPORARY)
        return union

    async def clear(self) -> None:
        """Invalidate: the entries by the master set, the index sets by SCAN, as the plan has it."""
        keys = list(await self._redis.smembers(self._index("master")))
        keys += [
            key async for key in self._redis.scan_iter(match=self._index("*"), count=KEYS_IN_DEL)
        ]
        for at in range(0, len(keys), KEYS_IN_DEL):
            await self._redis.delete(*keys[at : at + KEYS_IN_DEL])
        await self._redis.delete(f"{self._prefix}cache:meta:{self._of}:last_warm")

    async def _used_memory(self) -> int:
        return int((await self._redis.info("memory"))["used_memory"])

    def _index(self, name: str) -> str:
        return f"{self._prefix}idx:{self._of}:{name}"

    def _temporary(self, kind: str) -> str:
        return f"{self._prefix}temp:{kind}:{time.time_ns() // 1_000_000}:{_chance.random()}"


@asynccontextmanager
async def open_v2_json(place: Place) -> AsyncIterator[SecondDesign]:
    """A client of redis-py, as most people have one."""
    async with redis.Redis.from_url(place.redis_url, socket_timeout=PATIENCE) as client:
        yield SecondDesign(client, place)
