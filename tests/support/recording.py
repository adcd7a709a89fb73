"""A store that tells what it was asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warmcube.store.api import Command, Down, Memory, Reply, Store

__all__ = ["RecordingStore"]


class RecordingStore:
    """Passes everything on, and keeps it.

    Attributes:
        commands: what was run since somebody last cleared it.
        writes: what can't have been a query: names of scripts, and commands sent in bulk.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.commands: list[Command] = []
        self.writes: list[Any] = []

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        self.commands += commands
        return await self._store.run(commands, seconds=seconds)

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        self.writes += commands
        await self._store.write(commands)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        self.writes.append(name)
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
        await self._store.close()
