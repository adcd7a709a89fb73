"""The answer to a query that neither groups nor orders, table by table, from one snapshot.

The entries are found once, proven complete, and then fetched in chunks, each along with the
pointer. All of them bear the snapshot's version, so no two tables can be of different snapshots.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Final

from warmcube.entry.seal import Seal
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.query.entries import fetching
from warmcube.query.finder import Finder
from warmcube.query.judge import Judged
from warmcube.query.known import Found
from warmcube.query.lookup import Target, most_at_once
from warmcube.query.portion import Portions
from warmcube.query.read import decode, prove
from warmcube.query.snapshots import LiveSnapshot, Snapshots

__all__ = ["StoreScan"]

PIECE_BYTES: Final = 16 << 20
"""Of entries of average size, what one table is made of at most."""


class StoreScan:
    """One scan of a snapshot.

    Args:
        finder: finds and fetches entries.
        snapshots: has the dictionaries.
        seal: what values bear.
        datasource: which one.
        live: the snapshot.
        judged: the query; see `warmcube.query.portion.can_be_portioned`.
        piece: about how many rows of entries make one table.
    """

    def __init__(
        self,
        finder: Finder,
        snapshots: Snapshots,
        seal: Seal,
        *,
        datasource: Datasource,
        live: LiveSnapshot,
        judged: Judged,
        piece: int,
    ) -> None:
        self._finder = finder
        self._snapshots = snapshots
        self._seal = seal
        self._datasource = datasource
        self._live = live
        self._judged = judged
        self._piece = piece
        self._found: Found | None = None

    @property
    def has_entries(self) -> bool:
        """Whether anything lies in the scope."""
        return self._found is not None and bool(self._found.entries.keys)

    async def close(self) -> None:
        """Nothing is kept."""

    async def look_up(self) -> None:
        """Find all entries.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        datasource, live, name = self._datasource, self._live, self._judged.partition
        scope = self._judged.narrowed.scope
        found, trips = await self._finder.find(datasource, live, {name: scope})
        self._found = found.get(name)
        if self._found is not None and self._found.entries.keys:
            columns = self._judged.prepared.columns
            partition = self._found.target.partition
            await self._snapshots.dictionaries(datasource, live, partition, columns)
        elif not trips:
            await self._finder.fetch(datasource, live, [])  # asks for the pointer

    async def tables(self) -> AsyncGenerator[Table, None]:
        """What comes of each chunk of entries; none of these tables is empty.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole.
            StoreError: the store.
        """
        found = self._found
        if found is None or not found.entries.keys:
            return
        portions = Portions(self._judged.prepared)
        entries, most = found.entries, most_at_once(found.target.partition)
        size = _entries(found.target, self._piece)
        for at in range(0, len(entries.keys), size):
            if portions.are_over:
                return
            part = entries.part(at, at + size)
            chunk = replace(found, entries=part, commands=fetching([part], most))
            (values,), _ = await self._finder.fetch(self._datasource, self._live, [chunk])
            rows = await asyncio.to_thread(self._decode, chunk, values)
            table = await asyncio.to_thread(portions.evaluate, rows)
            if table.rows:
                yield table

    def _decode(self, chunk: Found, values: Sequence[bytes | None]) -> Table:
        block, members = prove(chunk, values, self._live, self._seal)
        columns = self._judged.prepared.columns
        return decode(block, members, self._judged.partition, self._live, self._datasource, columns)


def _entries(target: Target, rows: int) -> int:
    """How many entries have about so many rows, and aren't too large."""
    partition = target.partition
    by_rows = rows * partition.entries // max(1, partition.rows)
    by_bytes = PIECE_BYTES * partition.entries // max(1, partition.entry_bytes)
    return max(1, min(by_rows, by_bytes))
