"""Rows, and sums by date, of 10, 100 and 1,000 entries: both tiers, the floor, and the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

from benchmarks.baselines.api import Place
from benchmarks.baselines.floor import BareFloor, open_bare_floor
from benchmarks.bench import Bench
from benchmarks.measure import Summary, in_turns
from benchmarks.ours import Ours, open_ours
from benchmarks.postgres import DirectPostgres
from benchmarks.questions import SIZES, Question, questions
from benchmarks.truth import Truth, WrongAnswer, open_truth

__all__ = ["measure"]

UNMEASURED: Final = 10
"""Rounds before the first that counts: connections, dictionaries, plans."""

CHECKED: Final = 3
"""Questions of each size of which everybody's answer is compared with SQL."""

HEATING: Final = 200
"""Questions after which a partition is expected to be hot."""


async def measure(bench: Bench) -> None:
    """Measure, after everybody's answers were checked."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_ours(bench.setting.config, "store"))
        resident = await stack.enter_async_context(open_ours(bench.setting.resident, "resident"))
        floor = await stack.enter_async_context(
            open_bare_floor(Place.of(bench.setting), bench.shape)
        )
        postgres = stack.enter_context(DirectPostgres(bench.setting))
        postgres.prepare()
        truth = stack.enter_context(open_truth(bench.setting))
        contest = _Contest(store, resident, floor, postgres)
        found: dict[str, Any] = {"rows": {}, "sums": {}}
        for entries in SIZES:
            rounds = bench.effort.queries
            asked = questions(bench.shape, entries, 2 * (rounds + UNMEASURED) + HEATING)
            if not asked:
                continue
            bench.tell(f"queries of {entries:,} entries")
            await contest.check(truth, asked[:CHECKED], entries)
            is_hot = await resident.heat(asked[-HEATING:])
            for form, half in (("rows", 0), ("sums", rounds + UNMEASURED)):
                part = asked[half : half + rounds + UNMEASURED]
                times = await in_turns(contest.of(form, part, is_hot=is_hot), rounds, UNMEASURED)
                found[form][entries] = {name: asdict(each) for name, each in times.items()}
                _judge(bench, form, entries, times)
    bench.figures["queries"] = found


def _judge(bench: Bench, form: str, entries: int, times: dict[str, Summary]) -> None:
    p50 = {f"{name} p50 ms": each.p50 for name, each in times.items()}

    def divide(name: str, above: str, below: str) -> None:
        above, below = f"{above} p50 ms", f"{below} p50 ms"
        if below in p50 and above in p50:
            bench.ratios.divide(name, (above, p50[above]), (below, p50[below]))
        else:
            bench.ratios.put(name, None, {}, note="the process had nothing resident")

    if form == "rows":
        divide(f"store_{entries}_vs_floor", "store", "floor")
        divide(f"postgres_vs_store_{entries}", "postgres", "store")
        divide(f"postgres_vs_resident_{entries}", "postgres", "resident")
        if entries == 100:
            divide("resident_100_vs_floor", "resident", "floor")
            p95 = times["store"].p95
            bench.ratios.put("store_100_p95_ms", p95, {"store p95 ms": p95})
    elif entries >= 100:
        divide(f"postgres_vs_resident_{entries}_grouped", "postgres", "resident")
        if entries == 100:
            divide("postgres_vs_store_100_grouped", "postgres", "store")


class _Contest:
    """Everybody who answers."""

    def __init__(
        self, store: Ours, resident: Ours, floor: BareFloor, postgres: DirectPostgres
    ) -> None:
        self._store = store
        self._resident = resident
        self._floor = floor
        self._postgres = postgres

    def of(
        self, form: str, asked: Sequence[Question], *, is_hot: bool
    ) -> dict[str, Callable[[int], Awaitable[object]]]:
        """Who takes part, each asked the question of the round."""
        is_sums = form == "sums"

        async def postgres(question: Question) -> object:
            return self._postgres.ask(question, sums=is_sums)

        contestants: dict[str, Callable[[Question], Awaitable[object]]] = {
            "floor": self._floor.rows,
            "store": self._store.sums if is_sums else self._store.rows,
            "postgres": postgres,
        }
        if is_hot:
            contestants["resident"] = self._resident.sums if is_sums else self._resident.rows
        return {name: _by_round(each, asked) for name, each in contestants.items()}

    async def check(self, truth: Truth, asked: Sequence[Question], entries: int) -> None:
        """Compare with SQL.

        Raises:
            WrongAnswer: somebody's answer is wrong.
        """
        for question in asked:
            values = await self._floor.rows(question)
            if len(values) != entries or None in values:
                raise WrongAnswer(f"the floor read {len(values)} entries of {entries}")
            for sums in (False, True):
                answer = await (self._store.sums if sums else self._store.rows)(question)
                truth.check("the store", question, self._store.pairs(answer), sums=sums)
                table = self._postgres.ask(question, sums=sums)
                pairs = list(zip(table["day"].to_pylist(), table["cents"].to_pylist(), strict=True))
                truth.check("Postgres", question, pairs, sums=sums)


def _by_round(
    ask: Callable[[Question], Awaitable[object]], asked: Sequence[Question]
) -> Callable[[int], Awaitable[object]]:
    return lambda number: ask(asked[number])
