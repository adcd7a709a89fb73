"""`warmcube.query.known`: what is kept of a proven index, and what is chosen from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.memory import DATASOURCE, SCHEMA

from warmcube.entry.keys import (
    Keys,
    Member,
    PartitionName,
    Version,
    member_of,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Checksum, Mac, Seal
from warmcube.errors import Damage
from warmcube.model.scope import ALL, Box, Ids, Scope
from warmcube.query.entries import Entries, codes_of, describe, fetching
from warmcube.query.known import MOST_SCOPES, Found, KnownIndex, choose, missing
from warmcube.query.lookup import Target
from warmcube.query.plan import WHOLE, LookupPlan, plan_lookup
from warmcube.query.snapshots import LiveSnapshot
from warmcube.store.wire import PackedCommand, pack_words

NAME = PartitionName("m", "f")
OWN = Keys("", 1).partition(NAME, "1-0")
USING = Checksum()
PARTITION = Partition(
    version=Version(1, "0" * 16),
    layout=0,
    entries=10,
    rows=10,
    practices=3,
    providers=3,
    largest_practice=9,
    largest_provider=9,
    entry_bytes=0,
    index_bytes=0,
    earliest=None,
    latest=None,
    largest={},
    as_of_ms=0,
)


def a_snapshot() -> LiveSnapshot:
    """One that is like no other; what it holds doesn't matter here."""
    return LiveSnapshot(cast("Manifest", None), 0.0, 0.0, 0.0)


def described(members: Iterable[bytes], using: Seal = USING) -> Entries:
    """What is known of entries by their members."""
    return describe(OWN, {each: parse_member(each) for each in members}, SCHEMA, DATASOURCE, using)


def sets_of(members: Iterable[bytes]) -> dict[bytes, Entries]:
    """All index sets of a partition."""
    found: dict[bytes, set[bytes]] = {WHOLE: set(members)}
    for member in found[WHOLE]:
        parsed = parse_member(member)
        for field in (practice_field(parsed.practice), provider_field(parsed.provider)):
            found.setdefault(field, set()).add(member)
    return {field: described(some) for field, some in found.items()}


ids = st.sampled_from(["1", "2", "10", "11", "100"])
some: st.SearchStrategy[Ids] = st.just(ALL) | st.frozensets(ids, min_size=1)
scopes = st.lists(st.builds(Box, some, some), min_size=1, max_size=3).map(Scope.of)
owners = st.tuples(st.none() | ids, st.none() | ids, st.integers(0, 2))


@given(st.lists(owners, unique=True), scopes)
def test_what_is_chosen_is_what_the_scope_allows(
    entries: list[tuple[str | None, str | None, int]], scope: Scope
) -> None:
    """Every wanted entry once, in the order of the members, and no other."""
    members = [member_of(*entry) for entry in entries]
    plan = plan_lookup(scope, PARTITION)
    sets = sets_of(members)
    empty = described([])
    known = {field: sets.get(field, empty) for field in (*plan.fields, WHOLE)}
    chosen = Entries.join(choose(plan, known))
    wanted = sorted(
        each for each in members if scope.allows(parse_member(each)[0], parse_member(each)[1])
    )
    assert list(chosen.keys) == [OWN.entry(each) for each in wanted]
    assert list(chosen.members) == [parse_member(each) for each in wanted]
    assert list(chosen.prepared) == list(USING.prepare(chosen.keys))
    assert chosen.codes == codes_of(SCHEMA, DATASOURCE, chosen.members).tobytes()
    assert chosen.wire == pack_words(chosen.keys)


def test_only_what_is_missing_is_looked_up() -> None:
    """Of a plan those sets that aren't known; nothing where all are."""
    scope = Scope((Box(frozenset({"1", "2"}), ALL), Box(ALL, frozenset({"5"}))))
    plan = LookupPlan(scope, (b"p:1", b"p:2"), (b"prov:5",))
    none = described([])
    assert missing(plan, {}) == plan
    assert missing(plan, {b"p:1": none}) == LookupPlan(scope, (b"p:2",), (b"prov:5",))
    assert missing(plan, {b"p:1": none, b"p:2": none, b"prov:5": none}) is None
    whole = LookupPlan(Scope((Box(ALL, ALL),)), whole=True)
    assert missing(whole, {b"p:1": none}) == whole
    assert missing(whole, {WHOLE: none}) is None


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_entries_are_fetched_in_chunks(most: int) -> None:
    """Each command has at most so many keys; all of them together have all, in order."""
    pieces = [described([member_of("1", str(n)) for n in range(size)]) for size in (3, 1, 2, 5)]
    commands = fetching(pieces, most)
    assert [key for command in commands for key in command[1:]] == [
        key for piece in pieces for key in piece.keys
    ]
    assert {command[0] for command in commands} == {b"MGET"}
    assert max(len(command) for command in commands) <= most + 1
    for command in commands:
        assert isinstance(command, PackedCommand)
        assert command.wire.count(b"\r\n") == 1 + 2 * len(command)
    assert fetching([], most) == []


