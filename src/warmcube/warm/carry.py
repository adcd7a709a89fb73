"""Partitions of the live snapshot on their way into the next one: proven, and with more life."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final, TypeAlias

from warmcube.entry.counts import INLINE_MEMBERS, TOTAL, bins_of, unpack_size
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.store.api import Store
from warmcube.store.walks import walk_counts, walk_list
from warmcube.store.wire import pack_expiries
from warmcube.warm.cleanup import in_lanes
from warmcube.warm.commands import Written
from warmcube.warm.index import DistinctCount, Family
from warmcube.warm.lease import Lease
from warmcube.warm.report import Reporter
from warmcube.warm.verify import unproven

__all__ = ["carry_partitions"]

CHUNK: Final = 1000
Owners: TypeAlias = dict[Family, DistinctCount]

LANES: Final = 2
"""How many partitions are carried at a time."""


async def carry_partitions(
    store: Store,
    keys: Keys,
    using: Seal,
    lease: Lease,
    partitions: Mapping[PartitionName, Partition],
    expires_ms: int,
    written: Written,
    progress: Reporter,
) -> set[PartitionName]:
    """Give every key of some partitions another expiry, and prove that it is there.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        lease: under which this is done.
        partitions: of the live snapshot.
        expires_ms: when all of them are to expire.
        written: its owners are told of theirs.
        progress: told as it goes.

    Returns:
        those of which something is missing or altered.

    Raises:
        StoreError: the store.
        WarmFenced: the lease or the fence was lost.
    """
    lost: set[PartitionName] = set()
    done = 0

    async def lane(items: Iterator[tuple[PartitionName, Partition]]) -> None:
        nonlocal done
        for name, partition in items:
            await lease.ensure()
            own = keys.partition(name, str(partition.version))
            try:
                owners = await _carry(store, own, partition, using, expires_ms)
            except Damage:
                owners = None
            if owners is None:
                lost.add(name)
            else:
                for family, seen in owners.items():
                    written.owners[family].merge(seen)
            done += partition.rows
            progress.update(rows=done)

    left = iter(partitions.items())
    await in_lanes([lane(left) for _ in range(LANES)])
    # Last, so that what went missing meanwhile is noticed too.
    kept = {name: each for name, each in partitions.items() if name not in lost}
    return lost | {name async for name, _ in unproven(store, keys, using, lease, kept)}


async def _carry(
    store: Store, own: PartitionKeys, partition: Partition, using: Seal, expires_ms: int
) -> Owners | None:
    """The owners of a partition's rows, if every key of it is there now that it expires anew."""
    owners: Owners = {"practice": DistinctCount(), "provider": DistinctCount()}
    async for chunk in _keys_of(store, own, partition, using, owners):
        await store.write(pack_expiries(chunk, expires_ms))
        (found,) = await store.run([(b"EXISTS", *chunk)])
        if found != len(chunk):
            return None
    # Once more: what a roll-back has set to go meanwhile leads to the rest for whoever clears up.
    await store.write(pack_expiries([own.all, own.counts], expires_ms))
    return owners


async def _keys_of(
    store: Store, own: PartitionKeys, partition: Partition, using: Seal, owners: Owners
) -> AsyncIterator[list[bytes]]:
    """All keys of a partition, as its index and its counts name them, in chunks."""
    first = [own.all, own.counts, *([own.whole_sums] if partition.has_whole_sums else ())]
    first += own.bins(bins_of(partition.entries))
    for at in range(0, len(first), CHUNK):
        yield first[at : at + CHUNK]
    async for pairs in walk_counts(store, own, partition.entries):
        others: list[bytes] = []
        components: dict[bytes, list[bytes]] = {b"p": [], b"prov": []}
        for _, field, value in pairs:
            if field == TOTAL:
                continue
            size, has_sums = unpack_size(own.counts, field, value, using)
            kind, _, component = field.partition(b":")
            components[kind].append(component)
            if size > INLINE_MEMBERS:
                others.append(own.set(field))
            if has_sums:
                others.append(own.sums(field))
        owners["practice"].update(components[b"p"])
        owners["provider"].update(components[b"prov"])
        for at in range(0, len(others), CHUNK):
            yield others[at : at + CHUNK]
    async for members in walk_list(store, own.all, partition.entries):
        yield [own.entry(member) for member in members]
