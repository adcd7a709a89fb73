"""What the index sets alone tell: whose rows a partition holds, and which partitions hold some.

Nothing is fetched here that would prove a member, so nothing is taken from a set without a fold:
for a scope that leaves nothing out the fields of ``counts`` are read, each of them sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from warmcube.entry.counts import TOTAL, bins_of, unpack_set, unpack_total
from warmcube.entry.keys import (
    Keys,
    PartitionKeys,
    PartitionName,
    Version,
    parse_field,
)
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.scope import Scope
from warmcube.query.lookup import (
    CHUNK,
    Target,
    check_pointer,
    check_total,
    count_commands,
    look_up,
    look_up_each,
    unpack_counts,
)
from warmcube.query.plan import LONG_SET, fields_that_tell, plan_lookup
from warmcube.store.api import Command, Store, pairs_of
from warmcube.store.walks import BINS

__all__ = ["Found", "FoundPartitions", "KeyRole", "find_ids", "find_partitions"]

KeyRole: TypeAlias = Literal["practice", "provider"]

WORDS: Final = 10_000
"""So many words of commands go into one trip over many partitions."""
FIRST_FIELDS: Final = 32
"""Most partitions that have rows of a scope show it in the first of its ids."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the index sets told.

    Attributes:
        ids: the practices or the providers with rows of the scope; None among them is NULL.
        members: how many entries these rows are in.
        sets: how many index sets were asked for.
        trips: to the store.
        whole: whether those of the whole partition were read.
    """

    ids: frozenset[str | None]
    members: int
    sets: int
    trips: int
    whole: bool = False


async def find_ids(
    store: Store, keys: Keys, live: Version, target: Target, role: KeyRole, using: Seal
) -> Found:
    """The practices, or the providers, that have rows of a scope in one partition.

    Args:
        store: the store.
        keys: of the data source.
        live: the snapshot that the read was planned on.
        target: where, and under which scope.
        role: which of the two.
        using: the seal.

    Raises:
        PointerMoved: another snapshot is live.
        Damage: what was found doesn't prove itself.
    """
    plan = target.plan
    if plan.whole:
        return await _find_all_ids(store, keys, live, target, role, using)
    fields = fields_that_tell(plan.scope, by=role)
    if fields is None:
        found = await look_up(store, keys, live, target, using)
        ids = frozenset(getattr(member, role) for member in found.members.values())
        return Found(ids, len(found.members), found.sets, found.trips)
    commands = [*count_commands(target.own, target.partition, fields), (b"GET", keys.current)]
    *replies, current = await store.run(commands)
    check_pointer(current, live)
    if target.is_absent:
        return Found(frozenset(), 0, len(fields), 1)
    counts = unpack_counts(target.own, fields, replies, target.partition, using)
    ids = frozenset(parse_field(field)[1] for field in counts)
    return Found(ids, sum(count.size for count in counts.values()), len(fields), 1)


async def _find_all_ids(
    store: Store, keys: Keys, live: Version, target: Target, role: KeyRole, using: Seal
) -> Found:
    """All of a partition's, each proven by its seal, and by their number to be all."""
    own, partition = target.own, target.partition
    is_long = role == "practice" and partition.practices > LONG_SET
    bins = own.bins(bins_of(partition.entries))
    hashes = [own.counts] if role == "practice" else bins
    first: list[Command] = (
        [(b"HSCAN", own.counts, 0, b"COUNT", CHUNK)]
        if is_long
        else [(b"HGETALL", key) for key in hashes[:BINS]]
    )
    *replies, current = await store.run([*first, (b"GET", keys.current)])
    check_pointer(current, live)
    trips = 1
    if is_long:
        ((cursor, pairs),) = replies
        values = pairs_of(pairs)
        while cursor != b"0":
            ((cursor, pairs),) = await store.run([(b"HSCAN", own.counts, cursor, b"COUNT", CHUNK)])
            values.update(pairs_of(pairs))
            trips += 1
        found = [values]
    else:
        for at in range(BINS, len(hashes), BINS):
            replies += await store.run([(b"HGETALL", key) for key in hashes[at : at + BINS]])
            trips += 1
        found = [pairs_of(reply) for reply in replies]
    ids: set[str | None] = set()
    for key, values in zip(hashes, found, strict=True):
        total = unpack_total(key, values.get(TOTAL), using)
        check_total(total, len(values), partition)
        del values[TOTAL]
        for field, value in values.items():
            unpack_set(own.counts, field, value, using)
            kind, each = parse_field(field)
            if kind == role:
                ids.add(each)
    if len(ids) != (partition.practices if role == "practice" else partition.providers):
        raise Damage(f"a partition's counts don't name as many {role}s as it has")
    return Found(frozenset(ids), partition.entries, 1, trips, whole=True)


