"""A store with something that happens in front of its trips, and that one can be cut off from."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from warmcube.errors import StoreUnavailable
from warmcube.store.api import Command, Reply

__all__ = ["Interrupted"]

Words = Sequence[Command | bytes]


class Interrupted:
    """A store that calls something in front of each trip.

    Args:
        store: the store.
        hook: told what kind of trip comes (``run``, ``write``, or the name of a script), and its
            commands.

    Attributes:
        is_cut_off: whether nothing reaches the store any more, as after ``kill -9``.
    """

    def __init__(self, store: Any, hook: Callable[[str, Words], Awaitable[None]]) -> None:
        self.is_cut_off = False
        self._store = store
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        """The hook, then the trip."""
        await self._before("run", commands)
        replies: list[Reply] = await self._store.run(commands, seconds=seconds)
        return replies

    async def write(self, commands: Words) -> None:
        """The hook, then the trip."""
        await self._before("write", commands)
        await self._store.write(commands)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        """The hook, then the trip."""
        await self._before(name, ())
        return await self._store.script(name, keys, arguments)

    async def now_ms(self) -> int:
        """A trip as well."""
        await self._before("run", ())
        found: int = await self._store.now_ms()
        return found

    async def _before(self, kind: str, commands: Words) -> None:
        if self.is_cut_off:
            raise StoreUnavailable("cut off")
        await self._hook(kind, commands)
        if self.is_cut_off:
            raise StoreUnavailable("cut off")
