"""Samples of a data source's figures, and what they say about a stretch of time. Pure.

A sample holds what was counted since counting began, not what happened since the last one: so any
two of them tell what happened between, and older ones can simply be left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from warmcube.observe.counts import Counts, quantile

__all__ = ["History", "Point", "Sample", "Summary", "history_of", "pack_sample", "unpack_sample"]

MOST_POINTS: Final = 600
"""Of more samples some are left out: no plot has room for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen of a data source at one minute. None is "not known".

    Attributes:
        at_ms: the minute, Unix milliseconds by the store's clock.
        state: as in `warmcube.observe.stats.Stats`.
        snapshot: the live version.
        age_seconds: since its table was read.
        entries: how many it has.
        rows: how many it has.
        memory_bytes: that its keys took in the store.
        counting: since when answers are counted; other counts don't go on from these.
        counts: of answers since then; None where nobody counts.
    """

    at_ms: int
    state: str
    snapshot: str | None = None
    age_seconds: float | None = None
    entries: int | None = None
    rows: int | None = None
    memory_bytes: int | None = None
    counting: str | None = None
    counts: Counts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A sample, and what happened since the one before it.

    Attributes:
        at: ISO 8601 in UTC.
        state: as in the sample, like all that have its names.
        age_seconds: likewise.
        entries: likewise.
        rows: likewise.
        memory_bytes: likewise.
        queries: reads since the sample before; None where that isn't known.
        hit_rate: the share of them that the cache answered; None without any.
        median_ms: how long half of the answers took at most.
        p95_ms: how long 95 % of them took at most.
    """

    at: str
    state: str
    age_seconds: float | None
    entries: int | None
    rows: int | None
    memory_bytes: int | None
    queries: int | None
    hit_rate: float | None
    median_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What happened over the whole stretch; None is "not known"."""

    queries: int | None = None
    hit_rate: float | None = None
    median_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A stretch of time.

    Attributes:
        points: in their order.
        summary: of the whole.
    """

    points: tuple[Point, ...]
    summary: Summary


def history_of(before: Sample | None, samples: Sequence[Sample]) -> History:
    """What samples say.

    Args:
        before: the last sample before the stretch, if there is one.
        samples: of the stretch, in their order.
    """
    points: list[Point] = []
    total: Counts | None = None
    last = before
    for sample in _thinned(samples):
        counts = _between(last, sample)
        if counts is not None:
            total = counts if total is None else total.plus(counts)
        points.append(_point(sample, counts))
        last = sample
    return History(points=tuple(points), summary=Summary(**_figures(total)))


def pack_sample(sample: Sample) -> bytes:
    """The sample's stored form; its time is elsewhere."""
    counts = sample.counts
    plain = [
        sample.state,
        sample.snapshot,
        sample.age_seconds,
        sample.entries,
        sample.rows,
        sample.memory_bytes,
        sample.counting,
        None if counts is None else [counts.hits, counts.misses, *counts.buckets],
    ]
    return json.dumps(plain, separators=(",", ":")).encode()


def unpack_sample(at_ms: int, packed: bytes) -> Sample | None:
    """What `pack_sample` packed; None for what it can't have."""
    try:
        *plain, counted = json.loads(packed)
        state, snapshot, age, entries, rows, memory, counting = plain
        counts = None
        if counted is not None:
            hits, misses, *buckets = counted
            counts = Counts(hits=hits, misses=misses, buckets=tuple(buckets))
    except (ValueError, TypeError):
        return None
    return Sample(
        at_ms=at_ms,
        state=state,
        snapshot=snapshot,
        age_seconds=age,
        entries=entries,
        rows=rows,
        memory_bytes=memory,
        counting=counting,
        counts=counts,
    )


def _thinned(samples: Sequence[Sample]) -> Sequence[Sample]:
    step = -(-len(samples) // MOST_POINTS)
    return samples if step <= 1 else samples[::-1][::step][::-1]


def _between(before: Sample | None, after: Sample) -> Counts | None:
    if before is None or before.counting != after.counting:
        return None
    if before.counts is None or after.counts is None:
        return None
    if len(before.counts.buckets) != len(after.counts.buckets):  # of another version of warmcube
        return None
    return after.counts.since(before.counts)


def _point(sample: Sample, counts: Counts | None) -> Point:
    return Point(
        at=datetime.fromtimestamp(sample.at_ms / 1000, UTC).isoformat(timespec="seconds"),
        state=sample.state,
        age_seconds=sample.age_seconds,
        entries=sample.entries,
        rows=sample.rows,
        memory_bytes=sample.memory_bytes,
        **_figures(counts),
    )


def _figures(counts: Counts | None) -> dict[str, Any]:
    if counts is None:
        return dict.fromkeys(("queries", "hit_rate", "median_ms", "p95_ms"))
    return {
        "queries": counts.queries,
        "hit_rate": counts.hit_rate,
        "median_ms": quantile(counts, 0.5),
        "p95_ms": quantile(counts, 0.95),
    }
