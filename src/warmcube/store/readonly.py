"""A store that is looked at and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmcube.errors import StoreRefused
from warmcube.store.api import Command, Down, Memory, Reply, Store

__all__ = ["ReadOnlyStore"]

_READING: Final = frozenset(
    {
        b"EXISTS",
        b"GET",
        b"HGET",
        b"HGETALL",
        b"HLEN",
        b"HMGET",
        b"HSCAN",
        b"LLEN",
        b"LRANGE",
        b"MGET",
        b"PTTL",
        b"SCARD",
        b"SMEMBERS",
        b"SSCAN",
        b"SUNION",
        b"XREVRANGE",
    }
)


class ReadOnlyStore:
    """Passes on commands that read, and refuses all others before anything is sent.

    Args:
        store: the store; closed with this one.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        for command in commands:
            if command[0] not in _READING:
                raise _refusal(command[0])
        return await self._store.run(commands, seconds=seconds)

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        raise _refusal(commands[0][0] if commands else "a write")

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        del keys, arguments
        raise _refusal(f"the script {name}")

    def down(self) -> list[Down]:
        return self._store.down()

    async def now_ms(self) -> int:
        return await self._store.now_ms()

    async def memory(self) -> list[Memory]:
        return await self._store.memory()

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        return await self._store.masters_of(keys)

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        del seconds, everywhere
        raise _refusal(f"waiting for the replicas of {key!r}")

    async def close(self) -> None:
        await self._store.close()


def _refusal(what: object) -> StoreRefused:
    named = what.decode(errors="replace") if isinstance(what, bytes) else what
    return StoreRefused(
        f"{named} would change the store, which was opened for reading only; "
        "open it without is_probe"
    )
