"""Which index sets a lookup reads, and what it takes for proof."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.counts import SetCount, fold, member_from, pack_set, unpack_set
from warmcube.entry.keys import (
    Member,
    Version,
    member_of,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Checksum
from warmcube.errors import Damage
from warmcube.model.scope import ALL, Box, Ids, Scope
from warmcube.query.plan import (
    LONG_SET,
    LookupPlan,
    fields_that_tell,
    members_within,
    plan_lookup,
    prove_sets,
    prove_whole,
)

KEY = b"counts"
USING = Checksum()
SOME_PRACTICES = frozenset({"1", "2"})
NAMES = ["1", "2", "3", "a b", ""]


def a_partition(
    entries: int, practices: int, providers: int, largest_provider: int = 0
) -> Partition:
    """A partition of which only these figures matter."""
    return Partition(
        version=Version(1, "0" * 16),
        layout=0,
        entries=entries,
        rows=entries,
        practices=practices,
        providers=providers,
        largest_practice=0,
        largest_provider=largest_provider,
        entry_bytes=0,
        index_bytes=0,
        earliest=None,
        latest=None,
        largest={},
        as_of_ms=0,
    )


def ids(*names: str) -> frozenset[str]:
    """Some ids."""
    return frozenset(names)


def scope_of(*boxes: tuple[Ids, Ids]) -> Scope:
    """A scope of boxes."""
    return Scope(tuple(Box(*box) for box in boxes))


PARTITION = a_partition(entries=600, practices=10, providers=100)
"""60 members to a practice, 6 to a provider."""


@pytest.mark.parametrize(
    ("boxes", "practices", "providers"),
    [
        ([(ids("1"), ALL)], ["1"], []),
        ([(ALL, ids("5"))], [], ["5"]),
        ([(ids("1"), ids(*map(str, range(9))))], [], [str(n) for n in range(9)]),
        ([(ids("1"), ids(*map(str, range(10))))], ["1"], []),
        ([(ids("1"), ids(*map(str, range(11))))], ["1"], []),
        ([(ids("2", "10", "1"), ALL)], ["1", "10", "2"], []),
        ([(ids("1"), ALL), (ids("2"), ids("5"))], ["1"], ["5"]),
        ([(ids("1", "2"), ALL), (ids("2", "3"), ALL)], ["1", "2", "3"], []),
        ([(ids("1"), ids("5", "6")), (ids("2"), ids("6", "7"))], [], ["5", "6", "7"]),
    ],
)
def test_the_smaller_family_of_sets_is_read(
    boxes: list[tuple[Ids, Ids]], practices: list[str], providers: list[str]
) -> None:
    """For each box the one that promises fewer members, practices where it makes no difference.

    Each set is read once, in a stable order.
    """
    scope = scope_of(*boxes)
    plan = plan_lookup(scope, PARTITION)
    assert plan == LookupPlan(
        scope,
        tuple(practice_field(each) for each in practices),
        tuple(provider_field(each) for each in providers),
        whole=False,
    )
    assert plan.fields == (*plan.practices, *plan.providers)


def test_a_scope_of_everything_reads_the_whole_set() -> None:
    """It, and only it: two boxes that only together leave nothing out are looked up."""
    scope = scope_of((ids("1"), ALL), (ALL, ALL))
    assert plan_lookup(scope, PARTITION) == LookupPlan(scope, (), (), whole=True)
    assert plan_lookup(scope, PARTITION).fields == ()
    assert not plan_lookup(scope_of((ids("1"), ALL), (ALL, ids("5"))), PARTITION).whole


def test_a_partition_of_one_practice() -> None:
    """All of its members are that practice's, so few providers are the smaller family."""
    partition = a_partition(entries=10, practices=1, providers=10)
    plan = plan_lookup(scope_of((ids("1"), ids("5", "6", "7", "8", "9"))), partition)
    assert (plan.practices, len(plan.providers)) == ((), 5)


