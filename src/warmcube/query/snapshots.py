"""What a process knows of the live snapshots: manifest, dictionaries, and until when."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from warmcube.entry.dictionary import unpack_chunks
from warmcube.entry.keys import Keys, Version
from warmcube.entry.layout import TextStorage
from warmcube.entry.manifest import Manifest, Partition, answers_for, unpack_manifest
from warmcube.entry.pointer import parse_pointer
from warmcube.entry.seal import Seal, unseal
from warmcube.errors import Damage, StoreError
from warmcube.model.schema import Datasource
from warmcube.store.api import Command, Store

__all__ = ["Ages", "LiveSnapshot", "Snapshots"]

DICTIONARY_CHUNKS = 16
CHECK_SECONDS: Final = 0.25
"""How long the pointer may take where only what is kept waits for it."""
ASK_AGAIN_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long ago a snapshot must have been live to be taken for live, in seconds.

    Attributes:
        pointer: without asking.
        unchecked: while the store can't be asked.
    """

    pointer: float = 1.0
    unchecked: float = 5.0


@dataclass(slots=True)
class LiveSnapshot:
    """A snapshot that was live when its pointer was last read.

    Attributes:
        manifest: what it holds.
        fresh_until: by this process's monotonic clock.
        serve_until: likewise; beyond it, it must not be served.
        checked: likewise; when it was live for certain.
        dictionaries: those that were asked for so far.
    """

    manifest: Manifest
    fresh_until: float
    serve_until: float
    checked: float
    dictionaries: dict[str, list[str]] = field(default_factory=dict)


