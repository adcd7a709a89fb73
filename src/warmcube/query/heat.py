"""How hot partitions are: which of them are worth their place in the process. Pure.

A read through the store costs a trip, whatever it fetches, and the bytes that it fetches. Loading
a partition costs its bytes. So one is worth loading as soon as what has been read of it lately
would have paid for that, and the less there is of it for each read, the more it is worth keeping.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

__all__ = ["Heat"]

TRIP_BYTES: Final = 128 << 10
"""A trip to the store costs about as much time as fetching and proving so many bytes."""
LOAD_BYTES: Final = 512 << 10
"""What loading costs beside the bytes."""
HALF_LIFE: Final = 30.0
"""Seconds in which what was read comes to count half."""
UNFADED: Final = 0.05
"""Seconds in which nothing fades: two thousandths, and an exponential takes a while."""
MOST: Final = 10_000
"""So many partitions are looked after."""


@dataclass(slots=True)
class _Reads:
    """What was read of one partition, as of a moment."""

    bytes: float
    at: float


class Heat:
    """What has been read lately, by partition; what the process answered itself included."""

    def __init__(self) -> None:
        self._reads: dict[Hashable, _Reads] = {}

    def add(self, key: Hashable, fetched: float, now: float) -> None:
        """A partition was read.

        Args:
            key: which one.
            fetched: bytes that were fetched, or would have been.
            now: by a monotonic clock, in seconds.
        """
        reads = self._reads.get(key)
        if reads is None:
            if len(self._reads) >= MOST:
                self._drop_coldest(now)
            self._reads[key] = _Reads(fetched + TRIP_BYTES, now)
            return
        if now - reads.at > UNFADED:
            reads.bytes = self._faded(reads, now)
            reads.at = now
        reads.bytes += fetched + TRIP_BYTES

    def of(self, key: Hashable, now: float) -> float:
        """Bytes that reads of a partition have cost lately."""
        reads = self._reads.get(key)
        return 0.0 if reads is None else self._faded(reads, now)

    def is_hot(self, key: Hashable, size: int, now: float) -> bool:
        """Whether what was read lately would have paid for loading so many bytes."""
        return self.of(key, now) >= size + LOAD_BYTES

    def cool(self, key: Hashable) -> None:
        """Forget what was read of a partition."""
        self._reads.pop(key, None)

    def _drop_coldest(self, now: float) -> None:
        order = sorted(self._reads, key=lambda key: self.of(key, now))
        for key in order[: MOST // 4]:
            del self._reads[key]

    @staticmethod
    def _faded(reads: _Reads, now: float) -> float:
        age = max(0.0, now - reads.at)
        return reads.bytes * math.exp2(-age / HALF_LIFE)