def test_an_empty_partition_can_be_planned() -> None:
    """Nothing is divided by the number of its practices."""
    scope = scope_of((ids("1"), ids("5")))
    assert plan_lookup(scope, a_partition(0, 0, 0)).practices == (b"p:1",)


def test_a_providers_long_set_is_read_only_where_nothing_else_is() -> None:
    """How long it is hangs on other people's practices, and so would the number of trips."""

    def fields(boxes: list[tuple[Ids, Ids]], largest_provider: int) -> tuple[bytes, ...]:
        partition = a_partition(100_000, 10, 1_000, largest_provider)
        return plan_lookup(scope_of(*boxes), partition).fields

    one: list[tuple[Ids, Ids]] = [(ids("1"), ids("1"))]
    assert LONG_SET == 4000
    assert fields(one, LONG_SET) == (b"prov:1",)
    assert fields(one, LONG_SET + 1) == (b"p:1",)
    assert fields([(ALL, ids("1"))], LONG_SET + 1) == (b"prov:1",)
    assert fields([(ids("1"), ALL)], LONG_SET + 1) == (b"p:1",)


@pytest.mark.parametrize(
    ("boxes", "either", "practice", "provider"),
    [
        ([(ids("2", "1"), ALL)], (b"p:1", b"p:2"), (b"p:1", b"p:2"), None),
        ([(ALL, ids("2", "1"))], (b"prov:1", b"prov:2"), None, (b"prov:1", b"prov:2")),
        ([(ids("1"), ids("1"))], None, None, None),
        ([(ids("1"), ALL), (ALL, ids("1"))], (b"p:1", b"prov:1"), None, None),
        ([(ALL, ids("1")), (ids("1"), ALL)], (b"p:1", b"prov:1"), None, None),
        ([(ids("1"), ALL), (ids("1", "2"), ids("1"))], None, None, None),
        ([(ids("1"), ALL), (ids("1", "2"), ALL)], (b"p:1", b"p:2"), (b"p:1", b"p:2"), None),
    ],
)
def test_fields_that_tell(
    boxes: list[tuple[Ids, Ids]],
    either: tuple[bytes, ...] | None,
    practice: tuple[bytes, ...] | None,
    provider: tuple[bytes, ...] | None,
) -> None:
    """Counts tell whether there are rows, and whose, unless a box restricts both families."""
    scope = scope_of(*boxes)
    assert fields_that_tell(scope) == either
    assert fields_that_tell(scope, by="practice") == practice
    assert fields_that_tell(scope, by="provider") == provider


class Index:
    """A partition's index, as a warm writes it, with room for few members in a count."""

    def __init__(self, members: Iterable[bytes], is_inlined: Callable[[int], bool]) -> None:
        self.members = {member: parse_member(member) for member in members}
        self.sets: dict[bytes, set[bytes]] = {}
        for member, parsed in self.members.items():
            for field in (practice_field(parsed.practice), provider_field(parsed.provider)):
                self.sets.setdefault(field, set()).add(member)
        self.counts = {
            field: SetCount(len(found), tuple(sorted(found)))
            if is_inlined(len(found))
            else SetCount(len(found), None, fold(KEY, found, USING))
            for field, found in self.sets.items()
        }

    def union(self, fields: Iterable[bytes]) -> set[bytes]:
        """What SUNION of the sets with keys of their own gives."""
        return {
            member
            for field in fields
            if field in self.counts and self.counts[field].members is None
            for member in self.sets[field]
        }

    def prove(self, plan: LookupPlan, **tampered: Collection[bytes]) -> dict[bytes, Member]:
        """What a lookup makes of the index, or of what somebody made of it."""
        sets = prove_sets(
            plan,
            {field: count for field, count in self.counts.items() if field in plan.fields},
            tampered.get("practices", self.union(plan.practices)),
            tampered.get("providers", self.union(plan.providers)),
            lambda members: fold(KEY, members, USING),
        )
        return members_within(sets.values(), plan.scope)


