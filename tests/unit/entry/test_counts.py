"""Counts: the proof of completeness can't be bent."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from warmcube.entry.counts import (
    INLINE_MEMBERS,
    SetCount,
    Total,
    bin_of,
    bins_of,
    fold,
    member_from,
    pack_set,
    pack_total,
    unpack_set,
    unpack_size,
    unpack_total,
)
from warmcube.entry.keys import member_of, parse_member, practice_field, provider_field
from warmcube.entry.seal import Checksum, seal, unseal
from warmcube.errors import Damage
from warmcube.warm.index import SPILL_BUCKETS

USING = Checksum()
ids = st.none() | st.text(st.characters(codec="utf-8"), max_size=5)


@given(ids, st.lists(st.tuples(ids, st.integers(0, 3)), unique=True, min_size=1, max_size=20))
def test_a_practice_set_round_trips(
    practice: str | None, others: list[tuple[str | None, int]]
) -> None:
    """Few members come back whole; of many the number and their fold."""
    field = practice_field(practice)
    members = [member_of(practice, provider, part) for provider, part in others]
    packed = [m.removeprefix(field + b":prov:").replace(b":part:", b"/") for m in members]
    found = unpack_set(b"k", field, pack_set(b"k", field, packed, USING), USING)
    if len(others) <= INLINE_MEMBERS:
        assert found == SetCount(len(others), tuple(members))
    else:
        folded = fold(b"k", reversed(members), USING)
        assert found == SetCount(len(others), None, folded)
        assert fold(b"k", members[:-1], USING) != folded
    assert all(parse_member(member).practice == practice for member in found.members or ())


@given(ids, ids, st.integers(0, 3))
def test_a_provider_set_names_whole_members(
    practice: str | None, provider: str | None, part: int
) -> None:
    """A provider's set holds its practices; both directions give the same member."""
    member = member_of(practice, provider, part)
    suffix = b"/%d" % part if part else b""
    by_practice = provider_field(provider).removeprefix(b"prov:") + suffix
    by_provider = practice_field(practice).removeprefix(b"p:") + suffix
    assert member_from(practice_field(practice), by_practice) == member
    assert member_from(provider_field(provider), by_provider) == member


def test_counts_are_stored_as_documented() -> None:
    """Up to 16 members stand in the count; of more their number and their fold."""
    few = [b"%d" % number for number in range(INLINE_MEMBERS)]
    assert INLINE_MEMBERS == 16
    body = bytes(unseal(USING, b"k p:1", pack_set(b"k", b"p:1", few, USING), "it"))
    assert body == b"16:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
    many = [*few, b"16/2"]
    members = [b"p:1:prov:%d" % number for number in range(16)] + [b"p:1:prov:16:part:2"]
    folded = 0
    for member in members:
        folded ^= int.from_bytes(USING(b"k", member)[::-1])
    body = bytes(unseal(USING, b"k p:1", pack_set(b"k", b"p:1", many, USING), "it"))
    assert body == b"17#%x" % folded
    summed = pack_set(b"k", b"p:1", few, USING, has_sums=True)
    assert (
        bytes(unseal(USING, b"k p:1", summed, "it")) == b"+16:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
    )
    assert fold(b"k", members, USING) == folded
    assert fold(b"k", [], USING) == 0
    total = pack_total(b"k", Total(1, 2, 3, 4, 5, 6), USING)
    assert unseal(USING, b"k total", total, "it") == b"".join(
        bytes([number, *[0] * 7]) for number in (1, 2, 3, 4, 5, 6)
    )


def test_a_member_with_any_bytes_is_inlined() -> None:
    """What the seal vouches for is split at its commas, and read to its end."""
    body = b"2:a\nb,c"
    found = unpack_set(b"k", b"p:1", seal(USING, b"k p:1", body), USING)
    assert found == SetCount(2, (b"p:1:prov:a\nb", b"p:1:prov:c"), 0)


def test_a_total_round_trips() -> None:
    """What is written last is read back, and says how many fields there must be."""
    total = Total(entries=5, rows=1 << 40, practices=3, providers=2, sums=1, fields=4)
    assert unpack_total(b"k", pack_total(b"k", total, USING), USING) == total


