"""How many queries a second one process answers, a hundred users at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

from benchmarks.baselines.api import Place
from benchmarks.baselines.floor import open_bare_floor
from benchmarks.bench import Bench
from benchmarks.bursts import bursts_in_turns
from benchmarks.ours import Ours, open_ours
from benchmarks.questions import Question, questions
from benchmarks.setting import CALLERS

__all__ = ["measure"]

SIZES: Final = (10, 100)
HEATING: Final = 200


async def measure(bench: Bench) -> None:
    """Ours, the floor, and Postgres, in turns."""
    found: dict[str, Any] = {}
    for entries in SIZES:
        calls, rounds = bench.effort.burst, bench.effort.bursts
        # No round has a question of the last one; where there are too few, they come again later.
        asked = questions(bench.shape, entries, 2 * calls + HEATING)
        if not asked:
            continue
        bench.tell(f"{len(CALLERS)} at a time, {entries} entries each")
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(open_ours(bench.setting.config, "store"))
            resident = await stack.enter_async_context(
                open_ours(bench.setting.resident, "resident")
            )
            floor = await stack.enter_async_context(
                open_bare_floor(Place.of(bench.setting), bench.shape)
            )
            what = {
                "floor": _ask(floor.rows, asked[:-HEATING]),
                "store": _ask_as_callers(await _callers(store), asked[:-HEATING]),
            }
            if await resident.heat(asked[-HEATING:]):
                what["resident"] = _ask_as_callers(await _callers(resident), asked[:-HEATING])
            bursts = await bursts_in_turns(what, at_a_time=len(CALLERS), calls=calls, rounds=rounds)
        found[str(entries)] = {name: asdict(each) for name, each in bursts.items()}
        if entries == 100:
            bench.ratios.divide(
                "qps_100_vs_floor",
                ("store a second", bursts["store"].per_second),
                ("bare calls a second", bursts["floor"].per_second),
            )
    bench.figures["throughput"] = found


async def _callers(ours: Ours) -> list[Ours]:
    """The same cache, asked by many users: each may have but a few questions open."""
    return [Ours(ours.cache, await ours.cache.authorize(user), ours.origin) for user in CALLERS]


def _ask(
    ask: Callable[[Question], Awaitable[object]], asked: list[Question]
) -> Callable[[int, int], Awaitable[object]]:
    return lambda _, number: ask(asked[number % len(asked)])


def _ask_as_callers(
    callers: list[Ours], asked: list[Question]
) -> Callable[[int, int], Awaitable[object]]:
    return lambda task, number: callers[task].rows(asked[number % len(asked)])
