"""Memory of the store's masters that a warm has reserved, so that others count with it.

A snapshot is spread over the masters as its partitions are: each has to hold those that are in its
slots.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from warmcube.entry.keys import Keys, PartitionName
from warmcube.store.api import Memory, Store
from warmcube.warm.capacity import free_bytes, too_small

__all__ = ["Reservation"]


class Reservation:
    """What one warm has reserved.

    Args:
        store: the store.
        keys: of the data source.
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys
        self._fields: Sequence[bytes] = ()

    async def take(
        self,
        memories: Sequence[Memory],
        predicted: int,
        rows: Mapping[PartitionName, int],
        seconds: float,
    ) -> None:
        """Reserve what a snapshot will take, on all masters or on none.

        Args:
            memories: of the masters.
            predicted: bytes of the whole snapshot.
            rows: of each partition; what it takes is its share of the whole.
            seconds: how long the reservation counts, if nothing releases it.

        Raises:
            StoreTooSmall: one of the masters hasn't as much.
            StoreError: the store.
        """
        shares = await self._shares(memories, predicted, rows)
        by_field = {self._field(memory, memories): memory for memory in memories if memory.limit}
        now = await self._store.now_ms()
        facts: list[bytes | int] = []
        for field, memory in by_field.items():
            free = free_bytes([memory])
            facts += (field, shares[memory.node], max(0, 0 if free is None else free))
        self._fields = tuple(by_field)
        outcome = await self._store.script(
            "reserve", [self._keys.reservations], [now + int(seconds * 1000), now, *facts]
        )
        if outcome != b"ok":
            field, others = outcome
            memory = by_field[field]
            raise too_small([memory], shares[memory.node], int(others))

    async def release(self) -> None:
        """Give it back, if there is any."""
        if self._fields:
            await self._store.run([(b"HDEL", self._keys.reservations, *self._fields)])

    async def _shares(
        self, memories: Sequence[Memory], predicted: int, rows: Mapping[PartitionName, int]
    ) -> Mapping[str, int]:
        if len(memories) == 1:
            return {memories[0].node: predicted}
        # Any version will do: the slot is the partition's.
        keys = [self._keys.partition(name, "").all for name in rows]
        shares: Counter[str] = Counter()
        every = max(1, sum(rows.values()))
        masters = await self._store.masters_of(keys)
        for master, count in zip(masters, rows.values(), strict=True):
            shares[master] += -(-predicted * count // every)
        return shares

    def _field(self, memory: Memory, memories: Sequence[Memory]) -> bytes:
        datasource: Final = str(self._keys.datasource)
        # Of one server it doesn't matter by which name somebody reaches it.
        text = datasource if len(memories) == 1 else f"{datasource} {memory.node}"
        return text.encode()
