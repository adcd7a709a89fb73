"""What every baseline offers, so that one harness can time all of them.

What is timed is `Baseline.rows` and `Baseline.sums`; they end with date and value of every row in
the caller's hands, in whatever form is cheapest for who wrote the baseline. `Baseline.pairs` turns
that form into one that can be compared with others; it is for checks, and isn't timed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol, Self, TypeAlias

from benchmarks.data import FREQUENCIES
from benchmarks.questions import Question
from benchmarks.setting import DATASOURCE, Setting

__all__ = ["CODES", "Answer", "Baseline", "Opener", "Place"]

Answer: TypeAlias = Any
"""Dates and values in a baseline's own form."""

CODES: Final[Mapping[str, int]] = MappingProxyType(
    {frequency: code for code, frequency in enumerate(FREQUENCIES)}
)
"""The number of each frequency, where a baseline keeps numbers in place of names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a baseline finds its data and keeps its own.

    Attributes:
        redis_url: of a Redis; ``unix://`` or ``redis://``.
        postgres_url: of the database with the table.
        folder: for files; exists.
        table: as ``schema.table``. What a baseline derives from it is made beside it, under names
            that begin with the table's.
        prefix: what every key in Redis begins with.
        datasource: the id of the table.
    """

    redis_url: str
    postgres_url: str
    folder: Path
    table: str
    prefix: str = ""
    datasource: int = DATASOURCE

    @classmethod
    def of(cls, setting: Setting, datasource: int = DATASOURCE) -> Self:
        """The place of one table."""
        return cls(
            redis_url=setting.redis_url,
            postgres_url=setting.postgres_url,
            folder=setting.folder,
            table=setting.table(datasource),
            prefix=setting.namespace,
            datasource=datasource,
        )


class Baseline(Protocol):
    """One way to answer questions about one table.

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


Opener: TypeAlias = Callable[[Place], AbstractAsyncContextManager[Baseline]]
"""Connects a baseline, and disconnects it in the end; what `Baseline.warm` made stays."""
