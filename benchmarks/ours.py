"""warmcube as a contestant: all of `cache.query`, until date and value are in one's hands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.baselines.api import Answer
from benchmarks.questions import Question
from benchmarks.setting import USER
from warmcube import AnalyticsCache
from warmcube.access.grant import Grant
from warmcube.model.origin import Origin
from warmcube.query.result import Result

__all__ = ["Ours", "WrongTier", "in_hand", "open_ours", "pairs_of"]


class WrongTier(RuntimeError):
    """Somebody else answered than was to be measured."""


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

    @property
    def name(self) -> str:
        """As figures are called by."""
        return self.origin

    async def rows(self, question: Question) -> Answer:
        """Date and value of each row, as arrays."""
        return self.taken(await self.cache.query(question.query(sums=False), self.grant))

    async def sums(self, question: Question) -> Answer:
        """The same of each date."""
        return self.taken(await self.cache.query(question.query(sums=True), self.grant))

    def taken(self, result: Result) -> Answer:
        """Date and value out of a result.

        Raises:
            WrongTier: another one answered.
        """
        if result.meta.origin != self.origin:
            raise WrongTier(f"the {result.meta.origin} answered, not the {self.origin}")
        return in_hand(result)

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """Days since 1970-01-01 and hundredths."""
        days, cents = answer
        return [(int(day), int(each)) for day, each in zip(days, cents, strict=True)]

    async def heat(self, asked: Sequence[Question]) -> bool:
        """Ask until the process has what is asked for.

        Args:
            asked: questions of what shall be hot, none of which is asked again.

        Returns:
            whether it has, at the last of them.
        """
        is_hot = False
        for question in asked:
            try:
                await self.rows(question)
            except WrongTier:
                is_hot = False
            else:
                is_hot = True
        return is_hot


def in_hand(result: Result) -> Answer:
    """Date and value of each row, as arrays."""
    columns = result.table.columns
    value = "sum" if "sum" in columns else "measure_value"
    return columns["date_index"].values, columns[value].values


def pairs_of(result: Result) -> list[tuple[int, int]]:
    """Days since 1970-01-01 and hundredths."""
    days, cents = in_hand(result)
    return [(int(day), int(each)) for day, each in zip(days, cents, strict=True)]


@asynccontextmanager
async def open_ours(config: Path, origin: Origin, user: str = USER) -> AsyncIterator[Ours]:
    """A cache of its own, as a file says."""
    async with AnalyticsCache.from_config(config) as cache:
        yield Ours(cache, await cache.authorize(user), origin)
