"""warmcube as a contestant: all of `cache.query`, until date and value are in one's hands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.questions import Question
from benchmarks.setting import USER
from benchmarks.truth import EPOCH
from warmcube import AnalyticsCache
from warmcube.access.grant import Grant
from warmcube.model.origin import Origin
from warmcube.query.result import Result

__all__ = ["Ours", "open_ours"]


class Ours:
    """One tier of a cache, for one user.

    Args:
        cache: an open one.
        grant: what the user may see.
        origin: the tier that shall answer.
    """

    def __init__(self, cache: AnalyticsCache, grant: Grant, origin: Origin) -> None:
        self.cache = cache
        self.grant = grant
        self.origin = origin

    async def rows(self, question: Question) -> tuple[Any, Any]:
        """Date and value of each row, as arrays."""
        return self._taken(await self.cache.query(question.query(sums=False), self.grant))

    async def sums(self, question: Question) -> tuple[Any, Any]:
        """The same of each date."""
        return self._taken(await self.cache.query(question.query(sums=True), self.grant))

    def _taken(self, result: Result) -> tuple[Any, Any]:
        if result.meta.origin != self.origin:
            raise WrongTier(f"the {result.meta.origin} answered, not the {self.origin}")
        columns = result.table.columns
        value = "sum" if "sum" in columns else "measure_value"
        return columns["date_index"].values, columns[value].values

    async def pairs(self, question: Question, *, sums: bool) -> list[tuple[int, int]]:
        """The answer as days since 1970-01-01 and hundredths; isn't timed."""
        result = await self.cache.query(question.query(sums=sums), self.grant)
        if result.meta.origin != self.origin:
            raise WrongTier(f"the {result.meta.origin} answered, not the {self.origin}")
        value = "sum" if sums else "measure_value"
        return [
            (row["date_index"].toordinal() - EPOCH, int(row[value] * 100)) for row in result.rows()
        ]


class WrongTier(RuntimeError):
    """Somebody else answered than was to be measured."""


@asynccontextmanager
async def open_ours(config: Path, origin: Origin, user: str = USER) -> AsyncIterator[Ours]:
    """A cache of its own, as a file says."""
    async with AnalyticsCache.from_config(config) as cache:
        yield Ours(cache, await cache.authorize(user), origin)
