"""The whole warm, against the least that any warm must do: read the table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, Final

import psycopg
from adbc_driver_postgresql import dbapi

from benchmarks.bench import Bench
from benchmarks.setting import DATASOURCE, Setting

__all__ = ["measure", "warm_once"]

MOST_BYTES: Final = 400_000_000
"""What a warm may take of memory, at its peak."""


async def measure(bench: Bench) -> None:
    """Warm, and read the table with each client, in turns."""
    warms: list[dict[str, Any]] = []
    reads: dict[str, list[float]] = {name: [] for name in _READERS}
    for number in range(bench.effort.warms):
        bench.tell(f"warm {number + 1} of {bench.effort.warms}")
        for name, read in _READERS.items():
            reads[name].append(read(bench.setting, DATASOURCE))
        warms.append(warm_once(bench.setting))
    floors = {name: median(seconds) for name, seconds in reads.items()}
    fastest = min(floors, key=floors.__getitem__)
    ordered = sorted(warms, key=lambda warm: float(warm["seconds"]))
    middle = ordered[(len(ordered) - 1) // 2]
    peak = max(warm["peak_bytes"] or 0 for warm in warms)
    bench.figures["warm"] = {
        "rounds": len(warms),
        "seconds": middle["seconds"],
        "seconds_all": [warm["seconds"] for warm in warms],
        "phases": middle["phases"],
        "copy_seconds": floors,
        "copy_seconds_all": reads,
        "copy_fastest": fastest,
        "peak_bytes": peak,
        "peak_bytes_before": middle["peak_bytes_before"],
        **{name: middle[name] for name in ("rows", "entries", "partitions")},
    }
    bench.ratios.divide(
        "warm_vs_copy",
        ("warm s", middle["seconds"]),
        (f"COPY by {fastest} s", floors[fastest]),
    )


def warm_once(setting: Setting, datasource: int = DATASOURCE) -> dict[str, Any]:
    """A warm in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(  # noqa: S603 (this interpreter, with a path of our own)
        [sys.executable, "-m", "benchmarks.warm_once", str(setting.config), str(datasource)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the warm failed with status {done.returncode}:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _by_adbc(setting: Setting, datasource: int) -> float:
    """ADBC sends a query as COPY … TO STDOUT (FORMAT binary), and makes Arrow batches of it."""
    with dbapi.connect(setting.postgres_url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(f"SELECT * FROM {setting.table(datasource)}")  # noqa: S608 (ours)
        for _ in cursor.fetch_record_batch():
            pass
        return time.perf_counter() - started


def _by_psycopg(setting: Setting, datasource: int) -> float:
    table = setting.table(datasource)
    with psycopg.connect(setting.postgres_url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        statement = f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"  # noqa: S608
        with cursor.copy(statement.encode()) as copy:
            while copy.read():
                pass
        return time.perf_counter() - started


_READERS: Final[dict[str, Callable[[Setting, int], float]]] = {
    "ADBC": _by_adbc,
    "psycopg": _by_psycopg,
}