names = st.sampled_from(NAMES)
owners = st.tuples(st.none() | names, st.none() | names, st.integers(0, 2))
some = st.just(ALL) | st.frozensets(names, min_size=1)
scopes = st.lists(st.builds(Box, some, some), min_size=1, max_size=3).map(Scope.of)


@given(st.lists(owners, unique=True), scopes, st.integers(0, 4), st.integers(1, 9))
def test_a_lookup_finds_what_the_scope_allows(
    entries: list[tuple[str | None, str | None, int]], scope: Scope, inlined: int, providers: int
) -> None:
    """Whatever sets are read, inlined or not: every wanted member, and no other."""
    index = Index([member_of(*entry) for entry in entries], lambda size: size <= inlined)
    plan = plan_lookup(scope, a_partition(len(entries), 3, providers))
    wanted = {
        member_of(practice, provider, part): Member(practice, provider, part)
        for practice, provider, part in entries
        if any(
            (box.practices is ALL or practice in box.practices)
            and (box.providers is ALL or provider in box.providers)
            for box in scope.boxes
        )
    }
    if plan.whole:
        assert prove_whole(sorted(index.members), len(entries)) == index.members == wanted
    else:
        assert index.prove(plan) == wanted


MEMBERS = [member_of(p, v) for p in ("1", "2", "3") for v in ("5", "6", "7", None)]
INDEX = Index(MEMBERS, lambda _size: False)
ONE = LookupPlan(scope_of((ids("1"), ALL)), practices=(b"p:1",))
PART = LookupPlan(scope_of((ids("1", "2"), ids("5"))), practices=(b"p:1", b"p:2"))
BOTH = LookupPlan(
    scope_of((ids("1"), ALL), (ids("3"), ids("6", "7"))),
    practices=(b"p:1",),
    providers=(b"prov:6", b"prov:7"),
)
ELSEWHERE = "an index set has a member that belongs to another set"
NEVER = "an index set has a member that was never put there"


def test_nothing_is_tampered_with() -> None:
    """The plans that follow find what they should."""
    assert set(INDEX.prove(ONE)) == set(MEMBERS[:4])
    assert set(INDEX.prove(PART)) == {b"p:1:prov:5", b"p:2:prov:5"}
    assert set(INDEX.prove(BOTH)) == {*MEMBERS[:4], b"p:3:prov:6", b"p:3:prov:7"}


@pytest.mark.parametrize(
    ("plan", "tampered", "message"),
    [
        (ONE, {"practices": MEMBERS[1:4]}, "index sets have 3 members where their counts say 4"),
        (ONE, {"practices": []}, "index sets have 0 members where their counts say 4"),
        (
            ONE,
            {"practices": [*MEMBERS[:4], b"p:1:prov:9"]},
            "index sets have 5 members where their counts say 4",
        ),
        (ONE, {"practices": [*MEMBERS[:3], b"p:2:prov:5"]}, ELSEWHERE),
        (ONE, {"practices": [*MEMBERS[:3], b"p:~:prov:5"]}, ELSEWHERE),
        (ONE, {"providers": [b"p:1:prov:5"]}, ELSEWHERE),
        (BOTH, {"practices": [*MEMBERS[:3], b"p:3:prov:6"]}, ELSEWHERE),
        (BOTH, {"providers": [*MEMBERS[1::4], *MEMBERS[2::4][:2], b"p:3:prov:5"]}, ELSEWHERE),
        (
            BOTH,
            {"providers": MEMBERS[1::4]},
            "index sets have 3 members where their counts say 6",
        ),
        (PART, {"practices": [*MEMBERS[:7], b"p:2:prov:9"]}, NEVER),
        (PART, {"practices": [b"p:1:prov:9", *MEMBERS[1:8]]}, NEVER),
        (BOTH, {"providers": [*MEMBERS[1::4], *MEMBERS[2::4][:2], b"p:9:prov:7"]}, NEVER),
        (BOTH, {"practices": [*MEMBERS[:3], b"p:1:prov:9"]}, NEVER),
        (ONE, {"practices": [*MEMBERS[:3], b"p:1"]}, "an index member can't be read (3 bytes)"),
    ],
)
def test_a_tampered_index_is_damage(plan: LookupPlan, tampered: Any, message: str) -> None:
    """Too few, too many, another set's, or one put in the place of another that is left out."""
    with pytest.raises(Damage) as caught:
        INDEX.prove(plan, **tampered)
    assert str(caught.value) == message


