"""Looking up and fetching the entries of one partition, every answer proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.entry.counts import (
    INLINE_MEMBERS,
    TOTAL,
    SetCount,
    Total,
    bin_of,
    bins_of,
    fold,
    unpack_set,
    unpack_total,
)
from warmcube.entry.keys import Keys, Member, PartitionKeys, Version
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.scope import Scope
from warmcube.query.plan import (
    LONG_SET,
    WHOLE,
    LookupPlan,
    members_within,
    prove_sets,
    prove_whole,
)
from warmcube.store.api import Command, Reply, Store
from warmcube.store.walks import list_trips, walk_list

__all__ = [
    "CHUNK",
    "Lookup",
    "PointerMoved",
    "Target",
    "average_bytes",
    "check_pointer",
    "check_total",
    "count_commands",
    "look_up",
    "look_up_each",
    "most_at_once",
    "split_counts",
    "unpack_counts",
]

CHUNK: Final = 1000
CHUNK_BYTES: Final = 4 << 20
_PROVIDER: Final = b"prov:"


class PointerMoved(Exception):
    """The live snapshot is another one than the read was planned on."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a lookup found.

    Attributes:
        found: the members of each set by its field, proven complete; the whole partition's by
            ``WHOLE``.
        scope: those that are wanted of them.
        sets: how many index sets were asked for.
        trips: how many trips to the store it took.
    """

    found: Mapping[bytes, Mapping[bytes, Member]]
    scope: Scope
    sets: int
    trips: int

    @property
    def members(self) -> dict[bytes, Member]:
        """The wanted entries."""
        return members_within(self.found.values(), self.scope)


def check_pointer(current: bytes | None, version: Version) -> None:
    """Compare by inequality: what is live may be older, after a roll-back.

    Raises:
        PointerMoved: if another snapshot is live, or none.
    """
    if current != str(version).encode():
        raise PointerMoved


@dataclass(frozen=True, slots=True)
class Target:
    """One partition in which something is to be looked up.

    Attributes:
        own: its keys.
        partition: what the manifest says of it.
        plan: what to look up.
        is_absent: whether the snapshot has no such partition: `partition` is another one then, and
            all that is done is the same work.
    """

    own: PartitionKeys
    partition: Partition
    plan: LookupPlan
    is_absent: bool = False


async def look_up(store: Store, keys: Keys, live: Version, target: Target, using: Seal) -> Lookup:
    """Find the wanted entries of a partition, one trip where the sets aren't very long.

    Args:
        store: the store.
        keys: of the data source.
        live: the snapshot that the read was planned on.
        target: where, and what.
        using: the seal.

    Raises:
        PointerMoved: another snapshot is live.
        Damage: what was found doesn't prove itself.
    """
    (found,) = await look_up_each(store, keys, live, [target], using)
    return found


async def look_up_each(
    store: Store, keys: Keys, live: Version, targets: Sequence[Target], using: Seal
) -> list[Lookup]:
    """The same in several partitions, all in one trip."""
    commands: list[Command] = []
    first, ends = [], []
    for target in targets:
        before = len(commands)
        commands += _set_commands(target)
        first.append(len(commands) - before)
        commands += count_commands(target.own, target.partition, target.plan.fields)
        ends.append(len(commands))
    commands.append((b"GET", keys.current))
    replies = await store.run(commands)
    check_pointer(replies[-1], live)
    starts = (0, *ends)
    return [
        await _proven(store, target, replies[start:end], some, using)
        for target, start, end, some in zip(targets, starts[:-1], ends, first, strict=True)
    ]


def _set_commands(target: Target) -> list[Command]:
    """What reads the sets that aren't too long for it."""
    own, partition, plan = target.own, target.partition, target.plan
    if plan.whole:
        return [] if partition.entries > LONG_SET else [(b"LRANGE", own.all, 0, partition.entries)]
    return [
        (b"SUNION", *part)
        for family, largest in _families(plan, partition)
        for part in _unions(own, family, largest)
    ]


async def _proven(
    store: Store, target: Target, replies: Sequence[Reply], sets: int, using: Seal
) -> Lookup:
    """What one partition's replies say; the first of them are of so many commands for sets."""
    own, partition, plan = target.own, target.partition, target.plan
    if plan.whole:
        return await _proven_whole(store, target, replies, sets, using)
    if target.is_absent:
        nothing: dict[bytes, dict[bytes, Member]] = {field: {} for field in plan.fields}
        return Lookup(nothing, plan.scope, len(plan.fields), 1)
    counts = unpack_counts(own, plan.fields, replies[sets:], partition, using)
    practices, providers, more = await _members(store, own, plan, partition, counts, replies)
    found = prove_sets(
        plan, counts, practices, providers, lambda members: fold(own.counts, members, using)
    )
    return Lookup(found, plan.scope, len(plan.fields), 1 + more)


async def _proven_whole(
    store: Store, target: Target, replies: Sequence[Reply], sets: int, using: Seal
) -> Lookup:
    own, partition, trips = target.own, target.partition, 1
    unpack_counts(own, (), replies[sets:], partition, using)
    if sets:
        members = replies[0]
    else:
        members = []
        async for some in walk_list(store, own.all, partition.entries + 1):
            members += some
        trips += list_trips(partition.entries + 1)
    proven = {WHOLE: prove_whole(members, partition.entries)}
    return Lookup(proven, target.plan.scope, 1, trips)


