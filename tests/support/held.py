"""Which keys a live snapshot needs, told by its manifest alone, and which there are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot
from warmcube.entry.seal import Checksum, Seal
from warmcube.store.api import Store
from warmcube.warm.named import read_named
from warmcube.warm.walk import roots_of, walk

__all__ = ["all_keys", "live_manifest", "needed_keys", "partition_keys", "settled"]

CHECKSUM = Checksum()


async def all_keys(store: Store) -> set[bytes]:
    """Every key on the server."""
    (found,) = await store.run([(b"KEYS", b"*")])
    return set(found)


async def live_manifest(store: Store, keys: Keys, seal: Seal = CHECKSUM) -> Manifest:
    """The manifest of the live snapshot."""
    found = (await read_named(store, keys, seal)).live
    assert found is not None
    return found


async def partition_keys(
    store: Store, keys: Keys, manifest: Manifest, name: PartitionName
) -> set[bytes]:
    """The keys of one partition that are there."""
    item = PartitionVersion(name, manifest.partitions[name].version)
    return await _keys_of(store, keys, [item]) & await all_keys(store)


async def needed_keys(store: Store, keys: Keys, manifest: Manifest) -> set[bytes]:
    """All that the snapshot needs, as far as it is there, and what a data source always has."""
    items: list[MasterItem] = [
        *(PartitionVersion(name, each.version) for name, each in manifest.partitions.items()),
        *(
            Chunks(column, run.version, run.chunks)
            for column, dictionary in manifest.dictionaries.items()
            for run in dictionary.runs
        ),
        Snapshot(manifest.version),
    ]
    found = await _keys_of(store, keys, items) & await all_keys(store)
    return found | {keys.current, keys.fence, keys.history, keys.master, keys.last_warm}


async def _keys_of(store: Store, keys: Keys, items: Sequence[MasterItem]) -> set[bytes]:
    """All that some items stand for."""
    found: set[bytes] = set()

    async def note(some: list[bytes], *, counted: bool) -> int:
        del counted
        found.update(some)
        return len(some)

    for item in items:
        await walk(store, keys, CHECKSUM, item, note)
        found.update(roots_of(keys, item))
    return found


async def settled(store: Store, keys: Keys, seal: Seal = CHECKSUM) -> None:
    """Wait until nothing is left but what the live snapshot needs."""
    needed = await needed_keys(store, keys, await live_manifest(store, keys, seal))
    async with asyncio.timeout(20):
        while extra := {key for key in await all_keys(store) - needed if not _counts_use(key)}:
            for key in extra:
                assert await _expires(store, key), key
            await asyncio.sleep(0.02)
    assert needed <= await all_keys(store)


def _counts_use(key: bytes) -> bool:
    """Whether it is what a process that answered has counted; such keys expire by themselves.

    Or when what was retired ends, which goes with ``master``'s names of that.
    """
    return b":uses:" in key or b":figures" in key or key.endswith(b":ends")


async def _expires(store: Store, key: bytes) -> bool:
    (left,) = await store.run([(b"PTTL", key)])
    return int(left) != -1
