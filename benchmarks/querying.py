"""How long a query takes: through the cache, at the floor, and from Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Final

from benchmarks.data import Shape
from benchmarks.floor import BareFloor
from benchmarks.measure import in_turns
from benchmarks.postgres import DirectPostgres
from benchmarks.questions import SIZES, Question, questions
from benchmarks.setting import USER, Setting
from warmcube import AnalyticsCache
from warmcube.access.grant import Grant
from warmcube.query.result import Result
from warmcube.store.connect import open_store

__all__ = ["measure_fallback", "measure_queries"]

UNMEASURED: Final = 5
"""Rounds before the first that counts: connections, dictionaries, plans."""


@dataclass(frozen=True, slots=True)
class _Contest:
    """Everybody who answers, and one round's question for each round."""

    cache: AnalyticsCache
    grant: Grant
    floor: BareFloor
    postgres: DirectPostgres
    asked: list[Question]

    async def cache_rows(self, number: int) -> Result:
        return await self.cache.query(self.asked[number].query(sums=False), self.grant)

    async def cache_sums(self, number: int) -> Result:
        return await self.cache.query(self.asked[number].query(sums=True), self.grant)

    async def floor_bytes(self, number: int) -> list[bytes]:
        return await self.floor.read(self.asked[number])

    async def postgres_rows(self, number: int) -> Any:
        return self.postgres.ask(self.asked[number], sums=False)

    async def postgres_sums(self, number: int) -> Any:
        return self.postgres.ask(self.asked[number], sums=True)

    async def check(self, entries: int) -> None:
        """Fast answers that are wrong count for nothing.

        Raises:
            RuntimeError: if they are, or if the cache didn't give them.
        """
        rows, sums = await self.cache_rows(0), await self.cache_sums(0)
        values = await self.floor_bytes(0)
        direct = await self.postgres_sums(0)
        expected = {
            day: Decimal(cents) / 100
            for day, cents in zip(
                direct["day"].to_pylist(), direct["cents"].to_pylist(), strict=True
            )
        }
        found = {row["date_index"].toordinal() - _EPOCH: row["sum"] for row in sums.rows()}
        facts = {
            "origin": (rows.meta.origin, "store"),
            "entries": (rows.meta.entries, entries),
            "entries of the floor": (len(values), entries),
            "missing values of the floor": (values.count(None), 0),  # type: ignore[arg-type]
            "rows": (len(rows), len(await self.postgres_rows(0))),
            "sums": (found, expected),
        }
        for name, (given, wanted) in facts.items():
            if given != wanted:
                raise RuntimeError(f"{name} at {entries} entries: {given}, expected {wanted}")


_EPOCH: Final = 719163  # date(1970, 1, 1).toordinal()


async def measure_queries(setting: Setting, shape: Shape, rounds: int) -> list[dict[str, Any]]:
    """By number of entries: the cache, the floor and Postgres, in turns and on one event loop.

    Raises:
        RuntimeError: an answer that isn't right, or isn't the store's.
    """
    found = []
    async with (
        AnalyticsCache.from_config(setting.config) as cache,
        _bare_floor(setting, shape) as floor,
    ):
        grant = await cache.authorize(USER)
        with DirectPostgres(setting.postgres_url) as postgres:
            for entries in SIZES:
                asked = questions(shape, entries, UNMEASURED + rounds)
                if not asked:
                    continue
                contest = _Contest(cache, grant, floor, postgres, asked)
                await contest.check(entries)
                times = await in_turns(
                    {
                        "cache_rows": contest.cache_rows,
                        "cache_sums": contest.cache_sums,
                        "floor": contest.floor_bytes,
                        "postgres_rows": contest.postgres_rows,
                        "postgres_sums": contest.postgres_sums,
                    },
                    rounds,
                    UNMEASURED,
                )
                found.append(
                    {"entries": entries, **{name: asdict(each) for name, each in times.items()}}
                )
    return found


@asynccontextmanager
async def _bare_floor(setting: Setting, shape: Shape) -> AsyncIterator[BareFloor]:
    store = open_store(setting.redis_url)
    try:
        floor = BareFloor(store)
        await floor.prepare(shape)
        yield floor
    finally:
        await store.close()


async def measure_fallback(setting: Setting, shape: Shape, rounds: int) -> list[dict[str, Any]]:
    """By number of entries: the same queries, answered by the database under the same grant.

    Raises:
        RuntimeError: something else answered.
    """
    found = []
    async with AnalyticsCache.from_config(setting.uncached) as cache:
        grant = await cache.authorize(USER)
        for entries in SIZES:
            asked = questions(shape, entries, 1 + rounds)
            if not asked:
                continue

            async def ask(number: int, asked: list[Question] = asked) -> Result:
                result = await cache.query(asked[number].query(sums=False), grant)
                if result.meta.origin != "database":
                    raise RuntimeError(f"the {result.meta.origin} answered, not the database")
                return result

            times = await in_turns({"rows": ask}, rounds, 1)
            found.append({"entries": entries, "rows": asdict(times["rows"])})
    return found
