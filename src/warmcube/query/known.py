"""The index that a process has proven, and keeps while the snapshot lives. Does no I/O.

A version never changes, so an index set that has proven itself once needn't be read again: what it
names is **known**, and a read whose sets are all known takes one trip, in which the pointer says
that the snapshot is still the live one. That each entry is there, whole, and its owner's, is
proven by each fetch, as ever.

What is known lies under the name that was *asked for*, set by set, and only what a set's own lookup
has found: a partition that the snapshot lacks is looked up like another one, and then known to hold
nothing of these sets, just as one is that holds other people's rows only. So neither can be told
from the other by the work, be it the first time or the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from warmcube.entry.keys import PartitionName
from warmcube.model.scope import All, Scope
from warmcube.query.entries import Entries
from warmcube.query.ids import EntryIds
from warmcube.query.lookup import Target
from warmcube.query.plan import WHOLE, LookupPlan
from warmcube.query.snapshots import LiveSnapshot
from warmcube.store.api import Command
from warmcube.store.wire import pack_words

__all__ = ["Found", "KnownIndex", "Sets", "choose", "missing"]

Sets: TypeAlias = Mapping[bytes, Entries]
"""The entries of index sets, by their fields in ``counts``."""

LARGEST_SHARE: Final = 2
"""A set that takes more than one part in so many of the budget isn't kept."""
MOST_SCOPES: Final = 64
"""Of so many scopes of a partition what was chosen for them is kept."""
_PARTITION_BYTES: Final = 1000
_SET_BYTES: Final = 500
_ID_BYTES: Final = 100


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of one partition.

    Attributes:
        target: where, and what was wanted.
        entries: the wanted entries, in the order of their members.
        commands: what fetches them.
        sets: how many index sets were looked up for it.
        ids: of the entries.
    """

    target: Target
    entries: Entries
    commands: Sequence[Command]
    sets: int = 0
    ids: EntryIds = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", EntryIds(self.entries.codes))

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes beside the sets that it was chosen from."""
        boxes = self.target.plan.scope.boxes
        ids = sum(
            _ID_BYTES * len(each) + 4 * sum(map(len, each))
            for box in boxes
            for each in (box.practices, box.providers)
            if not isinstance(each, All)
        )
        lists = 2 * len(self.entries.wire) + 96 * len(self.entries.keys)
        own = 4 * len(self.target.own.all)  # in each of its keys
        return _SET_BYTES + own + ids + lists


@dataclass(slots=True, eq=False)
class _Partition:
    """What is known of one partition."""

    sets: dict[bytes, Entries] = field(default_factory=dict)
    chosen: dict[Scope, Found] = field(default_factory=dict)
    size: int = _PARTITION_BYTES
    is_used: bool = False


