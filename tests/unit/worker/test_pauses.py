"""`warmcube.worker.pauses`: pauses that grow, within their bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmcube.worker.pauses import Pauses, chance

pauses = st.builds(
    lambda first, more: Pauses(first_ms=first, longest_ms=first + more),
    st.integers(1, 10**6),
    st.integers(0, 10**8),
)
rolls = st.floats(0, 1, exclude_max=True)


@given(pauses, st.integers(1, 10**6), rolls)
def test_a_pause_stays_within_its_bounds(some: Pauses, failures: int, roll: float) -> None:
    """Never longer than the longest, never much shorter than the first, never none."""
    pause = some.after(failures, roll)
    assert 1 <= pause <= some.longest_ms
    assert pause >= int(0.8 * some.first_ms)
    assert some.after(failures, roll, longest_ms=7) <= 7


@given(pauses, st.integers(1, 100), rolls)
def test_it_grows(some: Pauses, failures: int, roll: float) -> None:
    """With the same chance, a further failure never makes it shorter."""
    assert some.after(failures + 1, roll) >= some.after(failures, roll)


@given(st.text())
def test_chance_is_the_same_everywhere(text: str) -> None:
    """It hangs on the text alone, and is a share."""
    assert 0 <= chance(text) < 1
    assert chance(text) == chance(str(text))


def test_chance_is_spread() -> None:
    """A thousand texts fall into each tenth about as often."""
    tenths = [int(chance(f"{n}-abc") * 10) for n in range(1000)]
    assert all(60 < tenths.count(tenth) < 140 for tenth in range(10))
