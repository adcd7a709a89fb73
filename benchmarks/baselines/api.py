"""What every baseline offers, so that one harness can time all of them.

What is timed is `Baseline.rows` and `Baseline.sums`; they end with date and value of every row in
the caller's hands, in whatever form is cheapest for who wrote the baseline. `Baseline.pairs` turns
that form into one that can be compared with others; it is for checks, and isn't timed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from benchmarks.data import TABLE
from benchmarks.questions import Question

__all__ = ["Answer", "Baseline", "Opener", "Place", "opened"]

Answer: TypeAlias = Any
"""Dates and values in a baseline's own form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a baseline finds its data and keeps its own.

    Attributes:
        redis_url: of a Redis; ``unix://`` or ``redis://``.
        postgres_url: of the database with the table.
        folder: for files; exists.
        table: with its schema, both of plain lower-case letters and underscores. What a baseline
            derives from it is made beside it, under names that begin with the table's.
        prefix: what every key in Redis begins with.
    """

    redis_url: str
    postgres_url: str
    folder: Path
    table: str = TABLE
    prefix: str = ""


class Baseline(Protocol):
    """One way to answer questions.

    Attributes:
        name: as figures are called by.
    """

    name: str

    async def warm(self) -> None:
        """Make what it answers from, out of the table: keys, tables, files. May be repeated."""
        ...

    async def rows(self, question: Question) -> Answer:
        """Date and value of each row."""
        ...

    async def sums(self, question: Question) -> Answer:
        """The sum of the values by date."""
        ...

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths, in no order."""
        ...

    async def clear(self) -> None:
        """Remove what `warm` made."""
        ...

    async def close(self) -> None:
        """Close connections; what `warm` made stays."""
        ...


Opener: TypeAlias = Callable[[Place], AbstractAsyncContextManager[Baseline]]
"""Connects a baseline, and closes it in the end; has to be warmed unless it was before."""


@asynccontextmanager
async def opened(baseline: Baseline) -> AsyncIterator[Baseline]:
    """Close a baseline in the end."""
    try:
        yield baseline
    finally:
        await baseline.close()
