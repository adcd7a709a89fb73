"""The least that answering from Redis can cost: one SUNION, one MGET of the same keys.

No proof, no decoding, no access rules, on the cache's own adapter and event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import product
from typing import Final

from benchmarks.data import Shape
from benchmarks.questions import Question
from benchmarks.setting import DATASOURCE, Setting
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName, parse_member
from warmcube.store.api import Command, Store
from warmcube.store.connect import open_store

__all__ = ["BareFloor", "open_bare_floor"]

CHUNK: Final = 1000
"""Keys in one MGET, as many as the cache asks for."""


class BareFloor:
    """Reads what the cache reads and believes it.

    The cache keeps small index sets inside a hash, where SUNION can't reach them; so each
    practice gets a plain set of its own here.

    Args:
        store: an adapter on the warmed store.
        setting: where what lies in it.
        datasource: which one is read.
    """

    def __init__(self, store: Store, setting: Setting, datasource: int = DATASOURCE) -> None:
        self._store = store
        self._namespace = setting.namespace
        self._datasource = datasource
        self._partitions: dict[tuple[int, str], PartitionKeys] = {}

    async def prepare(self, shape: Shape) -> None:
        """Write the plain sets."""
        keys = Keys(self._namespace, self._datasource)
        (current,) = await self._store.run([(b"GET", keys.current)])
        for measure, frequency in product(range(shape.measures), shape.frequencies):
            name = PartitionName(f"Measure {measure}", frequency)
            own = keys.partition(name, current.decode())
            self._partitions[measure, frequency] = own
            (members,) = await self._store.run([(b"SMEMBERS", own.all)])
            commands: list[Command] = [
                (
                    b"SADD",
                    self._plain_set(measure, frequency, int(parse_member(member).practice or 0)),
                    member,
                )
                for member in members
            ]
            await self._store.run(commands)

    async def rows(self, question: Question) -> list[bytes]:
        """The values of the entries."""
        return await self.fetch(await self.keys(question))

    async def keys(self, question: Question) -> list[bytes]:
        """The keys of the entries."""
        own = self._partitions[question.measure, question.frequency]
        sets = [own.all]
        if question.practices is not None:
            sets = [
                self._plain_set(question.measure, question.frequency, each)
                for each in question.practices
            ]
        (members,) = await self._store.run([(b"SUNION", *sets)])
        return [own.entry(member) for member in members]

    async def fetch(self, keys: Sequence[bytes]) -> list[bytes]:
        """What lies under keys."""
        replies = await self._store.run(
            [(b"MGET", *keys[at : at + CHUNK]) for at in range(0, len(keys), CHUNK)]
        )
        return [value for reply in replies for value in reply]

    def _plain_set(self, measure: int, frequency: str, practice: int) -> bytes:
        text = f"{self._namespace}bench:{self._datasource}:{measure}:{frequency}:{practice}"
        return text.encode()


@asynccontextmanager
async def open_bare_floor(
    setting: Setting, shape: Shape, datasource: int = DATASOURCE
) -> AsyncIterator[BareFloor]:
    """A floor on an adapter of its own, its sets written."""
    store = open_store(setting.redis_url)
    try:
        floor = BareFloor(store, setting, datasource)
        await floor.prepare(shape)
        yield floor
    finally:
        await store.close()
