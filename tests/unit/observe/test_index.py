"""Which entries of a partition are picked."""

from __future__ import annotations

from itertools import product

from warmcube.observe.index import runs_of


def test_runs_lie_in_a_partition_and_apart() -> None:
    """However many entries are wanted of however many there are: about so many, and none twice."""
    for entries, wanted in product(range(1, 100), range(100)):
        places = [
            place for first, last in runs_of(entries, wanted) for place in range(first, last + 1)
        ]
        assert len(set(places)) == len(places)
        assert set(places) <= set(range(entries))
        most = min(wanted, entries)
        assert most / 2 <= len(places) <= most
