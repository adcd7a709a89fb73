"""How often each snapshot answered, counted in the process and added up in the store.

A query never waits for this: what it adds is written by whoever comes next after a second has
passed, in the background, and when the process ends in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Keys, Version
from warmcube.errors import StoreError
from warmcube.store.api import Command, Store

__all__ = ["Usage"]

FLUSH_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 0.5


@dataclass(slots=True)
class _Tally:
    """How often one snapshot hit or missed since it was last written."""

    datasource: int
    version: Version
    serve_until_ms: int
    what: bytes
    count: int = 0


class Usage:
    """Counts hits and misses by snapshot.

    Args:
        store: where they are added up.
        keys_of: the keys of a data source.
        clock: a monotonic clock, in seconds.
        is_kept: False where nothing may be written; then nothing is counted.
    """

    def __init__(
        self,
        store: Store,
        keys_of: Callable[[int], Keys],
        clock: Callable[[], float] = time.monotonic,
        *,
        is_kept: bool = True,
    ) -> None:
        self._is_kept = is_kept
        self._store = store
        self._keys_of = keys_of
        self._clock = clock
        self._tallies: list[_Tally] = []
        self._latest: dict[tuple[int, bytes], _Tally] = {}
        self._flushed = clock()
        self._task: asyncio.Task[None] | None = None

    def count(self, datasource: int, version: Version, serve_until_ms: int, what: bytes) -> None:
        """Count one answer.

        Args:
            datasource: which one.
            version: of the snapshot that was live.
            serve_until_ms: when that one's keys expire, Unix milliseconds.
            what: ``hit`` or ``miss``.
        """
        if not self._is_kept:
            return
        tally = self._latest.get((datasource, what))
        if (
            tally is None
            or (tally.version is not version and tally.version != version)
            or tally.serve_until_ms != serve_until_ms
        ):
            tally = self._latest[datasource, what] = _Tally(
                datasource, version, serve_until_ms, what
            )
            self._tallies.append(tally)
        tally.count += 1
        now = self._clock()
        if now - self._flushed >= FLUSH_SECONDS and (self._task is None or self._task.done()):
            self._flushed = now
            self._task = asyncio.create_task(self.flush())

    async def flush(self) -> None:
        """Write what has been counted.

        What can't be written is dropped, and so is what was counted of a snapshot that is gone by
        now: nothing would ever remove it.
        """
        tallies, self._tallies = self._tallies, []
        self._latest.clear()
        of = [(self._keys_of(each.datasource), str(each.version)) for each in tallies]
        commands: list[Command] = []
        with contextlib.suppress(StoreError):
            there = await self._store.run([(b"EXISTS", keys.manifest(v)) for keys, v in of])
            for (keys, version), kept, tally in zip(of, there, tallies, strict=True):
                key = keys.uses(version)
                if kept:
                    commands.append((b"HINCRBY", key, tally.what, tally.count))
                    commands.append((b"PEXPIREAT", key, tally.serve_until_ms))
            if commands:
                await self._store.write(commands)  # which runs nothing twice, as counting needs

    async def close(self) -> None:
        """Write what is left, if the store takes it now: nobody waits long for a few counts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                if self._task is not None:
                    await self._task
                if self._is_kept:
                    await self.flush()
