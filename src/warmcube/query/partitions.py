"""The partitions that a process holds decoded: which ones, for how long, and within which bytes.

A version never changes, so what is held of it is right for as long as its snapshot is live; that
isn't known here, see `warmcube.query.snapshots`. Partitions are loaded in the background, one at a
time, once they are hot. What of them somebody is given is chosen by the scope that was judged.

Partitions take three quarters of the budget at the most; answers that are kept get what they
leave. A partition makes room for one that is read far more for its size.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from warmcube.entry.codec import decode_ids
from warmcube.entry.keys import PartitionName, Version
from warmcube.entry.manifest import Manifest, Partition
from warmcube.errors import Damage, StoreError
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.query.heat import Heat
from warmcube.query.held_sums import are_summed
from warmcube.query.judge import Judged
from warmcube.query.lookup import PointerMoved
from warmcube.query.partition import ResidentPartition
from warmcube.query.prepared import Extent
from warmcube.query.read import Reading
from warmcube.query.snapshots import LiveSnapshot, Snapshots

__all__ = ["Load", "Partitions"]

_LOG: Final = logging.getLogger("warmcube")

LARGEST_SHARE: Final = 0.75
"""Of the budget, what all partitions may take."""
ROW_BYTES: Final = 24
"""What a row takes beside its record: ids, and the codes of its date."""
ENTRY_BYTES: Final = 320
MUCH_HOTTER: Final = 2.0
"""So much more must a partition be read, for its size, than one that makes room for it."""

Load = Callable[[Datasource, LiveSnapshot, PartitionName], Awaitable[ResidentPartition | None]]


class Limited(Protocol):
    """What shares the budget."""

    def limit(self, budget: int) -> None:
        """Take no more than so many bytes from now on."""


@dataclass(slots=True)
class _Held:
    """A partition that is held.

    Attributes:
        version: of its snapshot.
        partition: its rows.
        facts: what the manifest says of it.
        size: bytes, as they were last counted.
    """

    version: Version
    partition: ResidentPartition
    facts: Partition
    size: int


_Key = tuple[int, PartitionName]


class Partitions:
    """Holds hot partitions.

    Args:
        load: loads one, proven; raises what `warmcube.query.loading.load_partition` does.
        snapshots: what is live.
        budget: bytes, shared with `others`; 0 holds nothing.
        others: what gets what is left of the budget.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        load: Load,
        snapshots: Snapshots,
        budget: int,
        others: Limited,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._snapshots = snapshots
        self._budget = budget
        self._most = int(budget * LARGEST_SHARE)
        self._others = others
        self._clock = clock
        self._held: dict[_Key, _Held] = {}
        self._too_large: dict[_Key, Version] = {}
        self._heat = Heat()
        self._waiting: dict[_Key, tuple[Datasource, LiveSnapshot]] = {}
        self._loading: asyncio.Task[bool] | None = None
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size(self) -> int:
        """Bytes that the held ones take."""
        return self._bytes

    def read(self, judged: Judged, datasource: Datasource, live: LiveSnapshot) -> Reading | None:
        """What a read is answered from, if its partition is held.

        Args:
            judged: allowed by now; its scope chooses the rows.
            datasource: which one.
            live: the snapshot.

        Returns:
            None if it has to be read from the store. So is a partition of which the scope has no
            rows, so that it takes as long, and looks, as one that doesn't exist.
        """
        if judged.prepared.extent is Extent.PARTITIONS:
            return None
        key = (datasource.id, judged.partition)
        held = self._held.get(key)
        if held is None:
            return None
        if held.version != live.manifest.version:
            self._drop_others(datasource.id, live.manifest.version)
            return None
        partition, scope = held.partition, judged.narrowed.scope
        pick = partition.pick(scope)
        if pick is None:
            return None
        fetched = held.facts.entry_bytes * pick.rows // max(1, partition.rows)
        self._heat.add(key, fetched, self._clock())
        if partition.size != held.size:  # factors were made of its columns
            self._recount(held)
        if judged.prepared.extent is Extent.IDS:
            (column,) = judged.prepared.columns
            ids = list(partition.ids(scope, of_practices=column == datasource.roles.practice))
            type_ = live.manifest.schema[column].type
            values = decode_ids(ids, np.ones(len(ids), np.int64), type_)
            table = Table({column: values}, len(ids))
            return Reading(table, members=pick.members, origin="resident")
        sums, practices = partition.sums, pick.practices
        if sums is None or practices is None or not are_summed(judged.prepared, datasource.roles):
            table = partition.table(pick)
        else:
            table = sums.table(practices)
        return Reading(
            table,
            members=pick.members,
            entries=pick.members,
            rows=pick.rows,
            origin="resident",
        )

    def notice(
        self, judged: Judged, datasource: Datasource, live: LiveSnapshot, reading: Reading
    ) -> None:
        """Know what was read through the store; what is hot by now is loaded in the background.

        A read that found nothing doesn't count: it tells nobody whether there is a partition.
        """
        if not self._budget or not reading.entries or reading.origin != "store":
            return
        key, now = (datasource.id, judged.partition), self._clock()
        self._heat.add(key, reading.bytes, now)
        if self._is_wanted(key, live, now):
            self._waiting[key] = datasource, live
            if self._loading is None:
                self._load_next()

    async def load(self, datasource: Datasource, live: LiveSnapshot, name: PartitionName) -> bool:
        """Load a partition and hold it, however hot it is.

        Returns:
            whether it is held. Not if it is too large, if its snapshot isn't live any more, or if
            the store doesn't give it whole: whoever reads it next is told.
        """
        key, version = (datasource.id, name), live.manifest.version
        facts = live.manifest.partitions.get(name)
        if facts is None:
            return False
        try:
            partition = await self._load(datasource, live, name)
        except Exception as error:
            self._heat.cool(key)
            if isinstance(error, StoreError | Damage | PointerMoved):
                return False
            raise
        if partition is None or self._snapshots.known(datasource) is not live:
            return False
        self._drop_others(datasource.id, version)
        self._drop(key)
        if not self._make_room(key, partition.size, self._clock()):
            self._too_large[key] = version
            return False
        self._held[key] = _Held(version, partition, facts, partition.size)
        self._add(partition.size)
        return True

    def forget(self, datasource: int) -> None:
        """Drop all partitions of a data source."""
        self._drop_others(datasource, None)

    async def settled(self) -> None:
        """Wait until nothing is being loaded."""
        while self._loading is not None:
            await asyncio.wait([self._loading])

    async def close(self) -> None:
        """Load nothing any more."""
        loading, self._budget = self._loading, 0
        if loading is not None:
            loading.cancel()
            await asyncio.wait([loading])

    def _load_next(self) -> None:
        """Begin to load the hottest one that waits for it."""
        now = self._clock()
        while self._waiting and self._budget:
            key = max(self._waiting, key=lambda each: self._heat.of(each, now))
            datasource, live = self._waiting.pop(key)
            if self._snapshots.known(datasource) is live and self._is_wanted(key, live, now):
                self._loading = asyncio.create_task(self.load(datasource, live, key[1]))
                self._loading.add_done_callback(self._has_loaded)
                return

    def _has_loaded(self, loading: asyncio.Task[bool]) -> None:
        self._loading = None
        error = None if loading.cancelled() else loading.exception()
        if error is not None:
            _LOG.error("a partition couldn't be loaded: %r", error, exc_info=error)
        self._load_next()

    def _is_wanted(self, key: _Key, live: LiveSnapshot, now: float) -> bool:
        """Whether a partition is hot, isn't held, and could be."""
        facts = live.manifest.partitions.get(key[1])
        if facts is None or not self._heat.is_hot(key, facts.entry_bytes, now):
            return False
        held = self._held.get(key)
        if held is not None and held.version == live.manifest.version:
            return False
        if self._too_large.get(key) == live.manifest.version:
            return False
        return self._victims(key, expected_bytes(facts, live.manifest), now) is not None

    def _make_room(self, key: _Key, size: int, now: float) -> bool:
        victims = self._victims(key, size, now)
        if victims is None:
            return False
        for each in victims:
            self._drop(each)
        return True

    def _victims(self, key: _Key, size: int, now: float) -> list[_Key] | None:
        """Which ones a partition of some size takes the place of; None if it can't be held."""
        if size > self._most:
            return None
        over = self._bytes + size - self._most
        if over <= 0:
            return []
        worth = self._heat.of(key, now) / size
        found = []
        for cold in sorted(self._held, key=lambda each: self._worth(each, now)):
            if self._worth(cold, now) * MUCH_HOTTER > worth:
                return None
            found.append(cold)
            over -= self._held[cold].size
            if over <= 0:
                return found
        return None

    def _worth(self, key: _Key, now: float) -> float:
        """What is read of a held partition for each byte that it takes."""
        return self._heat.of(key, now) / max(1, self._held[key].size)

    def _recount(self, held: _Held) -> None:
        """Count what a partition has grown by; the coldest go if they are too many by now."""
        size = held.partition.size
        grown, held.size = size - held.size, size
        self._add(grown)
        now = self._clock()
        while self._bytes > self._most:
            self._drop(min(self._held, key=lambda each: self._worth(each, now)))

    def _drop_others(self, datasource: int, version: Version | None) -> None:
        """Drop what isn't of this snapshot."""
        for key, held in list(self._held.items()):
            if key[0] == datasource and held.version != version:
                self._drop(key)

    def _drop(self, key: _Key) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._add(-held.size)

    def _add(self, size: int) -> None:
        self._bytes += size
        self._others.limit(self._budget - self._bytes)


def expected_bytes(facts: Partition, manifest: Manifest) -> int:
    """About how many bytes a partition will take.

    Args:
        facts: what the manifest says of it.
        manifest: whose layouts it has.
    """
    layout = manifest.layouts[facts.layout]
    records = facts.entry_bytes + facts.rows * (layout.plain_width - layout.width)
    return records + facts.rows * ROW_BYTES + facts.entries * ENTRY_BYTES
