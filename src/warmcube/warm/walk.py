"""All keys that an item of ``master`` stands for, found without a scan; and whether they are all.

What leads to others is dealt with last, so that wherever it ends, the next one finds the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Final, Protocol

from warmcube.entry.counts import INLINE_MEMBERS, TOTAL, unpack_set, unpack_total
from warmcube.entry.keys import Keys, PartitionKeys
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.store.api import Store

__all__ = ["Handle", "is_named", "set_members", "walk"]

CHUNK: Final = 1000
_FAMILIES: Final = (b"p:", b"prov:")


class Handle(Protocol):
    """What is done to keys."""

    def __call__(self, keys: list[bytes], /, *, counted: bool) -> Awaitable[int]:
        """Do it to some.

        Args:
            keys: at most a thousand, of one cluster slot.
            counted: whether it matters how many of them were there.

        Returns:
            how many were there; anything where it doesn't matter.
        """
        ...


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


async def walk(
    store: Store,
    keys: Keys,
    using: Seal,
    item: MasterItem,
    handle: Handle,
    known: Manifest | None = None,
    *,
    with_index: bool = True,
    removes: bool = False,
) -> bool:
    """Do something to all keys of an item.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        item: of ``master``.
        handle: does it to some of them.
        known: the manifest that names the item, which spares looking for sets that there aren't.
        with_index: whether also to the set that leads to a partition's entries.
        removes: whether what it is done to is gone then.

    Returns:
        whether these were surely all that there are: not where the index of a partition is gone, or
        leads to fewer entries than were written.

    Raises:
        StoreError: the store.
    """
    match item:
        case PartitionVersion(name, version):
            own = keys.partition(name, str(version))
            has_sets, has_sums = _may_have(item, known)
            return await _walk_partition(
                store, own, using, handle, has_sets, has_sums, with_index, removes
            )
        case Chunks(column, version, chunks):
            for at in range(0, chunks, CHUNK):
                numbers = range(at, min(at + CHUNK, chunks))
                chunk = [keys.dictionary(column, str(version), number) for number in numbers]
                await handle(chunk, counted=False)
        case Snapshot(version):
            text = str(version)
            await handle([keys.manifest(text), keys.uses(text), keys.retired(text)], counted=False)
    return True


async def _walk_partition(
    store: Store,
    own: PartitionKeys,
    using: Seal,
    handle: Handle,
    has_sets: bool,
    has_sums: bool,
    with_index: bool,
    removes: bool,
) -> bool:
    packed, first = await store.run(
        [(b"HGET", own.counts, TOTAL), (b"SSCAN", own.all, b"0", b"COUNT", CHUNK)]
    )
    total: int | None = None
    with contextlib.suppress(Damage):  # a warm that was killed had written none
        total = unpack_total(own.counts, packed, using).entries
    listed = there = 0
    async for members in set_members(store, own.all, first):
        listed += len(members)
        there += await handle([own.entry(member) for member in members], counted=True)
        owners = _owners(members) if has_sets or has_sums else set()
        others = [own.set(owner) for owner in owners] if has_sets else []
        if has_sums:
            others += [own.sums(each) for each in owners if each.startswith(b"p:")]
        for at in range(0, len(others), CHUNK):
            await handle(others[at : at + CHUNK], counted=False)
    # Members are written before their entries, and `total` when all are.
    is_whole = listed > 0 if total is None else there >= total
    for family in _FAMILIES:
        if is_whole:
            break
        found = 0
        async for chunk, are_entries in _by_counts(store, own, using, family):
            count = await handle(chunk, counted=are_entries)
            found += count if are_entries else 0
        there = there + found if removes else found  # what was removed isn't found again
        is_whole = total is not None and there >= total
    await handle([own.whole_sums, own.counts], counted=False)
    if with_index:
        await handle([own.all], counted=False)
    return is_whole


async def _by_counts(
    store: Store, own: PartitionKeys, using: Seal, family: bytes
) -> AsyncIterator[tuple[list[bytes], bool]]:
    """The keys that a partition's counts lead to, by its practices or its providers, in chunks.

    Returns:
        with each chunk, whether they are entries; each of these comes once.
    """
    cursor = b"0"
    while True:
        ((cursor, pairs),) = await store.run([(b"HSCAN", own.counts, cursor, b"COUNT", CHUNK)])
        entries: list[bytes] = []
        others: list[bytes] = []
        for field, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not field.startswith(family):
                continue
            others += [own.set(field), *([own.sums(field)] if field.startswith(b"p:") else ())]
            with contextlib.suppress(Damage):
                members = unpack_set(own.counts, field, value, using).members
                if members is not None:
                    entries += [own.entry(member) for member in members]
                    continue
                async for some in set_members(store, own.set(field)):
                    yield [own.entry(member) for member in some], True
        for of, are_entries in ((entries, True), (others, False)):
            for at in range(0, len(of), CHUNK):
                yield of[at : at + CHUNK], are_entries
        if cursor == b"0":
            return


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


async def set_members(
    store: Store, key: bytes, first: tuple[bytes, list[bytes]] | None = None
) -> AsyncIterator[list[bytes]]:
    """The members of a set, in chunks; one may come twice.

    Args:
        store: the store.
        key: of the set.
        first: what the first trip for them brought, if there was one already.
    """
    page = first
    while True:
        if page is None:
            (page,) = await store.run([(b"SSCAN", key, b"0", b"COUNT", CHUNK)])
        cursor, members = page
        for at in range(0, len(members), CHUNK):
            yield members[at : at + CHUNK]
        if cursor == b"0":
            return
        (page,) = await store.run([(b"SSCAN", key, cursor, b"COUNT", CHUNK)])
