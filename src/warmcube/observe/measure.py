"""Measuring what the health of a data source is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Seal
from warmcube.model.schema import Datasource
from warmcube.observe.health import Measured
from warmcube.observe.index import check_indexes, pick_members, shares_of
from warmcube.observe.live import read_live
from warmcube.store.api import Command, Store

__all__ = ["MOST_CHECKED", "measure"]

MOST_CHECKED: Final = 20_000
"""Of larger snapshots so many entries, picked at random from all partitions, are looked for."""

_SWITCHED_OFF: Final = "[cache] enabled is false: the database answers everything"
_DISABLED: Final = "it is disabled: the database answers everything; see warmcube enable"
_ENTRIES: Final = 1000


async def measure(
    store: Store, keys: Keys, datasource: Datasource, using: Seal, *, is_on: bool = True
) -> Measured:
    """Look at a data source's live snapshot: that it is there, how old, how used, how complete.

    Args:
        store: the store.
        keys: of the data source.
        datasource: which one.
        using: what the store's values bear.
        is_on: whether snapshots serve at all.

    Raises:
        StoreError: the store.
    """
    live = await read_live(store, keys, datasource, using)
    manifest = live.manifest
    if manifest is None or not is_on or live.is_disabled:
        why = str(live.why_cold)
        if not is_on:
            why = _SWITCHED_OFF
        elif live.is_disabled:
            why = _DISABLED
        return Measured(
            datasource=datasource.id,
            name=datasource.name,
            now_ms=live.now_ms,
            why_cold=why,
        )
    proven = await _proven(store, keys, using, manifest)
    checked, found = await _present(store, keys, manifest, proven)
    return Measured(
        datasource=datasource.id,
        name=datasource.name,
        now_ms=live.now_ms,
        warmed_ms=live.published_ms or manifest.warmed_ms,
        fresh_until_ms=manifest.fresh_until_ms,
        serve_until_ms=manifest.serve_until_ms,
        hits=live.hits,
        misses=live.misses,
        partitions=len(manifest.partitions),
        proven_partitions=len(proven),
        entries=manifest.entries,
        proven_entries=sum(partition.entries for partition in proven.values()),
        checked=checked,
        found=found,
    )


async def _proven(
    store: Store, keys: Keys, using: Seal, manifest: Manifest
) -> dict[PartitionName, Partition]:
    """The partitions of which the index holds what the manifest says."""
    proven = dict(manifest.partitions)
    for share in shares_of(manifest.partitions):
        for name in await check_indexes(store, keys, using, share):
            del proven[name]
    return proven


async def _present(
    store: Store,
    keys: Keys,
    manifest: Manifest,
    proven: Mapping[PartitionName, Partition],
) -> tuple[int, int]:
    """Of how many entries it was looked whether they are there, and how many are."""
    share = min(1.0, MOST_CHECKED / manifest.entries) if manifest.entries else 1.0
    checked = found = 0
    for name, partition in proven.items():
        own = keys.partition(name, str(partition.version))
        wanted = max(1, round(partition.entries * share))
        members = await pick_members(store, own, partition, wanted)
        commands: list[Command] = [
            (b"EXISTS", *(own.entry(member) for member in members[at : at + _ENTRIES]))
            for at in range(0, len(members), _ENTRIES)
        ]
        checked += len(members)
        found += sum(await store.run(commands))
    return checked, found
