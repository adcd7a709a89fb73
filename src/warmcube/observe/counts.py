"""Counts of answers, and what follows from two looks at them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmcube.observe.declared import METRICS

__all__ = ["BOUNDS", "NO_BUCKETS", "Counts", "counts_of", "fields_of", "quantile"]

BOUNDS: Final = METRICS["warmcube_query_seconds"].bounds
"""Seconds up to which each bucket of latencies reaches; one more has all that took longer."""
NO_BUCKETS: Final = (0,) * (len(BOUNDS) + 1)

_HITS: Final = b"hits"
_MISSES: Final = b"misses"
_NAMES: Final = (*(b"le:%g" % bound for bound in BOUNDS), b"le:inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many reads of a data source there were.

    Attributes:
        hits: answers that the cache gave.
        misses: reads that it couldn't answer.
        buckets: answers by how long they took, see `BOUNDS`.
    """

    hits: int = 0
    misses: int = 0
    buckets: tuple[int, ...] = NO_BUCKETS

    @property
    def queries(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float | None:
        """The share that the cache answered; None where nothing was asked."""
        return round(self.hits / self.queries, 4) if self.queries else None

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            hits=self.hits + other.hits,
            misses=self.misses + other.misses,
            buckets=tuple(map(sum, zip(self.buckets, other.buckets, strict=True))),
        )

    def since(self, before: Counts) -> Counts | None:
        """What was counted after an earlier look; None if this doesn't go on from that."""
        less = Counts(
            hits=self.hits - before.hits,
            misses=self.misses - before.misses,
            buckets=tuple(a - b for a, b in zip(self.buckets, before.buckets, strict=True)),
        )
        return None if min(less.hits, less.misses, *less.buckets) < 0 else less


def fields_of(counts: Counts) -> dict[bytes, int]:
    """The fields of a hash that adds such counts up; without those that are 0."""
    found = {_HITS: counts.hits, _MISSES: counts.misses}
    found |= dict(zip(_NAMES, counts.buckets, strict=True))
    return {name: value for name, value in found.items() if value}


def counts_of(fields: Mapping[bytes, bytes]) -> Counts:
    """What such a hash has come to."""
    return Counts(
        hits=int(fields.get(_HITS, 0)),
        misses=int(fields.get(_MISSES, 0)),
        buckets=tuple(int(fields.get(name, 0)) for name in _NAMES),
    )


def quantile(counts: Counts, share: float) -> float | None:
    """The latency that a share of answers didn't exceed, in milliseconds; None without answers.

    Evenly spread within its bucket, as Prometheus's ``histogram_quantile`` takes it; what lies
    beyond the last bound is given as that bound.

    Args:
        counts: of answers.
        share: from 0 to 1.
    """
    total = sum(counts.buckets)
    if not total:
        return None
    wanted, below = share * total, 0
    lower = 0.0
    for bound, count in zip(BOUNDS, counts.buckets, strict=False):
        if count and below + count >= wanted:
            return round((lower + (bound - lower) * (wanted - below) / count) * 1000, 4)
        below, lower = below + count, bound
    return BOUNDS[-1] * 1000
