"""Those who take part in a workload: opened, and with what they answer from made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

from benchmarks.baselines import BASELINES, Baseline, Place
from benchmarks.baselines.floor import BareFloor, open_bare_floor, open_plain_floor
from benchmarks.bench import Bench
from benchmarks.measure import Summary
from benchmarks.ours import Ours, open_ours
from benchmarks.questions import Question
from benchmarks.truth import Truth

__all__ = ["Ask", "by_round", "check", "fastest", "open_baselines", "open_floors", "open_tiers"]

Ask: TypeAlias = Callable[[Question], Awaitable[object]]

IN_PROCESS: Final = "duckdb_table"
"""Gone when it is closed: made each time."""

FORMS: Final = {
    "postgres": ("postgres_numeric", "postgres_int8"),
    "postgres_tuned": ("postgres_int8_tuned", "postgres_arrays_tuned"),
    "duckdb": ("duckdb_table", "duckdb_parquet"),
}
"""What figures are called by, of baselines that have several forms."""

_TABLE_OF: Final = dict.fromkeys(("postgres_int8_tuned", "postgres_arrays_tuned"), "postgres_int8")
"""All forms of integers are of one table."""


async def open_baselines(
    bench: Bench, stack: AsyncExitStack, names: Iterable[str]
) -> dict[str, Baseline]:
    """All forms of some baselines, by their names, ready to be asked.

    What lies on a server is made once, and then found there by all workloads.
    """
    found: dict[str, Baseline] = {}
    for name in names:
        for opener in BASELINES[name]:
            baseline = await stack.enter_async_context(opener(Place.of(bench.setting)))
            found[baseline.name] = baseline
            made = _TABLE_OF.get(baseline.name, baseline.name)
            if made not in bench.made or made == IN_PROCESS:
                bench.tell(f"preparing {baseline.name}")
                await baseline.warm()
                bench.made.add(made)
    return found


async def open_floors(bench: Bench, stack: AsyncExitStack) -> tuple[BareFloor, BareFloor]:
    """The floor on our own adapter, and on redis-py's client."""
    place = Place.of(bench.setting)
    return (
        await stack.enter_async_context(open_bare_floor(place, bench.shape)),
        await stack.enter_async_context(open_plain_floor(place, bench.shape)),
    )


async def open_tiers(bench: Bench, stack: AsyncExitStack) -> tuple[Ours, Ours]:
    """A cache whose process keeps nothing, and one that keeps what is hot."""
    return (
        await stack.enter_async_context(open_ours(bench.setting.config, "store")),
        await stack.enter_async_context(open_ours(bench.setting.resident, "resident")),
    )


async def check(
    truth: Truth, contestants: Iterable[Baseline | Ours], asked: Sequence[Question]
) -> None:
    """Compare the answers to some questions, rows and sums, with SQL.

    Raises:
        WrongAnswer: one is wrong.
    """
    for question in asked:
        for each in contestants:
            for sums in (False, True):
                answer = await (each.sums if sums else each.rows)(question)
                truth.check(each.name, question, each.pairs(answer), sums=sums)


def by_round(ask: Ask, asked: Sequence[Question]) -> Callable[[int], Awaitable[object]]:
    """Asks the question of the round."""
    return lambda number: ask(asked[number])


def fastest(times: Mapping[str, Summary], name: str) -> str | None:
    """The form of a baseline that took the least, as a sceptic would pick it."""
    forms = [each for each in times if each in FORMS.get(name, (name,))]
    return min(forms, key=lambda form: times[form].p50, default=None)
