"""What many queries need, united by partition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.keys import PartitionName
from warmcube.model.scope import ALL, Box, Ids, Scope
from warmcube.query.together import Need, unite

NAMES = [PartitionName(m, f) for m in ("a", "b") for f in ("x", None)]
IDS: st.SearchStrategy[Ids] = st.one_of(st.just(ALL), st.frozensets(st.sampled_from("123")))
NEEDS = st.lists(
    st.builds(
        Need,
        partition=st.sampled_from(NAMES),
        scope=st.lists(st.builds(Box, IDS, IDS), max_size=2).map(Scope.of),
        columns=st.sets(st.sampled_from("cde")).map(sorted).map(tuple),
    ),
    max_size=6,
)


@given(NEEDS)
def test_what_is_united_is_exactly_what_is_needed(needs: list[Need]) -> None:
    """Of each partition the rows and columns that somebody needs, and no others."""
    united = unite(needs)
    for name in NAMES:
        own = [need for need in needs if need.partition == name and not need.scope.is_empty]
        assert (name in united) == bool(own)
        if not own:
            continue
        assert set(united[name].columns) == {c for need in own for c in need.columns}
        for practice in (None, *"1239"):
            for provider in (None, *"1239"):
                assert united[name].scope.allows(practice, provider) == any(
                    need.scope.allows(practice, provider) for need in own
                )
