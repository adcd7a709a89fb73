"""The same store for those who can't wait, and for those who can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from warmcube.errors import Damage, StoreError, StoreUnavailable
from warmcube.store.api import Command, Down, Memory, Reply, Store

__all__ = ["STEP_SECONDS", "PatientStore", "ServingStore", "WatchedStore"]

STEP_SECONDS: Final = 0.25
"""How long a trip may take for which a user waits, so that there is time left for the database."""
SCRIPT_SECONDS: Final = 0.5
"""The same for a script: long enough for a probe to have found out whether the server is there."""
CHUNK: Final = 1000
"""For so many words more, a trip may take as long again."""
_SMALL: Final = 100
"""A command of more words counts by itself: `warmcube.store.redis` gives each as long again."""
_VALUES: Final = 4
"""So many single values are as much as those of one command that asks for many."""
_PAUSE: Final = 0.05

T = TypeVar("T")


class _View:
    """Another's store, closed by whoever opened it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def down(self) -> list[Down]:
        return self._store.down()

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        return await self._store.run(commands, seconds=seconds)

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        await self._store.write(commands)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        return await self._store.script(name, keys, arguments)

    async def now_ms(self) -> int:
        return await self._store.now_ms()

    async def memory(self) -> list[Memory]:
        return await self._store.memory()

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        return await self._store.masters_of(keys)

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        await self._store.await_replicas(key, seconds, everywhere=everywhere)

    async def close(self) -> None:
        """Nothing is its own."""


class ServingStore(_View):
    """For reads that users wait for: whatever says nothing else may take a step's time.

    Args:
        store: the store.
    """

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        if seconds is None:
            seconds = STEP_SECONDS * _chunks(commands)
        return await self._store.run(commands, seconds=seconds)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        try:
            async with asyncio.timeout(SCRIPT_SECONDS):
                return await self._store.script(name, keys, arguments)
        except TimeoutError:
            raise StoreUnavailable(
                f"the store didn't answer in {SCRIPT_SECONDS:g} s; check that it runs"
            ) from None


class PatientStore(_View):
    """For work that would rather wait than fail: a warm doesn't end because a server stumbled.

    What was sent is never sent again; only what a server's breaker has kept from being sent.

    Args:
        store: the store.
        patience: how many seconds it may be out of reach.
    """

    def __init__(self, store: Store, patience: float) -> None:
        super().__init__(store)
        self._patience = patience

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        return await self._tried(lambda: self._store.run(commands, seconds=seconds))

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        await self._tried(lambda: self._store.write(commands))

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        return await self._tried(lambda: self._store.script(name, keys, arguments))

    async def now_ms(self) -> int:
        return await self._tried(self._store.now_ms)

    async def memory(self) -> list[Memory]:
        return await self._tried(self._store.memory)

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        return await self._tried(lambda: self._store.masters_of(keys))

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        await self._tried(lambda: self._store.await_replicas(key, seconds, everywhere=everywhere))

    async def _tried(self, work: Callable[[], Awaitable[T]]) -> T:
        now = asyncio.get_running_loop().time
        until = now() + self._patience
        while True:
            try:
                return await work()
            except StoreUnavailable as error:
                if not error.is_unsent or now() >= until:
                    raise
            await asyncio.sleep(_PAUSE)


class WatchedStore(_View):
    """Knows whether the answer to some write never came, so that it may still be under way.

    Args:
        store: the store.

    Attributes:
        unanswered: how many.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.unanswered = 0

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        self.unanswered += 1
        try:
            await self._store.write(commands)
        except StoreUnavailable as error:
            self.unanswered -= error.is_unsent
            raise
        except (StoreError, Damage):
            self.unanswered -= 1
            raise
        self.unanswered -= 1


def _chunks(commands: Sequence[Command]) -> int:
    """How many times as long as one chunk a trip may take, beyond what large commands take."""
    words = many = single = 0
    for command in commands:
        size = len(command)
        if size <= _SMALL:
            words += size
            name = command[0]
            if name == b"MGET":
                many += 1  # of few keys there are few because their values are large
            elif name == b"GET":
                single += 1
    return max(1, many, single // _VALUES, 1 + words // CHUNK)
