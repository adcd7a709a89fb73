"""Single slices of a partition, compared row by row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from warmcube.compare.canonical import ColumnValues
from warmcube.entry.keys import PartitionName
from warmcube.model.scope import ALL, Box, Scope

__all__ = ["Difference", "Rows", "Slice", "compare", "rows_of"]

Rows: TypeAlias = Counter[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Slice:
    """All rows of one practice in a partition; where it is NULL, those of one provider; else all.

    For whoever reads by practice, NULL can't be asked for.
    """

    name: PartitionName
    practice: str | None
    provider: str | None

    @property
    def scope(self) -> Scope:
        """What is to be read."""
        if self.practice is not None:
            return Scope((Box(frozenset({self.practice}), ALL),))
        if self.provider is not None:
            return Scope((Box(ALL, frozenset({self.provider})),))
        return Scope((Box(ALL, ALL),))


@dataclass(frozen=True, slots=True)
class Difference:
    """How the rows of a slice differ.

    Attributes:
        cache: how many rows only the cache has.
        database: how many only the database has.
        columns: which columns don't hold the same values; none where the values are the same and
            only stand in other rows.
    """

    cache: int
    database: int
    columns: tuple[str, ...]


def rows_of(columns: Mapping[str, ColumnValues], scales: Mapping[str, int], rows: int) -> Rows:
    """Each row as a tuple, and how often it is there.

    Args:
        columns: at least those of `scales`.
        scales: the columns to compare, and the scale that numerics have there.
        rows: how many there are.
    """
    if not scales:
        return Counter({(): rows} if rows else {})
    return Counter(
        zip(*(columns[name].plain(scale) for name, scale in scales.items()), strict=True)
    )


def compare(cache: Rows, database: Rows, names: Sequence[str]) -> Difference | None:
    """How they differ; None if they don't."""
    if cache == database:
        return None
    more, less = cache - database, database - cache
    differing = [name for at, name in enumerate(names) if _column(more, at) != _column(less, at)]
    return Difference(more.total(), less.total(), tuple(differing))


def _column(rows: Rows, at: int) -> Counter[Any]:
    found: Counter[Any] = Counter()
    pairs: Iterable[tuple[tuple[Any, ...], int]] = rows.items()
    for row, times in pairs:
        found[row[at]] += times
    return found