class KnownIndex:
    """What is known of all partitions, within a budget; the least used are forgotten first.

    Args:
        budget: bytes; 0 keeps nothing.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._lives: dict[int, LiveSnapshot] = {}
        # In the order in which they are passed over.
        self._partitions: dict[tuple[int, PartitionName], _Partition] = {}
        self._bytes = 0

    @property
    def size(self) -> int:
        """Bytes that count against the budget."""
        return self._bytes

    def sets(self, datasource: int, live: LiveSnapshot, name: PartitionName) -> Sets:
        """What is known of a partition in a snapshot; that of another one is forgotten."""
        found = self._partition(datasource, live, name)
        return {} if found is None else found.sets

    def chosen(
        self, datasource: int, live: LiveSnapshot, name: PartitionName, scope: Scope
    ) -> Found | None:
        """What was chosen for a scope the last time, if it is kept."""
        found = self._partition(datasource, live, name)
        return None if found is None else found.chosen.get(scope)

    def learn(self, datasource: int, live: LiveSnapshot, name: PartitionName, sets: Sets) -> None:
        """Keep what was proven of some sets."""
        if self._lives.get(datasource) is not live:
            self.forget(datasource)
            self._lives[datasource] = live
        key = (datasource, name)
        found = self._partitions.get(key)
        if found is None:
            found = self._partitions[key] = _Partition(size=_PARTITION_BYTES + _name_bytes(name))
            self._bytes += found.size
        for each, entries in sets.items():
            size = _SET_BYTES + len(each) + entries.size
            if each not in found.sets and LARGEST_SHARE * size <= self._budget:
                found.sets[each] = entries
                self._grow(found, size)
        self._make_room()

    def keep(self, datasource: int, live: LiveSnapshot, name: PartitionName, found: Found) -> None:
        """Keep what was chosen for a scope, while what it was chosen from is known."""
        partition = self._partition(datasource, live, name)
        size = found.size
        scope = found.target.plan.scope
        if partition is None or LARGEST_SHARE * size > self._budget or scope in partition.chosen:
            return
        if len(partition.chosen) >= MOST_SCOPES:
            oldest = partition.chosen.pop(next(iter(partition.chosen)))
            self._grow(partition, -oldest.size)
        partition.chosen[scope] = found
        self._grow(partition, size)
        self._make_room()

    def _partition(
        self, datasource: int, live: LiveSnapshot, name: PartitionName
    ) -> _Partition | None:
        if self._lives.get(datasource) is not live:
            self.forget(datasource)
            return None
        found = self._partitions.get((datasource, name))
        if found is not None:
            found.is_used = True
        return found

    def _grow(self, partition: _Partition, size: int) -> None:
        partition.size += size
        self._bytes += size

    def forget(self, datasource: int) -> None:
        """Forget all of a data source."""
        self._lives.pop(datasource, None)
        for key in [key for key in self._partitions if key[0] == datasource]:
            self._bytes -= self._partitions.pop(key).size

    def _make_room(self) -> None:
        while self._bytes > self._budget:
            key = next(iter(self._partitions))
            oldest = self._partitions.pop(key)
            if oldest.is_used:
                oldest.is_used = False
                self._partitions[key] = oldest
            else:
                self._bytes -= oldest.size


def _name_bytes(name: PartitionName) -> int:
    """Whoever asks can make up long ones."""
    return 4 * (len(name.measure or "") + len(name.frequency or ""))


def missing(plan: LookupPlan, sets: Sets) -> LookupPlan | None:
    """What is left to be looked up; None where all is known."""
    if plan.whole:
        return None if WHOLE in sets else plan
    practices = tuple([field for field in plan.practices if field not in sets])
    providers = tuple([field for field in plan.providers if field not in sets])
    if not practices and not providers:
        return None
    return LookupPlan(plan.scope, practices, providers)


def choose(plan: LookupPlan, sets: Sets) -> Sequence[Entries]:
    """The wanted entries, in the order of their members.

    Args:
        plan: what they were looked up for.
        sets: all of the plan's.
    """
    if plan.whole:
        return [sets[WHOLE]]
    if not plan.providers and all(isinstance(box.providers, All) for box in plan.scope.boxes):
        # Of each practice all: nothing to leave out, and none stands between two of another's.
        fields = sorted(plan.practices, key=_before_members)
        return [found for field in fields if (found := sets[field]).keys]
    allows = plan.scope.allows
    wanted: dict[bytes, tuple[Entries, int]] = {}
    for name in plan.fields:
        entries = sets[name]
        for at, member in enumerate(entries.members):
            if allows(member.practice, member.provider):
                wanted[entries.keys[at]] = (entries, at)
    return _in_order(wanted)


def _before_members(field: bytes) -> bytes:
    """Sorts as what all members of a practice's set begin with."""
    return field + b":"


def _in_order(wanted: Mapping[bytes, tuple[Entries, int]]) -> Sequence[Entries]:
    """Entries out of several sets, by their keys."""
    keys = sorted(wanted)
    if not keys:
        return []
    places = [wanted[key] for key in keys]
    return [
        Entries(
            keys,
            [entries.members[at] for entries, at in places],
            b"".join([entries.codes[16 * at : 16 * at + 16] for entries, at in places]),
            [entries.prepared[at] for entries, at in places],
            pack_words(keys),
        )
    ]
