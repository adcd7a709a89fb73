"""`warmcube.observe.samples`: what samples say of a stretch of time; nothing is made up."""

from __future__ import annotations

from typing import Any

import pytest

from warmcube.observe.counts import NO_BUCKETS, Counts
from warmcube.observe.samples import (
    MOST_POINTS,
    Sample,
    Summary,
    history_of,
    pack_sample,
    unpack_sample,
)

FAST = (0, 0, 0, 4, *NO_BUCKETS[4:])
"""Four answers of 0.5 to 1 ms."""
UNKNOWN = {"queries": None, "hit_rate": None, "median_ms": None, "p95_ms": None}


def sample(minute: int, **fields: Any) -> Sample:
    """A sample of a minute."""
    return Sample(at_ms=minute * 60_000, **{"state": "fresh", "counting": "1", **fields})


def told(*samples: Sample, before: Sample | None = None) -> list[dict[str, Any]]:
    """What the points say of what happened."""
    points = history_of(before, samples).points
    return [{name: getattr(point, name) for name in UNKNOWN} for point in points]


@pytest.mark.parametrize(
    "given",
    [
        Sample(at_ms=60_000, state="cold"),
        Sample(
            at_ms=60_000,
            state="fresh",
            snapshot="1-00000000000000aa",
            age_seconds=1.5,
            entries=3,
            rows=4,
            memory_bytes=5,
            counting="1",
            counts=Counts(hits=1, misses=2, buckets=FAST),
        ),
    ],
)
def test_a_sample_survives_being_packed(given: Sample) -> None:
    """With all that isn't known."""
    assert unpack_sample(60_000, pack_sample(given)) == given


@pytest.mark.parametrize("packed", [b"", b"{}", b"[]", b"3", b"[1,2]", b"[1,2,3,4,5,6,7,[8]]"])
def test_what_is_no_sample_is_none(packed: bytes) -> None:
    """The store may hold anything."""
    assert unpack_sample(0, packed) is None


def test_points_tell_what_happened_since_the_one_before() -> None:
    """The first one tells it only where there is one before the stretch."""
    none = sample(1, counts=Counts())
    some = sample(2, counts=Counts(hits=3, misses=1, buckets=FAST))
    happened: dict[str, Any] = {"queries": 4, "hit_rate": 0.75, "median_ms": 0.75, "p95_ms": 0.975}
    idle = {"queries": 0, "hit_rate": None, "median_ms": None, "p95_ms": None}
    still = sample(3, counts=some.counts)
    assert told(none, some, still) == [UNKNOWN, happened, idle]
    assert told(some, before=none) == [happened]
    assert history_of(none, [some, still]).summary == Summary(**happened)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"counts": None}, {"counts": Counts(hits=1)}),
        ({"counts": Counts(hits=1)}, {"counts": None}),
        ({"counts": Counts(hits=1)}, {"counts": Counts(hits=2), "counting": "2"}),
        ({"counts": Counts(hits=2)}, {"counts": Counts(hits=1)}),
        ({"counts": Counts(buckets=(1, 2))}, {"counts": Counts(hits=1)}),
    ],
)
def test_counts_that_do_not_go_on_tell_nothing(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    """Nobody counted, counting began anew, or another version counted otherwise."""
    history = history_of(sample(1, **before), [sample(2, **after)])
    assert told(sample(2, **after), before=sample(1, **before)) == [UNKNOWN]
    assert history.summary == Summary()


def test_many_samples_are_thinned_and_lose_no_query() -> None:
    """The last one stays; what happened at those left out is told by the next."""
    samples = [sample(n, counts=Counts(hits=n)) for n in range(1, 1441)]
    history = history_of(sample(0, counts=Counts()), samples)
    assert len(history.points) <= MOST_POINTS
    assert history.points[-1].at == "1970-01-02T00:00:00+00:00"
    assert sum(point.queries or 0 for point in history.points) == 1440
    assert history.summary.queries == 1440
    assert history_of(None, []).points == ()
