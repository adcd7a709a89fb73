"""How much memory a snapshot's keys take in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmcube.entry.counts import INLINE_MEMBERS, TOTAL, bins_of
from warmcube.entry.keys import Keys, PartitionKeys
from warmcube.entry.manifest import Manifest, Partition
from warmcube.errors import StoreRefused
from warmcube.observe.index import pick_members
from warmcube.store.api import Command, Store

__all__ = ["MOST_MEASURED", "snapshot_memory"]

MOST_MEASURED: Final = 20_000
"""Of larger snapshots so many entries, picked at random from all partitions, are measured."""

_CHUNK: Final = 1000
_HASHES: Final = 32


async def snapshot_memory(store: Store, keys: Keys, manifest: Manifest) -> int | None:
    """The bytes that a snapshot's keys take, with what the server adds; None if it won't tell.

    Args:
        store: the store.
        keys: of the data source.
        manifest: of the snapshot.

    Raises:
        StoreError: the store.
    """
    share = min(1.0, MOST_MEASURED / manifest.entries) if manifest.entries else 1.0
    try:
        total = await _sum(store, _beside(keys, manifest))
        for name, partition in manifest.partitions.items():
            own = keys.partition(name, str(partition.version))
            total += await _of_partition(store, own, partition, share)
    except StoreRefused:  # some managed services bar MEMORY
        return None
    return total


def _beside(keys: Keys, manifest: Manifest) -> list[bytes]:
    """The keys that belong to no partition."""
    return [
        keys.current,
        keys.manifest(str(manifest.version)),
        *(
            keys.dictionary(column, str(run.version), chunk)
            for column, dictionary in manifest.dictionaries.items()
            for run in dictionary.runs
            for chunk in range(run.chunks)
        ),
    ]


async def _of_partition(
    store: Store, own: PartitionKeys, partition: Partition, share: float
) -> int:
    wanted = max(1, round(partition.entries * share))
    members = await pick_members(store, own, partition, wanted)
    hashes = [own.counts, *own.bins(bins_of(partition.entries))]
    fields = [
        field
        for at in range(0, len(hashes), _HASHES)
        for found in await store.run([(b"HKEYS", key) for key in hashes[at : at + _HASHES]])
        for field in found
    ]
    index = [own.all, *hashes]
    if max(partition.largest_practice, partition.largest_provider) > INLINE_MEMBERS:
        index += [own.set(field) for field in fields if field != TOTAL]
    if partition.sums_bytes:
        index.append(own.whole_sums)
        index += [own.sums(field) for field in fields if field.startswith(b"p:")]
    entries = await _sum(store, [own.entry(member) for member in members])
    if len(members) < partition.entries and members:
        entries = round(entries * partition.entries / len(members))
    return entries + await _sum(store, index)


async def _sum(store: Store, keys: Sequence[bytes]) -> int:
    """Of some keys; one that isn't there takes nothing."""
    total = 0
    for at in range(0, len(keys), _CHUNK):
        commands: list[Command] = [
            (b"MEMORY", b"USAGE", key, b"SAMPLES", 0) for key in keys[at : at + _CHUNK]
        ]
        total += sum(size or 0 for size in await store.run(commands))
    return total
