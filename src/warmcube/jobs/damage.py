"""Damage that readers have met, as reports in the store: so that it is repaired, and once."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from warmcube.entry.keys import Keys, PartitionName, decode_component, encode_component
from warmcube.errors import Damage, StoreError
from warmcube.store.api import Reply, Store, pairs_of

__all__ = ["WHOLE", "DamageReports", "damaged_parts", "part_of", "partition_of"]

WHOLE: Final = b"*"
"""Stands for the pointer, the manifest, or what couldn't be told to be of one partition."""

AGAIN_SECONDS: Final = 300.0
"""A process reports the same part once in so long; the store keeps it until it is repaired."""

MOST_PARTS: Final = 1000
_KEEP_MS: Final = 86_400_000
_PARTITION: Final = re.compile(rb"m:([^:]*):freq:([^:]*)")
_OF: Final = b"of"
_SECONDS: Final = 5.0
_CLOSE_SECONDS: Final = 1.0
"""What can't be written by then is reported by whoever meets it next."""


def part_of(name: PartitionName | None) -> bytes:
    """How a report names a partition."""
    if name is None:
        return WHOLE
    measure, frequency = encode_component(name.measure), encode_component(name.frequency)
    return f"m:{measure}:freq:{frequency}".encode()


def partition_of(part: bytes) -> PartitionName | None:
    """What a report names, if it is one partition."""
    found = _PARTITION.fullmatch(part)
    if found is None:
        return None
    try:
        return PartitionName(decode_component(found[1]), decode_component(found[2]))
    except Damage:
        return None


def damaged_parts(reports: Reply, current: bytes | None) -> Mapping[bytes, int]:
    """The parts of the live snapshot that are reported damaged, and since when.

    Args:
        reports: what the key of reports holds.
        current: what the pointer holds.
    """
    pairs = pairs_of(reports)
    if current is None or pairs.get(_OF) != current:
        return {}  # of a snapshot that isn't live any more
    found: dict[bytes, int] = {}
    for part, at in pairs.items():
        if part != _OF:
            with contextlib.suppress(ValueError):
                found[part] = int(at)
    return found


class DamageReports:
    """Reports what readers meet, in the background: nobody waits for it, nothing fails with it.

    Args:
        store: where to.
        namespace: in front of every key.
        clock: a monotonic clock, in seconds.

    Attributes:
        heard: called with a data source's id once damage to it is reported that wasn't known.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._clock = clock
        self._told: dict[tuple[int, str, bytes], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard: Callable[[int], None] = lambda _datasource: None

    def report(self, datasource: int, version: str | None, damage: Damage) -> None:
        """Take note of damage under an unchanged pointer.

        Args:
            datasource: its id.
            version: of the snapshot; None where its pointer or manifest is damaged.
            damage: what was met.
        """
        part = part_of(damage.partition)
        key, now = (datasource, version or "", part), self._clock()
        told = self._told.get(key)
        if told is not None and now < told + AGAIN_SECONDS:
            return
        if len(self._told) >= MOST_PARTS:
            self._told.clear()
        self._told[key] = now
        task = asyncio.create_task(self._write(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settled(self) -> None:
        """Wait until everything is written that was to be."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Write what was met, if that can be done now."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()

    async def _write(self, key: tuple[int, str, bytes]) -> None:
        datasource, version, part = key
        keys = Keys(self._namespace, datasource)
        try:
            async with asyncio.timeout(_SECONDS):
                now = await self._store.now_ms()
                is_news = await self._store.script(
                    "damage_report",
                    [keys.current, keys.damage],
                    [version.encode(), part, now, _KEEP_MS, MOST_PARTS],
                )
        except (StoreError, TimeoutError):
            self._told.pop(key, None)  # whoever meets it next tries again
            return
        if is_news:
            self.heard(datasource)
