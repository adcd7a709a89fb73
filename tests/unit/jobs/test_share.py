"""`warmcube.jobs.share`: one measure of progress over all phases."""

from __future__ import annotations

from itertools import pairwise

import pytest

from warmcube.jobs.share import remaining_seconds, share_of
from warmcube.warm.report import Phase, Progress


def test_it_grows_from_phase_to_phase_and_within() -> None:
    """From 0 to 1 without a step back, whatever the phases and rows."""
    shares = [
        share_of(Progress(phase=phase, rows=rows, total_rows=100))
        for phase in Phase
        for rows in range(0, 101, 20)
    ]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert max(after - before for before, after in pairwise(shares)) < 0.1


@pytest.mark.parametrize("total", [None, 0])
def test_without_a_total_it_stands_where_the_phase_begins(total: int | None) -> None:
    """Nobody can tell how far a phase is whose rows aren't counted, or that has none."""
    assert share_of(Progress(phase=Phase.WRITING, rows=5, total_rows=total)) == 0.5


def test_more_rows_than_counted_are_no_more_than_all() -> None:
    """A phase never ends beyond its end."""
    assert share_of(Progress(phase=Phase.READING, rows=200, total_rows=100)) == 0.5


def test_what_is_left_follows_from_the_pace() -> None:
    """By the time that the share so far took; at the beginning nobody can tell."""
    early = Progress(phase=Phase.COUNTING, total_rows=None, seconds=3.0)
    assert remaining_seconds(early) is None
    half = Progress(phase=Phase.READING, rows=100, total_rows=100, seconds=3.0)
    assert remaining_seconds(half) == 3.0
    assert remaining_seconds(Progress(phase=Phase.DONE, seconds=9.0)) == 0.0
