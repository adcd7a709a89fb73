"""Rows, and sums by date, of 1 to 1,000 entries: both tiers, the floor, and everybody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final, Literal, TypeAlias

from benchmarks.baselines import Baseline
from benchmarks.baselines.floor import BareFloor
from benchmarks.bench import Bench
from benchmarks.field import (
    Ask,
    by_round,
    check,
    fastest,
    open_baselines,
    open_floors,
    open_tiers,
)
from benchmarks.measure import AT_A_TURN, Summary, in_turns
from benchmarks.ours import MOST_STRAYS, Ours, open_ours
from benchmarks.questions import SIZES, Question, questions
from benchmarks.truth import WrongAnswer, open_truth

__all__ = ["measure"]

Form: TypeAlias = Literal["rows", "sums"]

ONE_PROVIDER: Final = 1
UNMEASURED: Final = 10
"""Rounds before the first that counts: connections, dictionaries, plans."""

CHECKED: Final = 3
"""Questions of each size of which everybody's answer is compared with SQL."""

HEATING: Final = 60
"""Questions to make the partitions hot with."""

SLOW: Final = ("v1", "v2_json")
"""Measured beside the store alone, in fewer rounds: they'd hold up all others."""


async def measure(bench: Bench) -> None:
    """Measure, after everybody's answers were checked."""
    found: dict[str, dict[str, Any]] = {"rows": {}, "sums": {}}
    async with AsyncExitStack() as stack:
        baselines = await open_baselines(
            bench, stack, ("postgres", "postgres_tuned", "duckdb", *SLOW)
        )
        contest = _Contest(
            bench,
            *await open_floors(bench, stack),
            *await open_tiers(bench, stack),
            await stack.enter_async_context(open_ours(bench.setting.unknowing, "store")),
            await stack.enter_async_context(open_ours(bench.setting.uncached, "database")),
            baselines,
        )
        truth = stack.enter_context(open_truth(bench.setting))
        for entries in (ONE_PROVIDER, *SIZES):
            rounds = bench.effort.queries
            asked = questions(bench.shape, entries, 2 * (rounds + UNMEASURED) + HEATING)
            if not asked:
                continue
            bench.tell(f"queries of {entries:,} entries")
            await contest.begin(entries, asked)
            await check(truth, contest.answering, asked[-CHECKED:])
            parts: dict[Form, list[Question]] = {
                "rows": asked[: rounds + UNMEASURED],
                "sums": asked[rounds + UNMEASURED : 2 * (rounds + UNMEASURED)],
            }
            for form, part in parts.items():
                times = await contest.of(form, entries, part)
                found[form][str(entries)] = {name: asdict(each) for name, each in times.items()}
                _judge(bench, form, entries, times, contest.strays)
    bench.figures["queries"] = found


def _judge(
    bench: Bench, form: str, entries: int, times: Mapping[str, Summary], strays: float
) -> None:
    is_resident = {"the process answered": strays <= MOST_STRAYS}

    def divide(name: str, above: str, below: str) -> None:
        forms = fastest(times, above), fastest(times, below)
        if forms[0] is None or forms[1] is None:
            bench.ratios.put(name, None, {}, note=f"{below if forms[0] else above} took no part")
            return
        one, other = ((f"{form} p50 ms", times[form].p50) for form in forms if form)
        tuned = fastest(times, "postgres_tuned")
        note = ""
        if above == "postgres" and tuned is not None:
            note = f"with {tuned}: {times[tuned].p50 / other[1]:.3g}"
        conditions = is_resident if "resident" in forms else {}
        bench.ratios.divide(name, one, other, conditions=conditions, note=note)

    if form == "rows" and entries in SIZES:
        divide(f"store_{entries}_vs_floor", "store", "floor")
        divide(f"postgres_vs_store_{entries}", "postgres", "store")
        divide(f"postgres_vs_resident_{entries}", "postgres", "resident")
    if form == "sums" and entries in (100, 1000):
        divide(f"postgres_vs_resident_{entries}_grouped", "postgres", "resident")
    if (form, entries) == ("rows", 10):
        divide("v1_vs_store_10", "v1", "store_beside_v1")
    if (form, entries) == ("rows", 1000):
        divide("v2_json_vs_store_1000", "v2_json", "store_beside_v2_json")
    if (form, entries) == ("rows", 100):
        divide("resident_100_vs_floor", "resident", "floor")
        p95 = times["store"].p95
        bench.ratios.put("store_100_p95_ms", p95, {"store p95 ms": p95})
    if (form, entries) == ("sums", 100):
        divide("postgres_vs_store_100_grouped", "postgres", "store")
        divide("duckdb_vs_resident_100_grouped", "duckdb", "resident")


