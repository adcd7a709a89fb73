"""Which keys there are that nobody knows: judged by their names, whoever wrote them."""

from __future__ import annotations

from typing import Final

from tests.support.keys import parse_key
from tests.support.memory import DATASOURCE

from warmcube.entry.keys import Keys
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion
from warmcube.entry.seal import Checksum
from warmcube.store.api import Store
from warmcube.warm.cleanup import master_items
from warmcube.warm.named import read_named

__all__ = ["unknown_keys"]

SEAL: Final = Checksum()
FIXED: Final = frozenset(
    {"carrying", "current", "ends", "fence", "history", "last_warm", "kept", "pin", "master"}
    | {"lock", "reservations"}
)


def names_of(manifest: Manifest | None) -> set[tuple[object, ...]]:
    """What a snapshot's keys may say."""
    if manifest is None:
        return set()
    names: set[tuple[object, ...]] = {("snapshot", str(manifest.version))}
    for name, partition in manifest.partitions.items():
        names.add((name.measure, name.frequency, str(partition.version)))
    for column, dictionary in manifest.dictionaries.items():
        for run in dictionary.runs:
            names |= {("dict", column, str(run.version), chunk) for chunk in range(run.chunks)}
    return names


def names_of_item(item: MasterItem) -> set[tuple[object, ...]]:
    """What the keys may say that an item of ``master`` stands for."""
    if isinstance(item, PartitionVersion):
        return {(item.name.measure, item.name.frequency, str(item.version))}
    if isinstance(item, Chunks):
        return {("dict", item.column, str(item.version), chunk) for chunk in range(item.chunks)}
    return {("snapshot", str(item.version))}


async def unknown_keys(store: Store, *, grace: float, with_master: bool = True) -> list[bytes]:
    """Keys that no snapshot names that may be served, and that don't go by a retirement.

    Args:
        store: the store.
        grace: seconds that a retirement takes.
        with_master: what `master` has is known too: it goes when its warmer's lease has been dead
            for a while.
    """
    named = await read_named(store, Keys("", DATASOURCE.id), SEAL)
    allowed = names_of(named.live).union(*map(names_of, named.kept))
    if with_master:
        for item in await master_items(store, Keys("", DATASOURCE.id)):
            allowed |= names_of_item(item)
    (keys,) = await store.run([(b"KEYS", b"*")])
    ends = await store.run([(b"PTTL", key) for key in keys])
    unknown = []
    for key, left in zip(keys, ends, strict=True):
        parsed = parse_key(key)
        name: tuple[object, ...]
        if parsed.kind in FIXED:
            continue
        _, *components = parsed.components
        if parsed.kind in ("snapshot", "dict"):
            name = (parsed.kind, *components)
        else:
            name = tuple(components[:3])
        has_expired = left == -2  # since it was listed
        if name not in allowed and not has_expired and not 0 <= left <= grace * 1000:
            unknown.append(key)
    return unknown