@pytest.mark.parametrize("using", [Checksum(), Mac(b"s" * 32)], ids=lambda each: each.name)
def test_entries_can_be_cut_and_joined(using: Seal) -> None:
    """Parts of entries, one behind the other, are the whole."""
    whole = described([member_of("1", str(n)) for n in range(7)], using)
    parts = [whole.part(at, at + 3) for at in range(0, 7, 3)]
    assert [len(part.keys) for part in parts] == [3, 3, 1]
    joined = Entries.join(parts)
    assert tuple(joined.keys) == tuple(whole.keys)
    assert tuple(joined.members) == tuple(whole.members)
    assert tuple(joined.prepared) == tuple(whole.prepared)
    assert (joined.codes, joined.wire) == (whole.codes, whole.wire)


@pytest.mark.parametrize("practice", ["x", "", "99999999999", "9" * 30])
def test_a_member_whose_id_its_column_cant_hold_is_damage(practice: str) -> None:
    """So that columns can be made of members at any time later."""
    with pytest.raises(Damage, match="can't hold"):
        described([member_of(practice, "1")])


def test_a_set_is_known_of_one_snapshot() -> None:
    """What is known of one isn't of another, and is forgotten when the other is asked for."""
    index, first, second = KnownIndex(1 << 20), a_snapshot(), a_snapshot()
    entries = described([member_of("1", "1")])
    index.learn(1, first, NAME, {b"p:1": entries})
    index.learn(2, second, NAME, {b"p:2": entries})
    assert index.sets(1, first, NAME) == {b"p:1": entries}
    assert index.sets(1, first, PartitionName("m", None)) == {}
    assert index.sets(2, second, NAME) == {b"p:2": entries}
    assert index.sets(1, second, NAME) == {}
    assert index.sets(1, first, NAME) == {}
    assert index.sets(2, second, NAME) == {b"p:2": entries}
    index.forget(2)
    assert index.sets(2, second, NAME) == {}
    assert index.size == 0


def test_what_was_chosen_is_kept_with_its_sets() -> None:
    """For equal scopes, of the same snapshot, while the partition is known; not too many."""
    index, live = KnownIndex(1 << 30), a_snapshot()
    sets = {b"p:1": described([member_of("1", "1")])}

    def found(number: int) -> Found:
        scope = Scope((Box(frozenset({"1"}), frozenset({str(number)})),))
        plan = LookupPlan(scope, (b"p:1",))
        pieces = choose(plan, sets)
        return Found(Target(OWN, PARTITION, plan), Entries.join(pieces), fetching(pieces, 10))

    index.keep(1, live, NAME, found(0))  # nothing is known of the partition
    assert index.chosen(1, live, NAME, found(0).target.plan.scope) is None
    index.learn(1, live, NAME, sets)
    before = index.size
    for number in (*range(MOST_SCOPES), 0):
        index.keep(1, live, NAME, found(number))
    full = index.size
    for number in range(MOST_SCOPES):
        assert index.chosen(1, live, NAME, found(number).target.plan.scope) == found(number)
    index.keep(1, live, NAME, found(MOST_SCOPES))
    assert index.chosen(1, live, NAME, found(0).target.plan.scope) is None
    assert before < index.size <= full + 100
    assert index.chosen(1, a_snapshot(), NAME, found(1).target.plan.scope) is None
    assert index.size == 0


def test_the_least_used_partitions_are_forgotten_first() -> None:
    """The budget holds, whatever is learned; what was asked for has a second chance."""
    index, live = KnownIndex(20_000), a_snapshot()
    names = [PartitionName(f"m{number}", None) for number in range(50)]
    entries = described([member_of("1", str(n)) for n in range(5)])
    for name in names:
        index.learn(1, live, name, {b"p:1": entries})
        index.sets(1, live, names[0])
        assert index.size <= 20_000
    known = [name for name in names if index.sets(1, live, name)]
    assert names[0] in known
    assert 1 < len(known) < 10
    assert names[-1] in known


def test_what_is_too_large_is_not_kept() -> None:
    """A set that takes most of the budget, and any at all without a budget."""
    entries = described([member_of("1", str(n)) for n in range(100)])
    live = a_snapshot()
    for budget in (0, 1000, entries.size):
        index = KnownIndex(budget)
        index.learn(1, live, NAME, {b"p:1": entries})
        assert index.sets(1, live, NAME) == {}
        assert index.size <= budget


def test_a_long_name_takes_room() -> None:
    """Whoever asks can make up names; what is known of them stays within the budget too."""
    index, live = KnownIndex(20_000), a_snapshot()
    plan = LookupPlan(Scope((Box(frozenset({"1"}), ALL),)), (b"p:1",))
    for number in range(10):
        name = PartitionName(f"{number}".zfill(1000), None)
        index.learn(1, live, name, {b"p:1": described([])})
        own = Keys("", 1).partition(name, "1-0")
        index.keep(1, live, name, Found(Target(own, PARTITION, plan), described([]), []))
    assert len(index._partitions) < 4


def test_nothing_is_told_by_what_is_known_of_nothing() -> None:
    """A set without members takes as much room in each partition: none can be told by that."""
    sizes = []
    for name in (NAME, PartitionName("n", "g")):
        index = KnownIndex(1 << 20)
        index.learn(1, a_snapshot(), name, {b"p:1": described([])})
        sizes.append(index.size)
    assert sizes[0] == sizes[1] > 0


def test_members_are_parsed() -> None:
    """What their columns are made of."""
    assert described([b"p:~:prov:5:part:2"]).members == (Member(None, "5", 2),)
