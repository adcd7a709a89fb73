"""Counters and histograms over cells: a series costs a lookup once, and then next to none."""

from __future__ import annotations

import json
from bisect import bisect_left

from warmcube.observe.cells import Cells
from warmcube.observe.declared import METRICS

__all__ = ["Counter", "Histogram", "key_of", "labels_of"]


def key_of(name: str, labels: tuple[str, ...]) -> str:
    """The key of a series' cells."""
    return json.dumps([name, *labels], separators=(",", ":"))


def labels_of(key: str) -> tuple[str, tuple[str, ...]]:
    """A series' metric and labels, from its key."""
    name, *labels = json.loads(key)
    return name, tuple(labels)


class Counter:
    """One series of a counter, or of a gauge that every process adds to."""

    __slots__ = ("_cells", "_place")

    def __init__(self, cells: Cells, name: str, *labels: str) -> None:
        self._cells = cells
        self._place = cells.place(key_of(name, labels))

    def add(self, amount: float = 1.0) -> None:
        """Add to it."""
        self._cells.values[self._place] += amount

    @property
    def value(self) -> float:
        """What it has come to in this process."""
        return self._cells.values[self._place]


class Histogram:
    """One series of a histogram: a cell for each bucket, not accumulated, and one for the sum."""

    __slots__ = ("_bounds", "_cells", "_place", "_sum")

    def __init__(self, cells: Cells, name: str, *labels: str) -> None:
        self._cells = cells
        self._bounds = METRICS[name].bounds
        self._place = cells.place(key_of(name, labels), len(self._bounds) + 2)
        self._sum = self._place + len(self._bounds) + 1

    def observe(self, value: float) -> None:
        """Count a value."""
        values = self._cells.values
        values[self._place + bisect_left(self._bounds, value)] += 1.0
        values[self._sum] += value

    @property
    def buckets(self) -> tuple[float, ...]:
        """How many values each bucket has in this process, the last being that without a bound."""
        return tuple(self._cells.values[self._place : self._sum])