@dataclass(frozen=True, slots=True)
class FoundPartitions:
    """Which partitions have rows of a scope.

    Attributes:
        names: theirs.
        sets: how many index sets were asked for in each.
        trips: to the store.
        whole: whether the manifest alone told.
    """

    names: tuple[PartitionName, ...]
    sets: int
    trips: int
    whole: bool = False


async def find_partitions(
    store: Store, keys: Keys, manifest: Manifest, scope: Scope, using: Seal
) -> FoundPartitions:
    """The partitions that have rows of a scope.

    All of them are looked at, whatever is wanted of them, so that the work tells nothing of those
    that hold other people's rows only.

    Args:
        store: the store.
        keys: of the data source.
        manifest: of the snapshot that the read was planned on.
        scope: not empty.
        using: the seal.

    Raises:
        PointerMoved: another snapshot is live.
        Damage: what was found doesn't prove itself.
    """
    live, partitions = manifest.version, manifest.partitions
    if scope.is_everything or not partitions:
        (current,) = await store.run([(b"GET", keys.current)])
        check_pointer(current, live)
        return FoundPartitions(tuple(partitions), 1, 1, whole=True)
    fields = fields_that_tell(scope)
    if fields is not None:
        return await _find_by_fields(store, keys, manifest, fields, using)
    found: list[PartitionName] = []
    trips = sets = 0
    targets = {
        name: Target(
            keys.partition(name, str(partition.version)), partition, plan_lookup(scope, partition)
        )
        for name, partition in partitions.items()
    }
    sizes = [4 + 2 * len(target.plan.fields) for target in targets.values()]
    for some in _trips(targets, sizes):
        lookups = await look_up_each(store, keys, live, [targets[name] for name in some], using)
        trips += 1 + sum(each.trips - 1 for each in lookups)
        for name, each in zip(some, lookups, strict=True):
            if each.members:
                found.append(name)
                sets += each.sets
    return FoundPartitions(tuple(found), sets, trips)


async def _find_by_fields(
    store: Store, keys: Keys, manifest: Manifest, fields: Sequence[bytes], using: Seal
) -> FoundPartitions:
    """Those whose counts have one of some fields; a few fields first, as they nearly always do."""
    undecided = {
        name: keys.partition(name, str(partition.version))
        for name, partition in manifest.partitions.items()
    }
    found: list[PartitionName] = []
    trips = 0
    for wanted in _stages(fields):
        for some in _trips(undecided, [4 + len(wanted)] * len(undecided)):
            read = [(name, undecided[name], manifest.partitions[name]) for name in some]
            for name in await _having(store, keys, manifest.version, read, wanted, using):
                found.append(name)
                del undecided[name]
            trips += 1
    return FoundPartitions(tuple(found), len(fields) * len(found), trips)


def _stages(fields: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    at, size = 0, FIRST_FIELDS
    while at < len(fields):
        yield fields[at : at + size]
        at, size = at + size, CHUNK


def _trips(names: Iterable[PartitionName], words: Sequence[int]) -> list[list[PartitionName]]:
    """Partitions by trip, each of about `WORDS` words."""
    trips: list[list[PartitionName]] = []
    room = 0
    for name, needed in zip(names, words, strict=True):
        if needed > room:
            trips.append([])
            room = max(WORDS, needed)
        trips[-1].append(name)
        room -= needed
    return trips


async def _having(
    store: Store,
    keys: Keys,
    live: Version,
    read: Sequence[tuple[PartitionName, PartitionKeys, Partition]],
    fields: Sequence[bytes],
    using: Seal,
) -> list[PartitionName]:
    """Those partitions whose counts have one of some fields, in one trip."""
    commands = [count_commands(own, partition, fields) for _, own, partition in read]
    *replies, current = await store.run(
        [*(command for each in commands for command in each), (b"GET", keys.current)]
    )
    check_pointer(current, live)
    found, at = [], 0
    for (name, own, partition), sent in zip(read, commands, strict=True):
        counts = unpack_counts(own, fields, replies[at : at + len(sent)], partition, using)
        at += len(sent)
        if counts:
            found.append(name)
    return found
