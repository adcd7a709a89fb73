"""Which index sets a read looks up, and the proof that it found all of their members. Pure.

For each box of the scope the smaller family of sets is read, the practices' or the providers';
the box's other condition is applied to the members. Members of two sets of one family are never
the same, so the sum of the counts is the size of the union.

A set is proven by itself, since it may be known from then on (`warmcube.query.known`) and serve
reads that leave some of its members out, so that no fetch would prove these: it has as many members
as counted, and the folds match. The whole partition's set has no fold, and is read for a scope that
leaves nothing out, to fetch all of it; each fetch proves that its members are entries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from warmcube.entry.counts import SetCount
from warmcube.entry.keys import Member, parse_member, practice_field, provider_field
from warmcube.entry.manifest import Partition
from warmcube.errors import Damage
from warmcube.model.scope import All, Ids, Scope

__all__ = [
    "LONG_SET",
    "WHOLE",
    "LookupPlan",
    "fields_that_tell",
    "members_within",
    "plan_lookup",
    "prove_sets",
    "prove_whole",
]

WHOLE: Final = b""
"""In place of a set's field: the whole partition's set."""
LONG_SET: Final = 4000
"""A set, or a union, beyond this many members is read piece by piece, so that no command holds the
server for more than a few milliseconds."""


@dataclass(frozen=True, slots=True)
class LookupPlan:
    """What to look up.

    Attributes:
        scope: which members are wanted.
        practices: fields of practices' sets.
        providers: fields of providers' sets.
        whole: whether the whole partition's set is read instead.
    """

    scope: Scope
    practices: tuple[bytes, ...] = ()
    providers: tuple[bytes, ...] = ()
    whole: bool = False

    @property
    def fields(self) -> tuple[bytes, ...]:
        return self.practices + self.providers


def plan_lookup(scope: Scope, partition: Partition) -> LookupPlan:
    """The cheapest sets that together have every wanted member.

    Args:
        scope: not empty.
        partition: what the manifest says of it.
    """
    if scope.is_everything:
        return LookupPlan(scope, whole=True)
    # A provider's long set would take more trips the more practices of others are in it.
    may_be_long = partition.largest_provider > LONG_SET
    practices: dict[bytes, None] = {}
    providers: dict[bytes, None] = {}
    for box in scope.boxes:
        by_practice = _expected(box.practices, partition.entries, partition.practices)
        by_provider = _expected(box.providers, partition.entries, partition.providers)
        if by_practice <= by_provider or (may_be_long and not isinstance(box.practices, All)):
            practices |= dict.fromkeys(_fields(box.practices, practice_field))
        else:
            providers |= dict.fromkeys(_fields(box.providers, provider_field))
    return LookupPlan(scope, tuple(practices), tuple(providers))


def fields_that_tell(
    scope: Scope, *, by: Literal["practice", "provider"] | None = None
) -> tuple[bytes, ...] | None:
    """Fields of ``counts`` that are there just where a partition has rows of a scope.

    Args:
        scope: neither empty nor everything.
        by: whose ids the fields must name; None takes both families.

    Returns:
        those of practices first, as `LookupPlan.fields` has them; None if the fields alone can't
        tell: where a box restricts both practices and providers, or not those that they must name.
    """
    practices: dict[bytes, None] = {}
    providers: dict[bytes, None] = {}
    for box in scope.boxes:
        if isinstance(box.providers, All) and by != "provider":
            practices |= dict.fromkeys(_fields(box.practices, practice_field))
        elif isinstance(box.practices, All) and by != "practice":
            providers |= dict.fromkeys(_fields(box.providers, provider_field))
        else:
            return None
    return (*practices, *providers)


def _expected(ids: Ids, entries: int, distinct: int) -> float:
    """How many members the sets of some ids will have, if all sets are of one size."""
    if isinstance(ids, All):
        return math.inf
    return len(ids) * entries / max(1, distinct)


def _fields(ids: Ids, field_of: Callable[[str], bytes]) -> list[bytes]:
    return [] if isinstance(ids, All) else [field_of(each) for each in sorted(ids)]


def prove_whole(members: Sequence[bytes], entries: int) -> dict[bytes, Member]:
    """The members of a whole partition, each of which must then be fetched.

    Args:
        members: what the store gave.
        entries: how many the partition's total says there are.

    Raises:
        Damage: if they aren't all.
    """
    different = len(set(members))
    if not different == len(members) == entries:
        raise Damage(
            f"a partition's list has {len(members)} members, {different} of them different, its "
            f"total says {entries}"
        )
    return {member: parse_member(member) for member in members}


def prove_sets(
    plan: LookupPlan,
    counts: Mapping[bytes, SetCount],
    of_practices: Collection[bytes],
    of_providers: Collection[bytes],
    fold: Callable[[Collection[bytes]], int],
) -> dict[bytes, dict[bytes, Member]]:
    """The members of each set that was looked up, within the scope or not.

    Args:
        plan: what was looked up.
        counts: by field, what ``counts`` says of each set; a field that it lacks has no members.
        of_practices: the union of those practices' sets that have a key of their own.
        of_providers: of those providers' sets.
        fold: of members, as their counts have it.

    Raises:
        Damage: if a member isn't of a set that was looked up, or a set hasn't just the members
            that were put there.
    """
    found: dict[bytes, dict[bytes, Member]] = {field: {} for field in plan.fields}
    for field in plan.fields:
        count = counts.get(field)
        if count is not None and count.members is not None:
            found[field] = {member: parse_member(member) for member in count.members}
    for members, fields, field_of in (
        (of_practices, plan.practices, lambda member: practice_field(member.practice)),
        (of_providers, plan.providers, lambda member: provider_field(member.provider)),
    ):
        _divide(members, counts, fields, field_of, found)
        _prove_fold(members, counts, fields, fold)
    return found


def members_within(sets: Iterable[Mapping[bytes, Member]], scope: Scope) -> dict[bytes, Member]:
    """Those members of some sets that a scope allows."""
    if scope.is_everything:
        return {name: member for members in sets for name, member in members.items()}
    return {
        name: member
        for members in sets
        for name, member in members.items()
        if scope.allows(member.practice, member.provider)
    }


def _prove_fold(
    members: Collection[bytes],
    counts: Mapping[bytes, SetCount],
    fields: Sequence[bytes],
    fold: Callable[[Collection[bytes]], int],
) -> None:
    folded = 0
    for field in fields:
        if field in counts:
            folded ^= counts[field].folded
    if fold(members) != folded:
        raise Damage("an index set has a member that was never put there")


def _divide(
    members: Collection[bytes],
    counts: Mapping[bytes, SetCount],
    fields: Sequence[bytes],
    field_of: Callable[[Member], bytes],
    found: dict[bytes, dict[bytes, Member]],
) -> None:
    """Put the members of one family's sets where they belong: as many into each as counted."""
    counted = {
        field: counts[field].size
        for field in fields
        if field in counts and counts[field].members is None
    }
    for name in members:
        member = parse_member(name)
        field = field_of(member)
        if field not in counted:
            raise Damage("an index set has a member that belongs to another set")
        found[field][name] = member
    total = sum([len(found[field]) for field in counted])
    if total != sum(counted.values()):
        raise Damage(
            f"index sets have {total} members where their counts say {sum(counted.values())}"
        )
    if any(len(found[field]) != size for field, size in counted.items()):
        raise Damage("an index set hasn't as many members as its count says")