class _Contest:
    """Everybody who takes part."""

    def __init__(
        self,
        bench: Bench,
        floor: BareFloor,
        plain_floor: BareFloor,
        store: Ours,
        resident: Ours,
        unknowing: Ours,
        fallback: Ours,
        baselines: Mapping[str, Baseline],
    ) -> None:
        self._bench = bench
        self._floors = (floor, plain_floor)
        self._store = store
        self._resident = resident
        self._unknowing = unknowing
        self._fallback = fallback
        self._baselines = baselines
        self._is_hot = False

    @property
    def answering(self) -> list[Baseline | Ours]:
        """Whose answers can be compared."""
        tiers = [self._store, self._resident] if self._is_hot else [self._store]
        return [*tiers, *self._baselines.values()]

    @property
    def strays(self) -> float:
        """The share of the last questions to the resident tier that another one answered."""
        return self._resident.strays / max(1, self._resident.asked)

    async def begin(self, entries: int, asked: Sequence[Question]) -> None:
        """What is done before a size is measured.

        Raises:
            WrongAnswer: the floor reads something else than entries.
        """
        await self._store.look_up_all(self._bench.shape, providers=entries == ONE_PROVIDER)
        self._is_hot = await self._resident.heat(asked[-HEATING:])
        for floor in self._floors:
            values = await floor.rows(asked[-1])
            if len(values) != entries or None in values:
                raise WrongAnswer(f"the floor read {len(values)} entries of {entries}")
            for measure in range(self._bench.shape.measures):
                question = next((each for each in asked if each.measure == measure), None)
                if question is not None and entries != ONE_PROVIDER:
                    await floor.join(question)

    async def of(self, form: Form, entries: int, asked: Sequence[Question]) -> dict[str, Summary]:
        """Everybody who is fast in turns; then each of the slow, in turns with the store."""
        rounds, every = self._bench.effort.queries, self._bench.effort.slow_every
        fast: dict[str, Ask] = {
            **{floor.name: floor.rows for floor in self._floors},
            "store": _ask(self._store, form),
            "store_lookup": _ask(self._unknowing, form),
        }
        if entries != ONE_PROVIDER:
            fast["one_get"] = self._floors[0].read_joined
        if self._is_hot:
            fast["resident"] = _ask(self._resident, form)
        for name, baseline in self._baselines.items():
            # Of sums, both forms of integers are the same question.
            if name not in SLOW and (form, name) != ("sums", "postgres_arrays_tuned"):
                fast[name] = _ask(baseline, form)
        turns = {name: by_round(ask, asked) for name, ask in fast.items()}
        self._resident.forget_counts()
        times = await in_turns(turns, rounds, UNMEASURED, at_a_turn=AT_A_TURN)
        slow = {name: self._baselines[name] for name in SLOW} | {"database": self._fallback}
        for name, contestant in slow.items():
            turns = {
                name: by_round(_ask(contestant, form), asked),
                f"store_beside_{name}": by_round(_ask(self._store, form), asked),
            }
            few = rounds // every
            anew = by_round(_ask(self._store, form), asked[few + 2 :])
            beside = {f"store_beside_{name}": anew}
            times |= await in_turns(turns, few, unmeasured=2, before=beside)
        return times


def _ask(contestant: Baseline | Ours, form: Form) -> Ask:
    return contestant.sums if form == "sums" else contestant.rows
