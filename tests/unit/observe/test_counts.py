"""`warmcube.observe.counts`: what two looks at counters tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.observe.counts import (
    BOUNDS,
    NO_BUCKETS,
    Counts,
    counts_of,
    fields_of,
    quantile,
)

COUNTS = st.builds(
    Counts,
    hits=st.integers(0, 1000),
    misses=st.integers(0, 1000),
    buckets=st.lists(st.integers(0, 1000), min_size=len(NO_BUCKETS), max_size=len(NO_BUCKETS)).map(
        tuple
    ),
)


def bucketed(*milliseconds: float) -> Counts:
    """Counts of answers that took so long."""
    placed = np.searchsorted(BOUNDS, np.array(milliseconds) / 1000, side="left")
    found = np.bincount(placed, minlength=len(NO_BUCKETS))
    return Counts(hits=len(milliseconds), buckets=tuple(found.tolist()))


@given(COUNTS, COUNTS)
def test_what_is_added_can_be_told_apart_again(before: Counts, more: Counts) -> None:
    """And nothing goes on from a look at larger counts: they have begun anew."""
    after = before.plus(more)
    assert after.since(before) == more
    assert (before.since(after) is None) == (more != Counts())


@given(COUNTS)
def test_a_hash_holds_them(counts: Counts) -> None:
    """Fields that are 0 needn't be there."""
    fields = fields_of(counts)
    assert 0 not in fields.values()
    assert counts_of({name: b"%d" % value for name, value in fields.items()}) == counts


@pytest.mark.parametrize(
    ("counts", "rate"),
    [
        (Counts(), None),
        (Counts(hits=3, misses=1), 0.75),
        (Counts(misses=2), 0.0),
        (Counts(hits=2), 1.0),
    ],
)
def test_the_hit_rate(counts: Counts, rate: float | None) -> None:
    """Of nothing there is none."""
    assert counts.hit_rate == rate


@given(st.lists(st.floats(0.001, 9999), min_size=1, max_size=50), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_in_the_right_bucket(took: list[float], share: float) -> None:
    """Between the bounds around the latency that numpy finds among all of them."""
    exact = float(np.quantile(np.array(took), share, method="inverted_cdf")) / 1000
    place = int(np.searchsorted(BOUNDS, exact, side="left"))
    lower = 0.0 if place == 0 else BOUNDS[place - 1]
    found = quantile(bucketed(*took), share)
    assert found is not None
    assert lower * 1000 - 1e-3 <= found <= BOUNDS[place] * 1000 + 1e-3


def test_quantiles_at_the_ends() -> None:
    """None of nothing; evenly spread within a bucket; beyond the last bound, that bound."""
    assert quantile(Counts(), 0.5) is None
    assert quantile(bucketed(1.5, 1.5), 0.5) == 1.75
    assert quantile(bucketed(1.5, 20_000), 0.95) == 10_000
