"""The least that answering from Redis can cost: one SUNION, then one MGET of what it named.

No proof, no decoding, no access rules: it reads the bytes that the cache reads, and believes them.
It stands for everything that keeps entries behind index sets in Redis, however well it's written;
its author would say that the client and the network are most of the time, and that whoever wants
less than this must not ask Redis at all. So there are two: on the cache's own adapter and event
loop (the faster, what counts), and on redis-py's plain asyncio client, so that nobody has to
believe in the adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, Final, Protocol

import redis.asyncio as redis

from benchmarks.baselines.api import Place
from benchmarks.data import Shape
from benchmarks.questions import Question
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName, parse_member
from warmcube.store.api import Store
from warmcube.store.connect import open_store

__all__ = ["BareFloor", "open_bare_floor", "open_plain_floor"]

CHUNK: Final = 1000
"""Keys in one MGET, as many as the cache asks for."""


class Client(Protocol):
    """The few commands, and no more than a client needs for them."""

    async def union(self, sets: Sequence[bytes]) -> Iterable[bytes]:
        """The members of any of the sets."""
        ...

    async def values(self, keys: Sequence[bytes]) -> list[bytes]:
        """The values of all keys, in one trip."""
        ...

    async def get(self, key: bytes) -> bytes:
        """The value of one key."""
        ...


class BareFloor:
    """Reads what the cache reads and believes it.

    The cache keeps small index sets inside a hash, where SUNION can't reach them; so each practice
    and each provider gets a plain set of its own here.

    Args:
        name: as figures are called by.
        client: that is timed.
        store: for what isn't timed.
        place: where what lies in it.
    """

    def __init__(self, name: str, client: Client, store: Store, place: Place) -> None:
        self.name = name
        self._client = client
        self._store = store
        self._own = f"{place.prefix}bench:floor:{name}:{place.datasource}:".encode()
        self._keys = Keys(place.prefix, place.datasource)
        self._partitions: dict[tuple[int, str], PartitionKeys] = {}

    async def prepare(self, shape: Shape) -> None:
        """Write the plain sets of the snapshot that is current; again after each warm."""
        await self.clear()
        (current,) = await self._store.run([(b"GET", self._keys.current)])
        for measure, frequency in product(range(shape.measures), shape.frequencies):
            name = PartitionName(f"Measure {measure}", frequency)
            own = self._keys.partition(name, current.decode())
            self._partitions[measure, frequency] = own
            (members,) = await self._store.run([(b"LRANGE", own.all, 0, -1)])
            sets: dict[bytes, list[bytes]] = {self._stem(measure, frequency, "all"): members}
            for member in members:
                parsed = parse_member(member)
                for kind, identity in (("p", parsed.practice), ("prov", parsed.provider)):
                    stem = self._stem(measure, frequency, kind)
                    sets.setdefault(stem + str(identity).encode(), []).append(member)
            await self._store.run([(b"SADD", each, *sets[each]) for each in sets])
            await self._store.run([(b"SADD", self._own + b"keys", *sets)])

    async def rows(self, question: Question) -> list[bytes]:
        """The values of the entries."""
        return await self._client.values(await self.keys(question))

    async def keys(self, question: Question) -> list[bytes]:
        """The keys of the entries."""
        own = self._partitions[question.measure, question.frequency]
        members = await self._client.union(self._sets(question))
        return [own.entry(member) for member in members]

    async def fetch(self, keys: Sequence[bytes]) -> list[bytes]:
        """What lies under keys."""
        return await self._client.values(keys)

    async def join(self, question: Question) -> None:
        """Put the bytes of a question's entries under one key, for `read_joined`."""
        key = self._joined(question)
        await self._store.run(
            [
                (b"SET", key, b"".join(await self.rows(question))),
                (b"SADD", self._own + b"keys", key),
            ]
        )

    async def read_joined(self, question: Question) -> bytes:
        """As many bytes, by one GET: those of the last question of this size that was joined."""
        return await self._client.get(self._joined(question))

    async def clear(self) -> None:
        """Remove what was written."""
        (known,) = await self._store.run([(b"SMEMBERS", self._own + b"keys")])
        for at in range(0, len(known), CHUNK):
            await self._store.run([(b"UNLINK", each) for each in list(known)[at : at + CHUNK]])
        await self._store.run([(b"UNLINK", self._own + b"keys")])

    def _sets(self, question: Question) -> list[bytes]:
        of = (question.measure, question.frequency)
        if question.provider is not None:
            return [self._stem(*of, "prov") + b"%d" % question.provider]
        if question.practices is None:
            return [self._stem(*of, "all")]
        stem = self._stem(*of, "p")
        return [stem + b"%d" % practice for practice in question.practices]

    def _stem(self, measure: int, frequency: str, kind: str) -> bytes:
        return self._own + f"{measure}:{frequency}:{kind}:".encode()

    def _joined(self, question: Question) -> bytes:
        size = "all" if question.practices is None else len(question.practices)
        return self._own + f"{question.measure}:{question.frequency}:joined:{size}".encode()


class _OwnClient:
    """The cache's own adapter."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def union(self, sets: Sequence[bytes]) -> Iterable[bytes]:
        members: Iterable[bytes]
        (members,) = await self._store.run([(b"SUNION", *sets)])
        return members

    async def values(self, keys: Sequence[bytes]) -> list[bytes]:
        replies: list[list[bytes]] = await self._store.run(
            [(b"MGET", *keys[at : at + CHUNK]) for at in range(0, len(keys), CHUNK)]
        )
        if len(replies) == 1:
            return replies[0]
        return [value for reply in replies for value in reply]

    async def get(self, key: bytes) -> bytes:
        (value,) = await self._store.run([(b"GET", key)])
        return bytes(value)


class _PlainClient:
    """redis-py's asyncio client, as its documentation shows it."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url)

    async def union(self, sets: Sequence[bytes]) -> Iterable[bytes]:
        members: Iterable[bytes] = await self._client.sunion(sets)
        return members

    async def values(self, keys: Sequence[bytes]) -> list[bytes]:
        if len(keys) <= CHUNK:
            values: list[bytes] = await self._client.mget(keys)
            return values
        async with self._client.pipeline(transaction=False) as pipe:
            for at in range(0, len(keys), CHUNK):
                pipe.mget(keys[at : at + CHUNK])
            return [value for reply in await pipe.execute() for value in reply]

    async def get(self, key: bytes) -> bytes:
        return bytes(await self._client.get(key))

    async def close(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def open_bare_floor(place: Place, shape: Shape) -> AsyncIterator[BareFloor]:
    """The floor on the cache's own adapter, its sets written: what counts."""
    store = open_store(place.redis_url)
    try:
        floor = BareFloor("floor", _OwnClient(store), store, place)
        await floor.prepare(shape)
        yield floor
    finally:
        await store.close()


@asynccontextmanager
async def open_plain_floor(place: Place, shape: Shape) -> AsyncIterator[BareFloor]:
    """The floor on redis-py's plain asyncio client, its sets written."""
    store, client = open_store(place.redis_url), _PlainClient(place.redis_url)
    try:
        floor = BareFloor("floor_redis_py", client, store, place)
        await floor.prepare(shape)
        yield floor
    finally:
        await client.close()
        await store.close()
