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
from warmcube.model.scope import All
from warmcube.query.entries import Entries
from warmcube.query.plan import WHOLE, LookupPlan
from warmcube.query.snapshots import LiveSnapshot
from warmcube.store.wire import pack_words

__all__ = ["KnownIndex", "Sets", "choose", "missing"]

Sets: TypeAlias = Mapping[bytes, Entries]
"""The entries of index sets, by their fields in ``counts``."""

LARGEST_SHARE: Final = 2
"""A set that takes more than one part in so many of the budget isn't kept."""
_PARTITION_BYTES: Final = 1000
_SET_BYTES: Final = 500


@dataclass(slots=True, eq=False)
class _Partition:
    """What is known of one partition."""

    sets: dict[bytes, Entries] = field(default_factory=dict)
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
        if self._lives.get(datasource) is not live:
            self.forget(datasource)
            return {}
        found = self._partitions.get((datasource, name))
        if found is None:
            return {}
        found.is_used = True
        return found.sets

    def learn(self, datasource: int, live: LiveSnapshot, name: PartitionName, sets: Sets) -> None:
        """Keep what was proven of some sets."""
        if self._lives.get(datasource) is not live:
            self.forget(datasource)
            self._lives[datasource] = live
        sizes = {
            each: _SET_BYTES + len(each) + entries.size
            for each, entries in sets.items()
            if LARGEST_SHARE * entries.size <= self._budget
        }
        key = (datasource, name)
        found = self._partitions.get(key)
        if found is None:
            found = self._partitions[key] = _Partition()
            self._bytes += found.size
        for each, size in sizes.items():
            if each not in found.sets:
                found.sets[each] = sets[each]
                found.size += size
                self._bytes += size
        self._make_room()

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
