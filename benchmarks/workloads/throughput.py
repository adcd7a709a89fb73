"""How many queries a second one process answers, a hundred users at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from itertools import product
from typing import Any, Final, TypeAlias

from benchmarks.baselines import Place
from benchmarks.baselines.postgres import Form, open_postgres
from benchmarks.bench import Bench
from benchmarks.bursts import bursts_in_turns
from benchmarks.field import Ask, open_baselines, open_floors, open_tiers
from benchmarks.ours import Ours
from benchmarks.questions import Question, questions
from benchmarks.setting import CALLERS

__all__ = ["measure"]

Call: TypeAlias = Callable[[int, int], Awaitable[object]]

SIZES: Final = (10, 100)
GOAL_SIZE: Final = 100
HEATING: Final = 60
POOLS: Final = (2, 4, 8, 16)
"""Connections to Postgres, of which the number is taken that does best."""


async def measure(bench: Bench) -> None:
    """Ours, the floor, and Postgres, in turns."""
    found: dict[str, Any] = {"at_a_time": len(CALLERS)}
    calls, rounds = bench.effort.burst, bench.effort.bursts
    for entries in SIZES:
        asked = questions(bench.shape, entries, 2 * calls + HEATING)
        if not asked:
            continue
        asked, heating = asked[:-HEATING], asked[-HEATING:]
        async with AsyncExitStack() as stack:
            await open_baselines(bench, stack, ["postgres_tuned"])
            connections, form = await _tuned(bench, asked)
            postgres = await stack.enter_async_context(
                open_postgres(Place.of(bench.setting), form, connections)
            )
            floor, plain_floor = await open_floors(bench, stack)
            store, resident = await open_tiers(bench, stack)
            what = {
                "floor": _ask(floor.rows, asked),
                "floor_redis_py": _ask(plain_floor.rows, asked),
                "store": _ask_as_callers(await _callers(store), asked),
                "postgres": _ask(postgres.rows, asked),
            }
            callers = await _callers(resident)
            if await resident.heat(heating):
                what["resident"] = _ask_as_callers(callers, asked)
            bench.tell(f"{len(CALLERS)} at a time, {entries} entries each")
            bursts = await bursts_in_turns(what, at_a_time=len(CALLERS), calls=calls, rounds=rounds)
        found[str(entries)] = {name: asdict(each) for name, each in bursts.items()}
        found[str(entries)]["postgres"]["pool"] = {
            "connections": connections,
            "form": form.value,
        }
        if entries == GOAL_SIZE:
            rates = {name: (f"{name} a second", each.per_second) for name, each in bursts.items()}
            bench.ratios.divide("qps_100_vs_floor", rates["store"], rates["floor"])
            if "resident" in rates:
                bench.ratios.divide(
                    "qps_resident_vs_postgres", rates["resident"], rates["postgres"]
                )
            else:
                note = "resident took no part"
                bench.ratios.put("qps_resident_vs_postgres", None, {}, note=note)
    bench.figures["throughput"] = found


async def _tuned(bench: Bench, asked: Sequence[Question]) -> tuple[int, Form]:
    """How many connections, and which form of rows, Postgres does best with."""
    bench.tell("tuning the pool of Postgres")
    async with AsyncExitStack() as stack:
        what = {}
        for connections, form in product(POOLS, (Form.INT8, Form.ARRAYS)):
            postgres = await stack.enter_async_context(
                open_postgres(Place.of(bench.setting), form, connections)
            )
            what[f"{connections} {form.value}"] = _ask(postgres.rows, asked)
        bursts = await bursts_in_turns(
            what, at_a_time=len(CALLERS), calls=bench.effort.burst // 8, rounds=3
        )
    best = max(bursts, key=lambda name: bursts[name].per_second).split()
    return int(best[0]), Form(best[1])


async def _callers(ours: Ours) -> list[Ours]:
    """The same cache, asked by many users: each may have but a few questions open."""
    return [Ours(ours.cache, await ours.cache.authorize(user), ours.origin) for user in CALLERS]


def _ask(ask: Ask, asked: Sequence[Question]) -> Call:
    return lambda _, number: ask(asked[number % len(asked)])


def _ask_as_callers(callers: Sequence[Ours], asked: Sequence[Question]) -> Call:
    return lambda task, number: callers[task].rows(asked[number % len(asked)])
