"""The answer to a query that neither groups nor orders, table by table, from one snapshot.

The entries are looked up once, proven complete, and then fetched in chunks, each along with the
pointer. All of them bear the snapshot's version, so no two tables can be of different snapshots.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from warmcube.entry.codec import open_entries
from warmcube.entry.seal import Seal
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.query.judge import Judged
from warmcube.query.lookup import Lookup, Target, check_pointer, entry_commands, look_up
from warmcube.query.portion import Portions
from warmcube.query.read import codes_of, decode, target_of
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Store

__all__ = ["StoreScan"]

PIECE_BYTES: Final = 16 << 20
"""Of entries of average size, what one table is made of at most."""


class StoreScan:
    """One scan of a snapshot.

    Args:
        store: the store.
        snapshots: has the dictionaries.
        seal: what values bear.
        datasource: which one.
        live: the snapshot.
        judged: the query; see `warmcube.query.portion.can_be_portioned`.
        piece: about how many rows of entries make one table.
    """

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        seal: Seal,
        *,
        datasource: Datasource,
        live: LiveSnapshot,
        judged: Judged,
        piece: int,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._seal = seal
        self._datasource = datasource
        self._live = live
        self._judged = judged
        self._piece = piece
        self._target: Target | None = None
        self._found: Lookup | None = None

    @property
    def has_entries(self) -> bool:
        """Whether anything lies in the scope."""
        return self._found is not None and bool(self._found.members)

    async def close(self) -> None:
        """Nothing is kept."""

    async def look_up(self) -> None:
        """Find all entries.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        keys, manifest = self._snapshots.keys(self._datasource.id), self._live.manifest
        scope = self._judged.narrowed.scope
        self._target = target_of(keys, manifest, self._judged.partition, scope)
        if self._target is None:
            (current,) = await self._store.run([(b"GET", keys.current)])
            check_pointer(current, manifest.version)
            return
        self._found = await look_up(self._store, keys, manifest.version, self._target, self._seal)
        for column in manifest.layouts[self._target.partition.layout].fields:
            is_wanted = column.name in self._judged.prepared.columns and self._found.members
            if is_wanted and column.name in manifest.dictionaries:
                await self._snapshots.dictionary(self._datasource, self._live, column.name)

    async def tables(self) -> AsyncGenerator[Table, None]:
        """What comes of each chunk of entries; none of these tables is empty.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole.
            StoreError: the store.
        """
        target, found = self._target, self._found
        if target is None or found is None:
            return
        portions = Portions(self._judged.prepared)
        names = sorted(found.members)
        size = _entries(target, self._piece)
        for at in range(0, len(names), size):
            if portions.are_over:
                return
            chunk = names[at : at + size]
            values = await self._fetch(target, chunk)
            rows = await asyncio.to_thread(self._decode, target, found, chunk, values)
            table = await asyncio.to_thread(portions.evaluate, rows)
            if table.rows:
                yield table

    async def _fetch(self, target: Target, names: Sequence[bytes]) -> list[bytes | None]:
        current = self._snapshots.keys(self._datasource.id).current
        commands = [command for command, _ in entry_commands(target.own, names, target.partition)]
        *replies, pointer = await self._store.run([*commands, (b"GET", current)])
        check_pointer(pointer, self._live.manifest.version)
        return [value for reply in replies for value in reply]

    def _decode(
        self,
        target: Target,
        found: Lookup,
        names: Sequence[bytes],
        values: Sequence[bytes | None],
    ) -> Table:
        manifest, members = self._live.manifest, [found.members[name] for name in names]
        block = open_entries(
            [target.own.entry(name) for name in names],
            values,
            codes_of(manifest.schema, self._datasource, members),
            manifest.layouts[target.partition.layout],
            self._seal,
        )
        return decode(
            block,
            members,
            self._judged.partition,
            self._live,
            self._datasource,
            self._judged.prepared.columns,
        )


def _entries(target: Target, rows: int) -> int:
    """How many entries have about so many rows, and aren't too large."""
    partition = target.partition
    by_rows = rows * partition.entries // max(1, partition.rows)
    by_bytes = PIECE_BYTES * partition.entries // max(1, partition.entry_bytes)
    return max(1, min(by_rows, by_bytes))
