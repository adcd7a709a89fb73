"""The whole warm, against the least that any warm must do, and against the predecessor's."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import Any, Final

from benchmarks.baseline_once import arguments_of
from benchmarks.baselines import Place
from benchmarks.baselines.copying import READERS
from benchmarks.bench import Bench
from benchmarks.setting import DATASOURCE, Setting

__all__ = ["MOST_BYTES", "measure", "warm_once"]

MOST_BYTES: Final = 400_000_000
"""What a warm may take of memory, at its peak."""


async def measure(bench: Bench) -> None:
    """Warm, read the table with each client, and have the predecessor warm, in turns."""
    setting, rounds = bench.setting, bench.effort.warms
    warms: list[dict[str, Any]] = []
    before: list[dict[str, Any]] = []
    reads: dict[str, list[float]] = {name: [] for name in READERS}
    for number in range(rounds):
        bench.tell(f"warm {number + 1} of {rounds}")
        for name, read in READERS.items():
            reads[name].append(await read(setting.postgres_url, setting.table()))
        warms.append(warm_once(setting))
        if number < bench.effort.slow_warms:
            bench.tell("the predecessor's warm")
            before.append(_run("baseline_once", *arguments_of("v2_json", Place.of(setting))))
    bench.made.add("v2_json")
    floors = {name: round(median(seconds), 3) for name, seconds in reads.items()}
    fastest = min(floors, key=floors.__getitem__)
    ordered = sorted(warms, key=lambda warm: float(warm["seconds"]))
    middle = ordered[(len(ordered) - 1) // 2]
    v2_json = median(each["seconds"] for each in before)
    bench.figures["warm"] = {
        "rounds": rounds,
        "seconds": middle["seconds"],
        "seconds_all": [warm["seconds"] for warm in warms],
        "phases": middle["phases"],
        "copy_seconds": floors,
        "copy_seconds_all": reads,
        "copy_fastest": fastest,
        "peak_bytes": max(warm["peak_bytes"] or 0 for warm in warms),
        "peak_bytes_before": middle["peak_bytes_before"],
        "v2_json": {
            "seconds": v2_json,
            "seconds_all": [each["seconds"] for each in before],
            "peak_bytes": max(each["peak_bytes"] or 0 for each in before),
        },
        **{name: middle[name] for name in ("rows", "entries", "partitions")},
    }
    bench.figures["memory"]["v2_json_used_bytes"] = before[-1]["used_bytes"]
    seconds = ("warm s", middle["seconds"])
    bench.ratios.divide("warm_vs_copy", seconds, (f"COPY by {fastest} s", floors[fastest]))
    bench.ratios.divide("v2_json_vs_warm", ("v2_json's warm s", v2_json), seconds)
    bench.ratios.divide(
        "memory_vs_v2_json",
        ("bytes", bench.figures["memory"]["used_bytes"]),
        ("v2_json's bytes", before[-1]["used_bytes"]),
    )


def warm_once(
    setting: Setting, datasource: int = DATASOURCE, *, changed: bool = False
) -> dict[str, Any]:
    """A warm in a process of its own.

    Args:
        setting: the servers.
        datasource: which is warmed.
        changed: only what has changed.

    Raises:
        RuntimeError: it failed.
    """
    how = ("changed",) if changed else ()
    return _run("warm_once", str(setting.config), str(datasource), *how)


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 (this interpreter, with arguments of our own)
        [sys.executable, "-m", f"benchmarks.{module}", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} failed with status {done.returncode}:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report
