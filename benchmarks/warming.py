"""How long a warm takes, against the least that any warm must do: read the table."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

from adbc_driver_postgresql import dbapi

from benchmarks.data import TABLE
from benchmarks.setting import Setting

__all__ = ["measure_warm", "warm_once"]


def measure_warm(setting: Setting, rounds: int) -> dict[str, Any]:
    """Warm and read in turns.

    Returns:
        medians; the phases are those of the warm of median length.
    """
    reads, warms = [], []
    for _ in range(rounds):
        reads.append(_read_and_drop(setting.postgres_url))
        warms.append(warm_once(setting))
    ordered = sorted(warms, key=lambda warm: float(warm["seconds"]))
    middle = ordered[(len(ordered) - 1) // 2]
    floor = median(reads)
    peaks = [warm["peak_bytes"] for warm in warms if warm["peak_bytes"] is not None]
    return {
        "rounds": rounds,
        "seconds": middle["seconds"],
        "seconds_all": [warm["seconds"] for warm in warms],
        "phases": middle["phases"],
        "floor_seconds": round(floor, 3),
        "floor_seconds_all": [round(seconds, 3) for seconds in reads],
        "times_floor": round(middle["seconds"] / floor, 2),
        "peak_bytes": max(peaks, default=None),
        "peak_bytes_before": middle["peak_bytes_before"],
        "rows": middle["rows"],
        "entries": middle["entries"],
        "partitions": middle["partitions"],
    }


def warm_once(setting: Setting) -> dict[str, Any]:
    """A warm in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(  # noqa: S603 (this interpreter, with a path of our own)
        [sys.executable, "-m", "benchmarks.warm_once", str(setting.config)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the warm failed with status {done.returncode}:\n{done.stderr}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _read_and_drop(url: str) -> float:
    """Seconds to read the whole table: ADBC sends a query as COPY … TO STDOUT (FORMAT binary)."""
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(f"SELECT * FROM {TABLE}")  # noqa: S608 (a constant)
        for _ in cursor.fetch_record_batch():
            pass
        return time.perf_counter() - started
