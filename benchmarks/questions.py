"""What is asked in each round; the same of everybody."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from benchmarks.data import Shape
from benchmarks.setting import DATASOURCE
from warmcube import Query

__all__ = ["FREQUENCY", "LIMIT", "SIZES", "Question", "questions"]

SIZES: Final = (10, 100, 1000)
"""Entries that a query reads."""

FREQUENCY: Final = "Monthly"

LIMIT: Final = 900_000
"""More rows than any answer here has, fewer than `[limits] rows`."""


@dataclass(frozen=True, slots=True)
class Question:
    """One round's question.

    Attributes:
        measure: its number.
        practices: which; None for all of them.
        provider: which one; None for all of them.
        frequency: which.
        datasource: the id of the table, see `benchmarks.setting`.
        limit: more rows than there are: a question that nobody has asked before, so that no
            answer that was kept will do. Others may leave it away.
    """

    measure: int
    practices: tuple[int, ...] | None
    provider: int | None = None
    frequency: str = FREQUENCY
    datasource: int = DATASOURCE
    limit: int | None = None

    def query(self, *, sums: bool) -> Query:
        """The rows, or their sums by date."""
        return Query(
            datasource=self.datasource,
            measure=f"Measure {self.measure}",
            frequency=self.frequency,
            practices=self.practices,
            providers=None if self.provider is None else (self.provider,),
            group_by=["date_index"] if sums else [],
            aggregate="sum" if sums else None,
            limit=self.limit,
        )


def questions(shape: Shape, entries: int, count: int) -> list[Question]:
    """Seeded, so that every run asks the same; none where the data have too few practices.

    No question comes twice, so that nobody can answer from what was kept of the last one.

    Args:
        shape: of the data.
        entries: that each of them reads: 1 for one provider, else whole practices.
        count: how many.
    """
    chance = random.Random(entries)  # noqa: S311 (not for secrets)
    wanted = max(1, entries // shape.providers)
    if wanted > shape.practices:
        return []
    known = range(100, 100 + shape.practices)
    asked: dict[Question, None] = {}
    tries = 0
    while len(asked) < count:
        tries += 1
        practices = tuple(sorted(chance.sample(known, wanted)))
        asked[
            Question(
                chance.randrange(shape.measures),
                None if wanted == shape.practices or entries == 1 else practices,
                provider=practices[0] * 100 + chance.randrange(shape.providers)
                if entries == 1
                else None,
                # Where all combinations are used up, questions are told apart by their limit.
                limit=LIMIT - tries if tries > 4 * count or wanted == shape.practices else None,
            )
        ] = None
    return list(asked)