class Snapshots:
    """The live snapshot of each data source, as far as this process has read it.

    Args:
        store: the store.
        namespace: in front of every key.
        seal: what the store's values bear.
        clock: a monotonic clock, in seconds.
        ages: how long a snapshot is taken for live without asking.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        seal: Seal,
        clock: Callable[[], float] = time.monotonic,
        ages: Ages = Ages(),
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._clock = clock
        self._ages = ages
        self._keys: dict[int, Keys] = {}
        self._live: dict[int, LiveSnapshot] = {}
        self._disabled: set[int] = set()
        self._forgotten: Counter[int] = Counter()
        self._checks: dict[int, asyncio.Task[StoreError | None]] = {}
        self._asking: set[asyncio.Task[StoreError | None]] = set()
        self._failures: dict[int, tuple[float, StoreError]] = {}

    def keys(self, datasource: int) -> Keys:
        """The keys of a data source."""
        found = self._keys.get(datasource)
        if found is None:
            found = self._keys[datasource] = Keys(self._namespace, datasource)
        return found

    def known(self, datasource: Datasource) -> LiveSnapshot | None:
        """The snapshot that was live when last asked, while it may be served."""
        live = self._live.get(datasource.id)
        if live is None or self._clock() >= live.serve_until:
            return None
        return live

    def forget(self, datasource: int) -> None:
        """Read the pointer anew next time; what is being read doesn't count for that."""
        self._live.pop(datasource, None)
        self._forgotten[datasource] += 1
        self._checks.pop(datasource, None)

    def is_disabled(self, datasource: int) -> bool:
        """Whether a data source was switched off when its pointer was last read."""
        return datasource in self._disabled

    def now(self) -> float:
        """The time by the clock that snapshots go by."""
        return self._clock()

    def confirm(self, live: LiveSnapshot, asked: float) -> None:
        """Know that a snapshot was live then: a trip that began at that time has said so."""
        live.checked = max(live.checked, asked)

    async def is_live(self, datasource: Datasource, live: LiveSnapshot) -> bool:
        """Whether a snapshot may still be taken for the live one, asking the store if it must.

        All who have to ask at a time ask once. While the store can't be asked, what was live not
        longer than `Ages.unchecked` ago counts as live.

        Returns:
            False if it is known by now that it isn't.

        Raises:
            StoreError: that can't be known.
        """
        ages, asked = self._ages, self._clock()
        if live.checked + ages.pointer > asked:
            return self.is_live_at_once(datasource, live)
        while live.checked < asked and live.checked + ages.pointer <= self._clock():
            if not self._is_known(datasource, live):
                return False
            trouble = self._failure(datasource)
            if trouble is None:
                # Shielded, since others wait for it as well.
                trouble = await asyncio.shield(self._check(datasource))
            if trouble is not None:
                if live.checked + ages.unchecked <= self._clock():
                    raise StoreError(str(trouble))
                break
        return self._is_known(datasource, live)

    def is_live_at_once(self, datasource: Datasource, live: LiveSnapshot) -> bool:
        """Whether a snapshot may be taken for the live one without asking; `is_live` asks."""
        pointer, now = self._ages.pointer, self._clock()
        if live.checked + pointer <= now:
            return False
        if live.checked + pointer / 2 <= now and self._failure(datasource) is None:
            self._check(datasource)  # so that nobody has to wait for it
        return self._is_known(datasource, live)

    async def close(self) -> None:
        """Stop asking."""
        for task in self._asking:
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking)

    def _is_known(self, datasource: Datasource, live: LiveSnapshot) -> bool:
        return self.known(datasource) is live

    def _check(self, datasource: Datasource) -> asyncio.Task[StoreError | None]:
        """The check that is under way, or a new one."""
        task = self._checks.get(datasource.id)
        if task is None or task.done():
            task = asyncio.create_task(self._ask(datasource))
            self._checks[datasource.id] = task
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        return task

    async def _ask(self, datasource: Datasource) -> StoreError | None:
        """Read the pointer; why it can't be read, if so."""
        try:
            await self.load(datasource, seconds=CHECK_SECONDS)
        except StoreError as error:
            self._failures[datasource.id] = (self._clock(), error)
            return error
        except Damage:  # the pointer is another one, and whoever reads it next is told
            self.forget(datasource.id)
        self._failures.pop(datasource.id, None)
        return None

    def _failure(self, datasource: Datasource) -> StoreError | None:
        """Why the pointer couldn't be read, if that is so recent that it isn't tried again."""
        at, error = self._failures.get(datasource.id, (-math.inf, None))
        return error if self._clock() < at + ASK_AGAIN_SECONDS else None

    def is_stale(self, live: LiveSnapshot) -> bool:
        """Whether its life is over, so that only `stale_for` lets it be served."""
        return self._clock() >= live.fresh_until

    async def load(
        self, datasource: Datasource, *, seconds: float | None = None
    ) -> LiveSnapshot | None:
        """Read the pointer, and the manifest if it is another one than known.

        Args:
            datasource: which one.
            seconds: that the pointer may take; None takes the store's own.

        Returns:
            None if the data source is switched off (`is_disabled`), or cold: never warmed, expired,
            invalidated, of a format that this version doesn't know, or warmed from another table
            than is configured now.

        Raises:
            Damage: the pointer names a manifest that isn't there or isn't whole.
            StoreError: the store.
        """
        keys, began, forgotten = (
            self.keys(datasource.id),
            self._clock(),
            self._forgotten[datasource.id],
        )
        current, left = await self._store.run(
            [(b"GET", keys.current), (b"PTTL", keys.current)], seconds=seconds
        )
        pointer = parse_pointer(current)
        if pointer.is_disabled:
            self._disabled.add(datasource.id)
            self.forget(datasource.id)
            return None
        self._disabled.discard(datasource.id)
        manifest = await self._manifest(datasource, pointer.version)
        if manifest is None or not answers_for(manifest, datasource):
            self.forget(datasource.id)
            return None
        if left < 0:  # a pointer never lacks its expiry; without it nothing bounds its age
            raise Damage("the pointer of a data source has no expiry")
        serve_until = began + left / 1000
        stale_for = (manifest.serve_until_ms - manifest.fresh_until_ms) / 1000
        live = self._known_as(datasource, manifest.version)
        if live is None:
            live = LiveSnapshot(manifest, 0.0, 0.0, -math.inf)
        live.fresh_until, live.serve_until = serve_until - stale_for, serve_until
        self.confirm(live, began)
        newest = self._live.get(datasource.id)
        # Of two looks at a time, the one that began later knows better, whichever ends first.
        if newest is not None and newest.checked > began:
            return newest
        if self._forgotten[datasource.id] == forgotten:
            self._live[datasource.id] = live
        return live

    def _known_as(self, datasource: Datasource, version: Version) -> LiveSnapshot | None:
        live = self._live.get(datasource.id)
        return live if live is not None and live.manifest.version == version else None

    async def _manifest(self, datasource: Datasource, version: Version | None) -> Manifest | None:
        """A version's manifest; None if this version of warmcube doesn't know its format."""
        if version is None:
            return None
        known = self._known_as(datasource, version)
        if known is not None:
            return known.manifest
        key = self.keys(datasource.id).manifest(str(version))
        (value,) = await self._store.run([(b"GET", key)])
        found = unpack_manifest(unseal(self._seal, key, value, "the manifest"))
        return found if found is not None and found.version == version else None

    async def dictionary(
        self, datasource: Datasource, live: LiveSnapshot, column: str
    ) -> Sequence[str]:
        """The values of a text column's dictionary, read once per snapshot.

        Raises:
            Damage: if it isn't whole.
        """
        known = live.dictionaries.get(column)
        if known is not None:
            return known
        keys = self.keys(datasource.id)
        dictionary = live.manifest.dictionaries[column]
        wanted = [
            keys.dictionary(column, str(run.version), chunk)
            for run in dictionary.runs
            for chunk in range(run.chunks)
        ]
        chunks = []
        for at in range(0, len(wanted), DICTIONARY_CHUNKS):
            some = wanted[at : at + DICTIONARY_CHUNKS]
            commands: list[Command] = [(b"GET", key) for key in some]
            for key, value in zip(some, await self._store.run(commands), strict=True):
                chunks.append(unseal(self._seal, key, value, "a dictionary chunk"))
        values = unpack_chunks(chunks, dictionary.length, dictionary.digest)
        live.dictionaries[column] = values
        return values

    async def dictionaries(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        partition: Partition,
        columns: Collection[str],
    ) -> None:
        """Have in `live` the dictionaries of some columns of a partition.

        Raises:
            Damage: one isn't whole.
            StoreError: the store.
        """
        for column in live.manifest.layouts[partition.layout].fields:
            if (
                column.text is TextStorage.DICTIONARY
                and column.name in columns
                and column.name not in live.dictionaries
            ):
                try:
                    await self.dictionary(datasource, live, column.name)
                except Damage as damage:
                    damage.is_whole = True
                    raise
