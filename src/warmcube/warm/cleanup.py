"""Removing what no manifest names any more, found through ``master``; nothing is scanned for.

A superseded snapshot isn't unlinked at once, since readers may be in the middle of it, and nobody
has to stay to do it later: its keys get an early expiry instead, after which the next clean-up only
crosses its name off ``master``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final

from warmcube.entry.counts import INLINE_MEMBERS, bins_of
from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import (
    Chunks,
    MasterItem,
    PartitionVersion,
    Snapshot,
    format_item,
    parse_item,
)
from warmcube.errors import Damage
from warmcube.store.api import Store
from warmcube.store.walks import walk_list, walk_set
from warmcube.store.wire import pack_expiries

__all__ = [
    "expire_items",
    "in_lanes",
    "is_named",
    "mark_retired",
    "master_items",
    "remove_items",
]

CHUNK: Final = 1000

LANES: Final = 2
"""How many items are removed or let expire at a time."""

UNLINKED: Final = 250
"""Keys in one UNLINK: it takes about a microsecond for each, where they are small."""


async def master_items(store: Store, keys: Keys) -> list[MasterItem]:
    """Everything that exists of a data source."""
    items: list[MasterItem] = []
    async for members in walk_set(store, keys.master):
        for member in members:
            try:
                items.append(parse_item(member))
            except Damage:
                await store.run([(b"SREM", keys.master, member)])
    return list(dict.fromkeys(items))


def is_named(item: MasterItem, manifest: Manifest | None) -> bool:
    """Whether a snapshot needs this."""
    if manifest is None:
        return False
    match item:
        case PartitionVersion(name, version):
            partition = manifest.partitions.get(name)
            return partition is not None and partition.version == version
        case Chunks(column, version, _):
            dictionary = manifest.dictionaries.get(column)
            return dictionary is not None and any(r.version == version for r in dictionary.runs)
        case Snapshot(version):
            return version == manifest.version


async def remove_items(
    store: Store,
    keys: Keys,
    items: Iterable[MasterItem],
    removed: Callable[[int], None] | None = None,
) -> int:
    """Unlink all keys of some items, then cross them off ``master``.

    Args:
        store: the store.
        keys: of the data source.
        items: what to remove; must not be in use.
        removed: told the number of keys after each trip.

    Returns:
        how many keys are gone.
    """
    count = 0

    async def lane(items: Iterator[MasterItem]) -> None:
        nonlocal count
        for item in items:
            async for chunk in keys_of(store, keys, item):
                gone = await _unlink(store, chunk)  # apart: another lane counts meanwhile
                count += gone
                if removed is not None:
                    removed(count)
            await store.run([(b"SREM", keys.master, format_item(item))])

    left = iter(items)
    await in_lanes([lane(left) for _ in range(LANES)])
    return count


async def _unlink(store: Store, keys: Sequence[bytes]) -> int:
    """Unlink keys in one trip, in commands so small that none holds the server for long."""
    commands = [(b"UNLINK", *keys[at : at + UNLINKED]) for at in range(0, len(keys), UNLINKED)]
    return sum(await store.run(commands))


async def mark_retired(
    store: Store, keys: Keys, versions: Iterable[Version], at_ms: int
) -> list[Version]:
    """Mark versions as about to go, so that nothing may serve or keep them again.

    Returns:
        those that are; a live one isn't.
    """
    return [
        version
        for version in versions
        if await store.script(
            "retire",
            [keys.current, keys.retired(str(version)), keys.kept],
            [str(version).encode(), at_ms],
        )
    ]


async def expire_items(
    store: Store,
    keys: Keys,
    items: Sequence[MasterItem],
    at_ms: int,
    known: Manifest | None = None,
) -> None:
    """Let all keys of some items expire at an instant, and mark their versions as retired.

    Args:
        store: the store.
        keys: of the data source.
        items: what is to go.
        at_ms: when, by the store's clock.
        known: the manifest that names them, which spares looking for sets that there aren't.
    """
    versions = {item.version for item in items}
    retired = await mark_retired(store, keys, versions, at_ms)
    # A manifest goes after all that it names.
    for kinds in ((PartitionVersion, Chunks), (Snapshot,)):
        going = (item for item in items if item.version in retired and isinstance(item, kinds))
        await in_lanes([_expire(store, keys, going, at_ms, known) for _ in range(LANES)])


async def _expire(
    store: Store, keys: Keys, items: Iterator[MasterItem], at_ms: int, known: Manifest | None
) -> None:
    """Let all keys of the items that are left expire; several may take from the same items."""
    for item in items:
        async for chunk in keys_of(store, keys, item, known):
            await store.write(pack_expiries(chunk, at_ms))


async def in_lanes(lanes: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run some side by side: while the server does what one asks, another packs.

    None of them is left running, whatever happens; what the first of them raises is raised.
    """
    tasks = [asyncio.ensure_future(lane) for lane in lanes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def keys_of(
    store: Store, keys: Keys, item: MasterItem, known: Manifest | None = None
) -> AsyncIterator[list[bytes]]:
    """The keys that an item of ``master`` stands for, in chunks, those that lead to others last."""
    match item:
        case PartitionVersion(name, version):
            partition = keys.partition(name, str(version))
            has_sets, has_sums = _may_have(item, known)
            size, chunks = await _members(store, partition.all)
            async for members in chunks:
                yield [partition.entry(member) for member in members]
                owners = _owners(members) if has_sets or has_sums else set()
                others = [partition.set(owner) for owner in owners] if has_sets else []
                if has_sums:
                    others += [partition.sums(each) for each in owners if each.startswith(b"p:")]
                for at in range(0, len(others), CHUNK):
                    yield others[at : at + CHUNK]
            bins = partition.bins(bins_of(size))
            for at in range(0, len(bins), CHUNK):
                yield bins[at : at + CHUNK]
            yield [partition.whole_sums, partition.counts]
            yield [partition.all]
        case Chunks(column, version, count):
            numbers = range(count)
            for at in range(0, count, CHUNK):
                yield [keys.dictionary(column, str(version), k) for k in numbers[at : at + CHUNK]]
        case Snapshot(version):
            text = str(version)
            yield [keys.manifest(text), keys.uses(text), keys.retired(text)]


def _may_have(item: PartitionVersion, known: Manifest | None) -> tuple[bool, bool]:
    """Whether an index set of a partition was too large for its counts, and a practice has sums."""
    if known is None or not is_named(item, known):
        return True, True
    partition = known.partitions[item.name]
    largest = max(partition.largest_practice, partition.largest_provider)
    return largest > INLINE_MEMBERS, partition.sums > 0


def _owners(members: Iterable[bytes]) -> set[bytes]:
    """What `counts` calls the practices and providers of some members; components have no colon."""
    owners: set[bytes] = set()
    for member in members:
        practice, _, rest = member.partition(b":prov:")
        if practice.startswith(b"p:"):  # else it is somebody else's doing; its set can't be ours
            owners.add(practice)
            owners.add(b"prov:" + rest.partition(b":")[0])
    return owners


async def _members(store: Store, key: bytes) -> tuple[int, AsyncIterator[list[bytes]]]:
    """How many members a partition's index has, and these in chunks.

    Until manifests of format 6 it was a set, and whoever warms for the first time with this version
    has to remove such.
    """
    try:
        (size,) = await store.run([(b"LLEN", key)])
    except Damage:
        return 0, walk_set(store, key)
    return size, walk_list(store, key, size)
