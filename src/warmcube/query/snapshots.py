"""What a process knows of the live snapshots: manifest, dictionaries, and until when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from warmcube.entry.dictionary import unpack_chunks
from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest, answers_for, unpack_manifest
from warmcube.entry.seal import Seal, unseal
from warmcube.errors import Damage
from warmcube.model.schema import Datasource
from warmcube.store.api import Command, Store

__all__ = ["LiveSnapshot", "Snapshots"]

DICTIONARY_CHUNKS = 16


@dataclass(slots=True)
class LiveSnapshot:
    """A snapshot that was live when its pointer was last read.

    Attributes:
        manifest: what it holds.
        fresh_until: by this process's monotonic clock.
        serve_until: likewise; beyond it, it must not be served.
        dictionaries: those that were asked for so far.
    """

    manifest: Manifest
    fresh_until: float
    serve_until: float
    dictionaries: dict[str, list[str]] = field(default_factory=dict)


class Snapshots:
    """The live snapshot of each data source, as far as this process has read it.

    Args:
        store: the store.
        namespace: in front of every key.
        seal: what the store's values bear.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        seal: Seal,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._clock = clock
        self._live: dict[int, LiveSnapshot] = {}

    def keys(self, datasource: int) -> Keys:
        """The keys of a data source."""
        return Keys(self._namespace, datasource)

    def known(self, datasource: Datasource) -> LiveSnapshot | None:
        """The snapshot that was live when last asked, while it may be served."""
        live = self._live.get(datasource.id)
        if live is None or self._clock() >= live.serve_until:
            return None
        return live

    def forget(self, datasource: int) -> None:
        """Read the pointer anew next time."""
        self._live.pop(datasource, None)

    def is_stale(self, live: LiveSnapshot) -> bool:
        """Whether its life is over, so that only `stale_for` lets it be served."""
        return self._clock() >= live.fresh_until

    async def load(self, datasource: Datasource) -> LiveSnapshot | None:
        """Read the pointer, and the manifest if it is another one than known.

        Returns:
            None if the data source is cold: never warmed, expired, invalidated, of a format that
            this version doesn't know, or warmed from another table than is configured now.

        Raises:
            Damage: the pointer names a manifest that isn't there or isn't whole.
        """
        keys = self.keys(datasource.id)
        current, left = await self._store.run([(b"GET", keys.current), (b"PTTL", keys.current)])
        if current is None:
            self.forget(datasource.id)
            return None
        version = Version.parse(current)
        known = self._live.get(datasource.id)
        if known is not None and known.manifest.version == version:
            manifest, dictionaries = known.manifest, known.dictionaries
        else:
            key = keys.manifest(str(version))
            (value,) = await self._store.run([(b"GET", key)])
            found = unpack_manifest(unseal(self._seal, key, value, "the manifest"))
            if found is None or found.version != version:
                self.forget(datasource.id)
                return None
            manifest, dictionaries = found, {}
        if not answers_for(manifest, datasource):
            self.forget(datasource.id)
            return None
        if left < 0:  # a pointer never lacks its expiry; without it nothing bounds its age
            raise Damage("the pointer of a data source has no expiry")
        serve_until = self._clock() + left / 1000
        stale_for = (manifest.serve_until_ms - manifest.fresh_until_ms) / 1000
        live = LiveSnapshot(manifest, serve_until - stale_for, serve_until, dictionaries)
        self._live[datasource.id] = live
        return live

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
