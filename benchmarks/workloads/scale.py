"""Ten times the practices: the warm, and a query of as many entries as before."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from typing import Any, Final

from benchmarks.bench import Bench
from benchmarks.data import load
from benchmarks.field import by_round
from benchmarks.measure import AT_A_TURN, in_turns
from benchmarks.ours import open_ours
from benchmarks.questions import questions
from benchmarks.setting import LARGE_DATASOURCE
from benchmarks.truth import open_truth
from benchmarks.workloads.warms import MOST_BYTES, warm_once

__all__ = ["measure"]

TIMES: Final = 10
ENTRIES: Final = 100
UNMEASURED: Final = 10
WARMS: Final = 3


async def measure(bench: Bench) -> None:
    """Warm both tables in turns, then ask both in turns."""
    setting, shape = bench.setting, bench.shape.with_more_practices(TIMES)
    bench.tell(f"loading {shape.rows:,} rows")
    load(setting.postgres_url, setting.table(LARGE_DATASOURCE), shape)
    small: list[dict[str, Any]] = []
    large: list[dict[str, Any]] = []
    for number in range(WARMS):
        bench.tell(f"warm {number + 1} of {WARMS} of {shape.rows:,} rows")
        small.append(warm_once(setting))
        large.append(warm_once(setting, LARGE_DATASOURCE))
    per_row = {
        name: sorted(each["seconds"] / each["rows"] * 1e6 for each in warms)[len(warms) // 2]
        for name, warms in (("small", small), ("large", large))
    }
    peaks = {
        name: max(each["peak_bytes"] or 0 for each in warms)
        for name, warms in (("small", small), ("large", large))
    }
    bench.ratios.divide(
        "warm_10x_time",
        ("µs a row, ten times the data", per_row["large"]),
        ("µs a row", per_row["small"]),
        conditions={
            "peak memory at most 400 MB": max(peaks.values()) <= MOST_BYTES,
        },
        note=f"peak memory {peaks['small'] / 1e6:.0f} and {peaks['large'] / 1e6:.0f} MB",
    )
    bench.figures["scale"] = {
        "rows": shape.rows,
        "warm_seconds": {
            "small": [each["seconds"] for each in small],
            "large": [each["seconds"] for each in large],
        },
        "phases": large[-1]["phases"],
        "peak_bytes": peaks,
        "rows_100_entries": await _ask(bench),
    }


async def _ask(bench: Bench) -> dict[str, Any]:
    rounds = bench.effort.queries
    large_shape = bench.shape.with_more_practices(TIMES)
    asked = questions(bench.shape, ENTRIES, rounds + UNMEASURED)
    beside = questions(large_shape, ENTRIES, rounds + UNMEASURED)
    beside = [replace(each, datasource=LARGE_DATASOURCE) for each in beside]
    bench.tell("queries of ten times the data")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_ours(bench.setting.knowing, "store"))
        unknowing = await stack.enter_async_context(open_ours(bench.setting.unknowing, "store"))
        truth = stack.enter_context(open_truth(bench.setting))
        truth.check("store", beside[0], store.pairs(await store.rows(beside[0])), sums=False)
        await store.look_up_all(bench.shape)
        await store.look_up_all(large_shape, datasource=LARGE_DATASOURCE)
        times = await in_turns(
            {
                "small": by_round(store.rows, asked),
                "large": by_round(store.rows, beside),
                "small_lookup": by_round(unknowing.rows, asked),
                "large_lookup": by_round(unknowing.rows, beside),
            },
            rounds,
            UNMEASURED,
            at_a_turn=AT_A_TURN,
        )
    looked_up = times["large_lookup"].p50 / times["small_lookup"].p50
    bench.ratios.divide(
        "scale_10x_store",
        ("p50 ms, ten times the data", times["large"].p50),
        ("p50 ms", times["small"].p50),
        note=f"looked up: {looked_up:.3g}",
    )
    return {name: asdict(each) for name, each in times.items()}