def test_a_member_in_the_place_of_a_wanted_one_is_damage() -> None:
    """Also where every member is wanted: the set may serve reads that don't fetch this one."""
    with pytest.raises(Damage, match=NEVER):
        INDEX.prove(ONE, practices=[*MEMBERS[:3], b"p:1:prov:9"])


def test_each_set_is_proven_by_itself() -> None:
    """One with a member too many doesn't make up for another that lacks one."""
    plan = LookupPlan(scope_of((ids("1", "2"), ALL)), practices=(b"p:1", b"p:2"))
    found = prove_sets(
        plan, INDEX.counts, MEMBERS[:8], (), lambda members: fold(KEY, members, USING)
    )
    assert {name: set(members) for name, members in found.items()} == {
        b"p:1": set(MEMBERS[:4]),
        b"p:2": set(MEMBERS[4:8]),
    }
    with pytest.raises(Damage, match="hasn't as many members as its count says"):
        INDEX.prove(plan, practices=[*MEMBERS[:3], b"p:2:prov:9", *MEMBERS[4:8]])


def test_a_set_that_isnt_counted_has_no_members() -> None:
    """A practice without rows; a set under its name is another's or damage."""
    plan = LookupPlan(scope_of((ids("1", "9"), ids("5"))), practices=(b"p:9", b"p:1"))
    assert set(INDEX.prove(plan)) == {b"p:1:prov:5"}
    with pytest.raises(Damage, match="belongs to another set"):
        INDEX.prove(plan, practices=[*MEMBERS[:3], b"p:9:prov:5"])


def test_inlined_members_need_no_set() -> None:
    """What somebody put into a set that has no key of its own isn't believed."""
    index = Index(MEMBERS, lambda _size: True)
    assert index.union(BOTH.practices) == set()
    assert index.prove(PART) == INDEX.prove(PART)
    assert index.prove(BOTH) == INDEX.prove(BOTH)
    with pytest.raises(Damage, match="belongs to another set"):
        index.prove(ONE, practices=[MEMBERS[0]])


def test_a_count_is_proven_against_the_stored_form() -> None:
    """Members, number and fold as they are packed into ``counts``."""
    many = [b"%d" % number for number in range(20)]
    members = {member_from(b"p:1", other) for other in many}
    count = unpack_set(KEY, b"p:1", pack_set(KEY, b"p:1", many, USING), USING)
    plan = LookupPlan(scope_of((ids("1"), ids("5"))), practices=(b"p:1",))
    assert set(Index(members, lambda _size: False).prove(plan)) == {b"p:1:prov:5"}
    assert count == SetCount(20, None, fold(KEY, members, USING))


def test_the_whole_list_is_proven_by_its_total() -> None:
    """As many different members as the total says, each readable."""
    assert prove_whole(MEMBERS, 12) == INDEX.members
    assert prove_whole([], 0) == {}
    for members, different, says in (
        (MEMBERS[1:], 11, 12),
        ([*MEMBERS[1:], MEMBERS[1]], 11, 12),
        ([*MEMBERS, MEMBERS[1]], 12, 12),
        (MEMBERS, 12, 13),
    ):
        with pytest.raises(Damage) as caught:
            prove_whole(members, says)
        assert str(caught.value) == (
            f"a partition's list has {len(members)} members, {different} of them different, its "
            f"total says {says}"
        )
    with pytest.raises(Damage, match="can't be read"):
        prove_whole([b"x"], 1)
