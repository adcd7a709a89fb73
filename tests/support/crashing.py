"""Something done to a store by a process that is killed at its n-th trip, as by ``kill -9``.

``python -m tests.support.crashing URL`` reads one crash a line, as JSON, and answers each with a
line: ``killed``, or ``done`` if there are no so many trips.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

from tests.support.memory import DATASOURCE, MemorySource, Row

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.store.api import Command, Memory, Reply
from warmcube.store.connect import open_store
from warmcube.warm.invalidate import invalidate
from warmcube.warm.refresh import Refresh
from warmcube.warm.steer import disable, enable, rollback
from warmcube.warm.warmer import Warmer, WarmSettings

__all__ = ["SETTINGS", "Fatal", "crash_table", "perform"]

SETTINGS = WarmSettings(lease_seconds=0.4, grace=5.0, keep_snapshots=1, batch_size=20)


def crash_table(value: int) -> list[Row]:
    """Some sets too large to live inside the counts, some not, and an own partition for a value."""
    rows: list[Row] = [("m", practice, practice % 2, "f", value) for practice in range(40)]
    rows += [("other", 1, provider, "f", 7) for provider in range(5)]
    return [*rows, (f"only {value}", 1, None, None, value)]


class Fatal:
    """A store whose process dies in front of a trip, or in the middle of it."""

    def __init__(self, store: Any, at: int) -> None:
        self.trips = 0
        self._store = store
        self._at = at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        await self._count(commands)
        replies: list[Reply] = await self._store.run(commands, seconds=seconds)
        return replies

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        await self._count(commands)
        await self._store.write(commands)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        await self._count(())
        return await self._store.script(name, keys, arguments)

    async def memory(self) -> list[Memory]:
        found: list[Memory] = await self._store.memory()
        return found

    async def _count(self, commands: Sequence[Command | bytes]) -> None:
        self.trips += 1
        if self.trips != self._at:
            return
        if len(commands) > 1:
            await self._store.write(commands[: len(commands) // 2])
        os.kill(os.getpid(), signal.SIGKILL)


async def perform(store: Any, action: str) -> None:
    """Do one of the things that can be interrupted."""
    keys, seal = Keys("", DATASOURCE.id), Checksum()
    clearing = SETTINGS.clearing(store, keys, seal)
    if action in ("warm", "refresh"):
        warmer = Warmer(store, "", seal, SETTINGS)
        refresh = Refresh(measures=("m",)) if action == "refresh" else None
        await warmer.warm(DATASOURCE, MemorySource(crash_table(3)), refresh=refresh, force=True)
    elif action == "invalidate":
        await invalidate(clearing, "test")
    elif action == "rollback":
        await rollback(clearing, DATASOURCE, "test")
    else:
        await disable(store, keys, seal, "test")
        await enable(store, keys, seal, DATASOURCE, "test")


def _main() -> None:
    url = sys.argv[1]
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if not child:
            asyncio.run(_crash(url, **asked))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status) and status:
            raise SystemExit(f"{asked} failed")
        sys.stdout.write("killed\n" if os.WIFSIGNALED(status) else "done\n")
        sys.stdout.flush()


async def _crash(url: str, database: int, action: str, at: int) -> None:
    await perform(Fatal(open_store(f"{url}?db={database}"), at), action)


if __name__ == "__main__":
    _main()
