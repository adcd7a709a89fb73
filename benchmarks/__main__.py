"""The command: ``python -m benchmarks [service|dashboard] [--quick] [--rows N] [--json FILE]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from adbc_driver_postgresql import dbapi
from rich.console import Console

from benchmarks.dashboards import dashboard_main
from benchmarks.data import WHOLE, Shape, load, shape_of
from benchmarks.machine import machine
from benchmarks.memory import measure_memory, used_bytes
from benchmarks.querying import measure_fallback, measure_queries
from benchmarks.report import show
from benchmarks.seals import measure_seals
from benchmarks.service import service_main
from benchmarks.setting import Setting, open_setting
from benchmarks.warming import measure_warm, warm_once
from warmcube import WarmcubeError

COLUMNS = 13
INTERRUPTED = 130
CANCELLED = "57014"


def main() -> int:
    """Measure, print, and write what was asked for.

    Returns:
        0; 1 where something failed; 130 where it was interrupted.
    """
    parts = {"service": service_main, "dashboard": dashboard_main}
    if sys.argv[1:2] and sys.argv[1] in parts:
        return parts[sys.argv[1]](sys.argv[2:])
    options = _options()
    console = Console(stderr=True)
    try:
        found = _measure(options, console)
    except KeyboardInterrupt:
        return _interrupted(console)
    except (WarmcubeError, RuntimeError, dbapi.Error) as error:
        if getattr(error, "sqlstate", None) == CANCELLED:  # how ADBC tells of Ctrl-C
            return _interrupted(console)
        console.print(f"benchmarks: {error}", markup=False)
        return 1
    show(Console(), found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _interrupted(console: Console) -> int:
    console.print("interrupted; the servers are stopped and their data removed")
    return INTERRUPTED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure warmcube on servers of its own, in a temporary folder.",
        epilog="`service` in front of the options measures the HTTP service instead, `dashboard` "
        "how long it renders the demo's dashboards.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer rows, fewer rounds")
    parser.add_argument(
        "--rows", type=_rows, help=f"about how many (default {WHOLE.rows:,}; --quick: a fifth)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    return parser.parse_args()


def _rows(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 10**8:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 1 to 100000000")
    return int(text)


def _measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    shape = shape_of(options.rows or (WHOLE.rows // 5 if options.quick else WHOLE.rows))
    warms, queries, fallbacks = (2, 100, 10) if options.quick else (3, 500, 30)
    before = os.getloadavg()[0]
    with console.status("starting Redis and Postgres") as status, open_setting() as setting:
        status.update(f"loading {shape.rows:,} rows")
        facts = machine(setting.redis_url, setting.postgres_url)
        load(setting.postgres_url, shape)
        empty = used_bytes(setting.redis_url)
        status.update("warming")
        warm_once(setting)  # also brings the table into Postgres's memory
        memory = measure_memory(setting.redis_url, empty)
        warm = measure_warm(setting, warms)
        status.update("asking")
        answers, fallback = _ask(setting, shape, queries, fallbacks)
        return {
            "measured": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": facts,
            "data": {"rows": shape.rows, "entries": shape.entries, "columns": COLUMNS},
            "warm": warm,
            "queries": answers,
            "memory": memory,
            "fallback": fallback,
            "seals": measure_seals(queries),
            "load_average": {"before": before, "after": os.getloadavg()[0]},
        }


def _ask(
    setting: Setting, shape: Shape, queries: int, fallbacks: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return (
            runner.run(measure_queries(setting, shape, queries)),
            runner.run(measure_fallback(setting, shape, fallbacks)),
        )


if __name__ == "__main__":
    sys.exit(main())