@pytest.mark.parametrize("value", [None, b"", b"x" * 8, b"x" * 40])
def test_a_missing_or_foreign_total_is_damage(value: bytes | None) -> None:
    """A hash without its total proves nothing."""
    with pytest.raises(Damage):
        unpack_total(b"k", value, USING)


def test_a_value_of_another_field_or_partition_is_damage() -> None:
    """A count is sealed with the name of its field and the key of its hash."""
    value = pack_set(b"k", b"p:1", [b"5"], USING)
    assert unpack_set(b"k", b"p:1", value, USING) == SetCount(1, (b"p:1:prov:5",))
    for key, field in ((b"k", b"p:2"), (b"k", b"prov:1"), (b"l", b"p:1")):
        with pytest.raises(Damage):
            unpack_set(key, field, value, USING)


@pytest.mark.parametrize("size", [1, 16, 17, 1000])
@pytest.mark.parametrize("has_sums", [True, False])
def test_a_count_says_whether_there_are_sums(size: int, has_sums: bool) -> None:
    """The mark comes back with the number, which can be had without the members."""
    others = [b"%d" % number for number in range(size)]
    value = pack_set(b"k", b"p:1", others, USING, has_sums=has_sums)
    found = unpack_set(b"k", b"p:1", value, USING)
    assert (found.size, found.has_sums) == (size, has_sums)
    assert unpack_size(b"k", b"p:1", value, USING) == (size, has_sums)
    for key, field in ((b"k", b"p:2"), (b"l", b"p:1")):
        with pytest.raises(Damage):
            unpack_size(key, field, value, USING)


@pytest.mark.parametrize("body", [b"", b"x", b"+", b"-1", b"++1:5", b" 1:5", b"1+:5"])
def test_a_sealed_number_that_is_none_is_damage(body: bytes) -> None:
    """What can't have been written isn't taken for a number."""
    with pytest.raises(Damage):
        unpack_size(b"k", b"p:1", seal(USING, b"k p:1", body), USING)


@pytest.mark.parametrize(
    "body",
    [
        *(b"++2:5,6", b"+", b"", b"x", b"-1", b"2:5", b"1:5,6", b"0:5,6", b"17", b":5", b"#ff"),
        *(b"17#", b"17#FF", b"17#ff\n", b"17#ff:5", b"a7#ff"),
    ],
)
def test_a_sealed_count_that_contradicts_itself_is_damage(body: bytes) -> None:
    """The number and the inlined members must fit each other."""
    with pytest.raises(Damage):
        unpack_set(b"k", b"p:1", seal(USING, b"k p:1", body), USING)


@pytest.mark.parametrize(
    ("entries", "bins"),
    [(0, 1), (1, 1), (128, 1), (129, 2), (256, 2), (257, 4), (1000, 8), (10_000, 128)],
)
def test_bins_are_few_and_never_full(entries: int, bins: int) -> None:
    """A power of two, in each of which at most 128 providers lie on average."""
    assert bins_of(entries) == bins


def test_a_provider_lies_in_one_bin() -> None:
    """Whoever writes and whoever reads find the same one, by the id alone, and bins fill evenly."""
    ids = [b"%d" % number for number in range(1000)]
    filled = Counter(bin_of(each, 8) for each in ids)
    assert sorted(filled) == list(range(8))
    assert max(filled.values()) < 200
    assert bin_of(b"5", 8) == 2
    assert {bin_of(each, 1) for each in ids} == {0}


def test_providers_of_one_spill_bucket_lie_in_few_bins() -> None:
    """So that a bucket's fields are written together, however many bins there are."""
    for each in (b"%d" % number for number in range(100)):
        assert bin_of(each, 256) % SPILL_BUCKETS == xxh3_64_intdigest(each) % SPILL_BUCKETS


def test_a_sealed_total_of_another_length_is_damage() -> None:
    """A total is six numbers."""
    with pytest.raises(Damage):
        unpack_total(b"k", seal(USING, b"k total", b"123"), USING)
