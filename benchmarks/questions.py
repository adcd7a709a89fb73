"""What is asked in each round: one measure, some practices; the same of everybody."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from benchmarks.data import PROVIDERS, Shape
from benchmarks.setting import DATASOURCE
from warmcube import Query

__all__ = ["FREQUENCY", "SIZES", "Question", "questions"]

SIZES: Final = (10, 100, 1000)
"""Entries that a query reads."""

FREQUENCY: Final = "Monthly"


@dataclass(frozen=True, slots=True)
class Question:
    """One round's question.

    Attributes:
        measure: its number.
        practices: which; None for all of them.
        provider: one alone; None for all of the practices.
        frequency: its name.
    """

    measure: int
    practices: tuple[int, ...] | None
    provider: int | None = None
    frequency: str = FREQUENCY

    def query(self, *, sums: bool) -> Query:
        """The rows, or their sums by date."""
        return Query(
            datasource=DATASOURCE,
            measure=f"Measure {self.measure}",
            frequency=self.frequency,
            practices=self.practices,
            providers=None if self.provider is None else (self.provider,),
            group_by=["date_index"] if sums else [],
            aggregate="sum" if sums else None,
        )


def questions(shape: Shape, entries: int, count: int) -> list[Question]:
    """Seeded, so that every run asks the same; none where the data have too few practices."""
    chance = random.Random(entries)  # noqa: S311 (not for secrets)
    wanted = entries // PROVIDERS
    if wanted > shape.practices:
        return []
    known = range(100, 100 + shape.practices)
    return [
        Question(
            chance.randrange(shape.measures),
            None if wanted == shape.practices else tuple(sorted(chance.sample(known, wanted))),
        )
        for _ in range(count)
    ]
