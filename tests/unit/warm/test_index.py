"""The members of a partition, grouped, also when they are too many for memory."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.warm.index import DistinctCount, Family, MemberIndex

FAMILIES: tuple[Family, ...] = ("practice", "provider")
ids = st.sampled_from([b"1", b"2", b"~", b"", b"%2F"])


@given(st.lists(st.tuples(ids, ids, st.integers(0, 2)), unique=True), st.sampled_from([2, 1000]))
def test_every_member_is_in_one_set_of_each_family(
    members: list[tuple[bytes, bytes, int]], held: int
) -> None:
    """Spilled or not, the sets are the same."""
    index = MemberIndex(held)
    for member in members:
        index.extend([member])
    assert index.size == len(members)
    for family in FAMILIES:
        expected: dict[bytes, Counter[bytes]] = {}
        for practice, provider, part in members:
            owner, other = (practice, provider) if family == "practice" else (provider, practice)
            name = other + (b"/%d" % part if part else b"")
            expected.setdefault(owner, Counter())[name] += 1
        found = list(index.sets(family))
        assert {key: Counter(others) for key, others in found} == expected
        assert len(found) == len(expected)
    index.close()


def test_distinct_ids_are_counted_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it the number is unknown, not wrong."""
    monkeypatch.setattr(DistinctCount, "LIMIT", 2)
    count = DistinctCount()
    count.update([b"a", b"b"])
    count.update([b"a"])
    assert count.count == 2
    count.update([b"c"])
    assert count.count is None
    count.update([b"d"])
    assert count.count is None
