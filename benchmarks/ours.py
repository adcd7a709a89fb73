"""warmcube as a contestant: all of `cache.query`, until date and value are in one's hands."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.baselines.api import Answer
from benchmarks.data import Shape
from benchmarks.questions import LIMIT, Question
from benchmarks.setting import DATASOURCE, USER
from warmcube import AnalyticsCache
from warmcube.access.grant import Grant
from warmcube.model.origin import Origin
from warmcube.query.result import Result

__all__ = ["MOST_STRAYS", "Ours", "WrongTier", "in_hand", "open_ours", "pairs_of"]


MOST_STRAYS: Final = 0.01
"""Share of the questions to the resident tier that another one may answer: where a check of the
snapshot fell due."""

GRANT_SECONDS: Final = 10.0
"""How long a grant is used; it holds longer."""

PATIENCE: Final = 20.0
"""Seconds that hot partitions are waited for."""


class WrongTier(RuntimeError):
    """Somebody else answered than was to be measured."""


class Ours:
    """One tier of a cache, for one user.

    Args:
        cache: an open one.
        grant: what the user may see.
        origin: the tier that shall answer.

    Attributes:
        asked: how many questions there were.
        strays: how many of them another tier answered.
    """

    def __init__(self, cache: AnalyticsCache, grant: Grant, origin: Origin) -> None:
        self.cache = cache
        self._grant = grant
        self._since = time.monotonic()
        self.origin = origin
        self.asked = 0
        self.strays = 0

    @property
    def name(self) -> str:
        """As figures are called by."""
        return self.origin

    async def grant(self) -> Grant:
        """What the user may see; decided anew now and then, since grants end."""
        now = time.monotonic()
        if now - self._since > GRANT_SECONDS:
            self._grant = await self.cache.authorize(self._grant.user.id)
            self._since = now
        return self._grant

    async def rows(self, question: Question) -> Answer:
        """Date and value of each row, as arrays."""
        return self.taken(await self.cache.query(question.query(sums=False), await self.grant()))

    async def sums(self, question: Question) -> Answer:
        """The same of each date."""
        return self.taken(await self.cache.query(question.query(sums=True), await self.grant()))

    def taken(self, result: Result) -> Answer:
        """Date and value out of a result.

        Raises:
            WrongTier: another one answered; where resident data were wanted, that is counted.
        """
        self.asked += 1
        if result.meta.origin != self.origin:
            self.strays += 1
            if self.origin != "resident":
                raise WrongTier(f"the {result.meta.origin} answered, not the {self.origin}")
        return in_hand(result)

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """Days since 1970-01-01 and hundredths."""
        days, cents = answer
        return [(int(day), int(each)) for day, each in zip(days, cents, strict=True)]

    def forget_counts(self) -> None:
        """Count from zero again."""
        self.asked = self.strays = 0

    async def look_up_all(
        self, shape: Shape, *, providers: bool = False, datasource: int = DATASOURCE
    ) -> None:
        """Ask for every set once: this process is one that has been asked for a while.

        Args:
            shape: of the data.
            providers: whether the sets of providers are meant, not those of practices.
            datasource: which one.
        """
        for measure in range(shape.measures):
            for practice in range(100, 100 + shape.practices):
                question = Question(measure, (practice,), datasource=datasource)
                if not providers:
                    await self.rows(question)
                    continue
                for provider in range(practice * 100, practice * 100 + shape.providers):
                    await self.rows(replace(question, practices=None, provider=provider))
            await self.rows(Question(measure, None, datasource=datasource))

    async def heat(self, asked: Sequence[Question]) -> bool:
        """Ask until the process has what is asked for.

        Args:
            asked: questions of what shall be hot; each is asked as if for the first time.

        Returns:
            whether it has. Where nothing becomes resident for a while, it won't.
        """
        started = time.monotonic()
        limits = itertools.count(LIMIT - 100_000, -1)
        ever = 0
        while time.monotonic() - started < (PATIENCE if ever else PATIENCE / 5):
            self.forget_counts()
            for question in asked:
                await self.rows(replace(question, limit=next(limits)))
            if not self.strays:
                return True
            ever += self.asked - self.strays
            await asyncio.sleep(0.02)
        return False


def in_hand(result: Result) -> Answer:
    """Date and value of each row, as arrays."""
    value = "sum" if "sum" in result.columns else "measure_value"
    return result.packed("date_index").values, result.packed(value).values


def pairs_of(result: Result) -> list[tuple[int, int]]:
    """Days since 1970-01-01 and hundredths."""
    days, cents = in_hand(result)
    return [(int(day), int(each)) for day, each in zip(days, cents, strict=True)]


@asynccontextmanager
async def open_ours(config: Path, origin: Origin, user: str = USER) -> AsyncIterator[Ours]:
    """A cache of its own, as a file says."""
    async with AnalyticsCache.from_config(config) as cache:
        yield Ours(cache, await cache.authorize(user), origin)
