"""All keys that an item of ``master`` stands for, found without a scan; and whether they are all.

What leads to others is dealt with last, so that wherever it ends, the next one finds the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Final, Protocol

from warmcube.entry.counts import INLINE_MEMBERS, TOTAL, Total, fold, unpack_set, unpack_total
from warmcube.entry.keys import Keys, PartitionKeys
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.store.api import Store, pairs_of

__all__ = ["Handle", "is_named", "roots_of", "set_members", "walk"]

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
) -> bool:
    """Do something to all keys of an item but those of `roots_of`, which lead to the others.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        item: of ``master``.
        handle: does it to some of them.
        known: the manifest that names the item, which spares looking for sets that there aren't.

    Returns:
        whether these were surely all that there are: not where a partition's index is gone, or
        leads to fewer entries than were written, and its counts don't prove which there were.

    Raises:
        StoreError: the store.
    """
    match item:
        case PartitionVersion(name, version):
            own = keys.partition(name, str(version))
            has_sets, has_sums = _may_have(item, known)
            return await _walk_partition(store, own, using, handle, has_sets, has_sums)
        case Chunks(column, version, chunks):
            for at in range(0, chunks, CHUNK):
                numbers = range(at, min(at + CHUNK, chunks))
                chunk = [keys.dictionary(column, str(version), number) for number in numbers]
                await handle(chunk, counted=False)
        case Snapshot(version):
            text = str(version)
            await handle([keys.manifest(text), keys.uses(text), keys.retired(text)], counted=False)
    return True


def roots_of(keys: Keys, item: MasterItem) -> list[bytes]:
    """The keys by which all others of an item are found, where they can't be told from its name."""
    if not isinstance(item, PartitionVersion):
        return []
    own = keys.partition(item.name, str(item.version))
    return [own.counts, own.all]


async def _walk_partition(
    store: Store,
    own: PartitionKeys,
    using: Seal,
    handle: Handle,
    has_sets: bool,
    has_sums: bool,
) -> bool:
    packed, first = await store.run(
        [(b"HGET", own.counts, TOTAL), (b"SSCAN", own.all, b"0", b"COUNT", CHUNK)]
    )
    total: Total | None = None
    with contextlib.suppress(Damage):  # a warm that was killed had written none
        total = unpack_total(own.counts, packed, using)
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
    is_whole = listed > 0 if total is None else there >= total.entries
    if not is_whole:
        for family in _FAMILIES:
            counts = _Counts(store, own, using, family)
            async for chunk in counts.keys():
                await handle(chunk, counted=False)
            is_whole = is_whole or (total is not None and await counts.are_whole(total))
    await handle([own.whole_sums], counted=False)
    return is_whole


class _Counts:
    """What a partition's counts lead to, by its practices or its providers.

    Args:
        store: the store.
        own: the partition's keys.
        using: the seal.
        family: what the names of its fields begin with.
    """

    def __init__(self, store: Store, own: PartitionKeys, using: Seal, family: bytes) -> None:
        self._store = store
        self._own = own
        self._using = using
        self._family = family
        self._owners = self._members = 0
        self._is_sound = True
        self._unproven: dict[bytes, int] = {}  # sets that are gone or altered, and their folds

    async def keys(self) -> AsyncIterator[list[bytes]]:
        """Keys of entries, and then of what leads to them, in chunks."""
        own, cursor = self._own, b"0"
        while True:
            ((cursor, pairs),) = await self._store.run(
                [(b"HSCAN", own.counts, cursor, b"COUNT", CHUNK)]
            )
            others: list[bytes] = []
            for field, value in pairs_of(pairs).items():
                if not field.startswith(self._family):
                    continue
                others.append(own.set(field))
                if field.startswith(b"p:"):
                    others.append(own.sums(field))
                async for members in self._members_of(field, value):
                    yield [own.entry(member) for member in members]
            for at in range(0, len(others), CHUNK):
                yield others[at : at + CHUNK]
            if cursor == b"0":
                return

    async def _members_of(self, field: bytes, value: bytes) -> AsyncIterator[Iterable[bytes]]:
        try:
            counted = unpack_set(self._own.counts, field, value, self._using)
        except Damage:
            self._is_sound = False
            return
        self._owners += 1
        self._members += counted.size
        if counted.members is not None:
            yield counted.members
            return
        members: set[bytes] = set()
        async for some in set_members(self._store, self._own.set(field)):
            members.update(some)
            yield some
        if fold(self._own.counts, members, self._using) != counted.folded:
            self._unproven[field] = counted.folded

    async def are_whole(self, total: Total) -> bool:
        """Whether, now that all keys were gone through, they were those of all entries.

        Where a set is gone or altered, the partition's own index may have its members: its entries
        were gone through first.
        """
        owners = total.practices if self._family == b"p:" else total.providers
        if not self._is_sound or (self._owners, self._members) != (owners, total.entries):
            return False
        if self._unproven:
            async for members in set_members(self._store, self._own.all):
                for member in set(members):
                    field = _owner_of(member, self._family)
                    if field in self._unproven:
                        self._unproven[field] ^= fold(self._own.counts, [member], self._using)
        return not any(self._unproven.values())


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


def _owner_of(member: bytes, family: bytes) -> bytes:
    """What `counts` calls the practice or the provider of a member."""
    practice, _, rest = member.partition(b":prov:")
    return practice if family == b"p:" else family + rest.partition(b":")[0]


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
