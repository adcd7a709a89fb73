"""All of one measure: sums by date over 4,014 entries of 70 rows."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Final

from benchmarks.baselines import Place
from benchmarks.baselines.floor import open_bare_floor
from benchmarks.bench import Bench
from benchmarks.data import EVERYTHING, load
from benchmarks.measure import in_turns
from benchmarks.ours import open_ours
from benchmarks.questions import LIMIT, Question
from benchmarks.setting import EVERYTHING_DATASOURCE
from benchmarks.truth import open_truth
from benchmarks.workloads.warms import warm_once

__all__ = ["measure"]

FREQUENCY: Final = "Weekly"
ROUNDS_PART: Final = 4
"""Of the rounds of other queries, one of so many."""

HEATING: Final = 20


async def measure(bench: Bench) -> None:
    """Measure, after the answers were checked."""
    setting = bench.setting
    bench.tell(f"loading and warming the {EVERYTHING.rows:,} rows of one measure")
    load(setting.postgres_url, setting.table(EVERYTHING_DATASOURCE), EVERYTHING)
    warm_once(setting, EVERYTHING_DATASOURCE)
    rounds = bench.effort.queries // ROUNDS_PART
    asked = [_question(number) for number in range(rounds + HEATING)]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_ours(setting.config, "store"))
        resident = await stack.enter_async_context(open_ours(setting.resident, "resident"))
        floor = await stack.enter_async_context(
            open_bare_floor(Place.of(setting, EVERYTHING_DATASOURCE), EVERYTHING)
        )
        truth = stack.enter_context(open_truth(setting))
        truth.check("store", asked[0], store.pairs(await store.sums(asked[0])), sums=True)
        bench.tell("everything of one measure")
        is_hot = await resident.heat(asked[rounds:])
        keys = await floor.keys(asked[0])
        what = {
            "fetch": lambda _: floor.fetch(keys),
            "floor": lambda number: floor.rows(asked[number]),
            "store": lambda number: store.sums(asked[number]),
        }
        if is_hot:
            truth.check(
                "resident", asked[0], resident.pairs(await resident.sums(asked[0])), sums=True
            )
            what["resident"] = lambda number: resident.sums(asked[number])
        times = await in_turns(what, rounds, unmeasured=3)
    bench.figures["everything"] = {
        "entries": EVERYTHING.entries,
        "rows": EVERYTHING.rows,
        "sums": {name: asdict(each) for name, each in times.items()},
    }
    bench.ratios.divide(
        "everything_281k_vs_floor",
        ("store p50 ms", times["store"].p50),
        ("bare fetch p50 ms", times["fetch"].p50),
    )


def _question(number: int) -> Question:
    return Question(
        0, None, frequency=FREQUENCY, datasource=EVERYTHING_DATASOURCE, limit=LIMIT - number
    )