def _families(plan: LookupPlan, partition: Partition) -> list[tuple[Sequence[bytes], int]]:
    return [
        (plan.practices, partition.largest_practice),
        (plan.providers, partition.largest_provider),
    ]


def _unions(own: PartitionKeys, fields: Sequence[bytes], largest: int) -> list[list[bytes]]:
    """The sets of a family in groups whose union isn't too long; none where all are inlined or
    one alone may be too long.
    """
    if not fields or largest <= INLINE_MEMBERS or largest > LONG_SET:
        return []
    size = max(1, min(CHUNK, LONG_SET // largest))
    sets = [own.set(field) for field in fields]
    return [sets[at : at + size] for at in range(0, len(sets), size)]


def count_commands(
    own: PartitionKeys, partition: Partition, fields: Sequence[bytes]
) -> list[Command]:
    """What reads some fields of a partition's counts, with the totals of the hashes they are in."""
    commands: list[Command] = []
    for key, some in _by_hash(own, partition, fields).items():
        wanted = (TOTAL, *some)
        commands += [
            (b"HMGET", key, *wanted[at : at + CHUNK]) for at in range(0, len(wanted), CHUNK)
        ]
        commands.append((b"HLEN", key))
    return commands


def _by_hash(
    own: PartitionKeys, partition: Partition, fields: Sequence[bytes]
) -> Mapping[bytes, Sequence[bytes]]:
    """Some fields by the key of the hash that they lie in; at least one hash."""
    if not any(each.startswith(_PROVIDER) for each in fields):
        return {own.counts: fields}
    among = bins_of(partition.entries)
    found: dict[bytes, list[bytes]] = {}
    for each in fields:
        if each.startswith(_PROVIDER):
            key = own.bin(bin_of(each[len(_PROVIDER) :], among))
        else:
            key = own.counts
        found.setdefault(key, []).append(each)
    return found


def unpack_counts(
    own: PartitionKeys,
    fields: Sequence[bytes],
    replies: Sequence[Reply],
    partition: Partition,
    using: Seal,
) -> dict[bytes, SetCount]:
    """What the replies to `count_commands` say; a field that isn't there has no members.

    Raises:
        Damage: they don't prove themselves.
    """
    values, totals = split_counts(own, fields, replies, partition)
    for key, packed, length in totals:
        check_total(unpack_total(key, packed, using), length, partition)
    return {
        field: unpack_set(own.counts, field, value, using)
        for field, value in values.items()
        if value is not None
    }


def split_counts(
    own: PartitionKeys, fields: Sequence[bytes], replies: Sequence[Reply], partition: Partition
) -> tuple[dict[bytes, bytes | None], list[tuple[bytes, bytes | None, int]]]:
    """The replies to `count_commands`, nothing of them proven.

    Returns:
        what lies under each field; and of each hash its key, its total and how many fields it has.
    """
    values: dict[bytes, bytes | None] = {}
    totals: list[tuple[bytes, bytes | None, int]] = []
    at = 0
    for key, some in _by_hash(own, partition, fields).items():
        end = at + 1 + len(some) // CHUNK
        total, *packed = [value for chunk in replies[at:end] for value in chunk]
        values |= zip(some, packed, strict=True)
        totals.append((key, total, replies[end]))
        at = end + 1
    return values, totals


def check_total(total: Total, fields: int, partition: Partition) -> None:
    """Whether a hash of a partition's counts is whole.

    Raises:
        Damage: they aren't.
    """
    if fields != total.fields:
        raise Damage(
            f"a partition's counts have {fields} fields where their total says {total.fields}"
        )
    if (total.entries, total.rows) != (partition.entries, partition.rows):
        raise Damage("a partition's total isn't what the manifest says")


async def _members(
    store: Store,
    own: PartitionKeys,
    plan: LookupPlan,
    partition: Partition,
    counts: Mapping[bytes, SetCount],
    replies: Sequence[Reply],
) -> tuple[set[bytes], set[bytes], int]:
    """Members of the sets with keys of their own, by family; how many further trips it took."""
    found: list[set[bytes]] = []
    at = trips = 0
    for family, largest in _families(plan, partition):
        members: set[bytes] = set()
        groups = len(_unions(own, family, largest))
        for reply in replies[at : at + groups]:
            members.update(reply)
        at += groups
        if largest > LONG_SET:
            for field in family:
                if field in counts and counts[field].members is None:
                    more, took = await _read_long_set(store, own.set(field))
                    members |= more
                    trips += took
        found.append(members)
    return found[0], found[1], trips


async def _read_long_set(store: Store, key: bytes) -> tuple[set[bytes], int]:
    """All members of a set that isn't being written, with a cursor."""
    members: set[bytes] = set()
    cursor, trips = b"0", 0
    while True:
        ((cursor, some),) = await store.run([(b"SSCAN", key, cursor, b"COUNT", CHUNK)])
        members.update(some)
        trips += 1
        if cursor == b"0":
            return members, trips


def most_at_once(partition: Partition) -> int:
    """How many of a partition's entries one command may fetch."""
    return max(1, min(CHUNK, CHUNK_BYTES // average_bytes(partition)))


def average_bytes(partition: Partition) -> int:
    """Of an entry, about."""
    return max(1, partition.entry_bytes // max(1, partition.entries))
