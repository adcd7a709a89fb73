"""All keys that an item of ``master`` stands for, found without a scan; and whether they are all.

What leads to others is dealt with last, so that wherever it ends, the next one finds the rest.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from warmcube.entry.counts import (
    INLINE_MEMBERS,
    TOTAL,
    Total,
    bins_of,
    fold,
    unpack_set,
    unpack_total,
)
from warmcube.entry.keys import Keys, PartitionKeys
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.store.api import Command, Reply, Store
from warmcube.store.walks import walk_bins, walk_hash, walk_list, walk_set

__all__ = ["Handle", "is_named", "roots_of", "walk"]

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
        leads to fewer entries than were written, and its counts don't prove which there were; nor
        where somebody has put something of another type in its place.

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


@dataclass(frozen=True, slots=True)
class _Index:
    """What a partition's index says of itself.

    Attributes:
        total: of its counts, or of a bin where that is gone; None if neither proves itself, as of a
            warm that was killed before it had written them.
        listed: how many members there are in its list.
        first: those that were read along with that.
        is_old: whether it is a set, as until manifests of format 6.
        is_ours: whether nothing of another type lies where a part of it was.
    """

    total: Total | None
    listed: int
    first: list[bytes] = field(default_factory=list)
    is_old: bool = False
    is_ours: bool = True

    @property
    def entries(self) -> int:
        """How many entries the counts are of, if there are any counts."""
        return self.listed if self.total is None else self.total.entries

    async def members(self, store: Store, own: PartitionKeys) -> AsyncIterator[list[bytes]]:
        """The members, in chunks."""
        if self.is_old:
            async for some in walk_set(store, own.all):
                yield some
            return
        if self.first:
            yield self.first
        async for some in walk_list(store, own.all, self.listed, CHUNK):
            yield some


async def _index(store: Store, own: PartitionKeys, using: Seal) -> _Index:
    hashes = (own.counts, own.bin(0))
    commands: list[Command] = [(b"HGET", key, TOTAL) for key in hashes]
    commands += [(b"LLEN", own.all), (b"LRANGE", own.all, 0, CHUNK - 1)]
    is_old, is_ours = False, True
    try:
        *packed, listed, first = await store.run(commands)
    except Damage:
        *packed, listed, first = [await _read_alone(store, each) for each in commands]
        is_old = listed is None and await _read_alone(store, (b"SCARD", own.all)) is not None
        sizes = [await _read_alone(store, (b"HLEN", key)) for key in hashes]
        is_ours = None not in sizes
        if listed is None:
            listed, first, is_ours = int(is_old), [], is_ours and is_old
    for key, each in zip(hashes, packed, strict=True):
        with contextlib.suppress(Damage):
            total = None if is_old else unpack_total(key, each, using)
            return _Index(total, listed, first, is_old, is_ours)
    return _Index(None, listed, first, is_old, is_ours)


async def _read_alone(store: Store, command: Command) -> Reply:
    """What a command finds; None also where something of another type lies there."""
    with contextlib.suppress(Damage):
        (found,) = await store.run([command])
        return found
    return None


async def _walk_partition(
    store: Store,
    own: PartitionKeys,
    using: Seal,
    handle: Handle,
    has_sets: bool,
    has_sums: bool,
) -> bool:
    index = await _index(store, own, using)
    total = index.total
    there = 0
    async for members in index.members(store, own):
        there += await handle([own.entry(member) for member in members], counted=True)
        if has_sets or has_sums:
            for chunk in _beside(own, members, has_sets=has_sets, has_sums=has_sums):
                await handle(chunk, counted=False)
    # Members are written before their entries, and `total` when all are.
    is_whole = index.listed > 0 if total is None else there >= total.entries
    if not is_whole:
        for family in _FAMILIES:
            counts = _Counts(store, own, using, family, index)
            with contextlib.suppress(Damage):  # of another type; the other family may have all
                async for chunk in counts.keys():
                    await handle(chunk, counted=False)
                is_whole = is_whole or (total is not None and await counts.are_whole(total))
    bins = own.bins(bins_of(index.entries))
    for at in range(0, len(bins), CHUNK):
        await handle(bins[at : at + CHUNK], counted=False)
    await handle([own.whole_sums], counted=False)
    return is_whole and index.is_ours


def _beside(
    own: PartitionKeys, members: Iterable[bytes], *, has_sets: bool = True, has_sums: bool = True
) -> Iterator[list[bytes]]:
    """The keys of sets and sums of the practices and providers of some members."""
    owners = _owners(members)
    others = [own.set(owner) for owner in owners] if has_sets else []
    if has_sums:
        others += [own.sums(each) for each in owners if each.startswith(b"p:")]
    for at in range(0, len(others), CHUNK):
        yield others[at : at + CHUNK]


class _Counts:
    """What a partition's counts lead to, by its practices or its providers.

    Args:
        store: the store.
        own: the partition's keys.
        using: the seal.
        family: what the names of its fields begin with.
        index: what the partition's index says of itself.
    """

    def __init__(
        self, store: Store, own: PartitionKeys, using: Seal, family: bytes, index: _Index
    ) -> None:
        self._store = store
        self._own = own
        self._using = using
        self._family = family
        self._index = index
        self._owners = self._members = 0
        self._is_sound = True
        self._unproven: dict[bytes, int] = {}  # sets that are gone or altered, and their folds

    async def keys(self) -> AsyncIterator[list[bytes]]:
        """Keys of entries, and then of what leads to them, in chunks."""
        own = self._own
        async for fields in self._fields():
            others: list[bytes] = []
            for owner, value in fields:
                others.append(own.set(owner))
                if owner.startswith(b"p:"):
                    others.append(own.sums(owner))
                async for members in self._members_of(owner, value):
                    yield [own.entry(member) for member in members]
                    for chunk in _beside(own, members):
                        yield chunk
            for at in range(0, len(others), CHUNK):
                yield others[at : at + CHUNK]

    async def _fields(self) -> AsyncIterator[list[tuple[bytes, bytes]]]:
        """Those of the family, and their values."""
        if self._family == b"p:":
            walked = walk_hash(self._store, self._own.counts)
        else:
            walked = walk_bins(self._store, self._own, self._index.entries)
        async for chunk in walked:
            yield [(owner, value) for _, owner, value in chunk if owner.startswith(self._family)]

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
        async for some in walk_set(self._store, self._own.set(field)):
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
            async for members in self._index.members(self._store, self._own):
                for member in members:
                    owner = _owner_of(member, self._family)
                    if owner in self._unproven:
                        self._unproven[owner] ^= fold(self._own.counts, [member], self._using)
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
