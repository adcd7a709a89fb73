"""A cluster whose replicas answer what may lag behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmcube.entry.keys import is_of_partition
from warmcube.store.api import Command, Down, Memory, Reply
from warmcube.store.cluster import ClusterStore
from warmcube.store.slots import key_of

__all__ = ["ReplicaReads"]

_READING: Final = frozenset(
    {
        *(b"GET", b"HGET", b"HGETALL", b"HLEN", b"HMGET"),
        *(b"LLEN", b"LRANGE", b"MGET", b"SCARD", b"SMEMBERS", b"SUNION"),
    }
)
"""No cursors: those of one server mean nothing to another."""


class ReplicaReads:
    """Reads what lies under a partition's version from replicas, all else from masters.

    What has a version is never changed, so a replica has it whole, which it proves as a master
    does, or not yet. Whoever finds that it doesn't prove itself has to ask the masters. The
    pointer and the manifest aren't under a partition: they are the masters'.

    Args:
        store: the cluster; not closed with this one.
    """

    def __init__(self, store: ClusterStore) -> None:
        self._store = store

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        return await self._store.read(commands, seconds=seconds, may_lag=_may_lag)

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        await self._store.write(commands)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        return await self._store.script(name, keys, arguments)

    def down(self) -> list[Down]:
        return self._store.down()

    async def now_ms(self) -> int:
        return await self._store.now_ms()

    async def memory(self) -> list[Memory]:
        return await self._store.memory()

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        return await self._store.masters_of(keys)

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        await self._store.await_replicas(key, seconds, everywhere=everywhere)

    async def close(self) -> None:
        """Nothing of it is its own."""


def _may_lag(command: Command) -> bool:
    key = key_of(command) if command[0] in _READING else None
    return key is not None and is_of_partition(key)
