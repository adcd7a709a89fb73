"""The command: ``python -m benchmarks [service|dashboard] [options]``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis
import uvloop
from adbc_driver_postgresql import dbapi
from rich.console import Console

from benchmarks.bench import FULL, QUICK, Bench
from benchmarks.dashboards import dashboard_main
from benchmarks.data import WHOLE, load, shape_of
from benchmarks.machine import machine
from benchmarks.memory import describe, used_bytes
from benchmarks.plots import draw
from benchmarks.report import show
from benchmarks.service import service_main
from benchmarks.setting import open_setting
from benchmarks.workloads import (
    dashboard,
    everything,
    invalidates,
    memory,
    mix,
    queries,
    refreshes,
    scale,
    seals,
    throughput,
    warms,
)
from warmcube import WarmcubeError
from warmcube.service.allocator import keep_freed_memory
from warmcube.service.pauses import avoid_pauses

COLUMNS: Final = 13
CLIENT: Final = "redis-py's connections under warmcube's adapter, hiredis"
INTERRUPTED: Final = 130
CANCELLED: Final = "57014"

WORKLOADS: Final = {
    "warm": warms.measure,
    "queries": queries.measure,
    "everything": everything.measure,
    "dashboard_many": dashboard.measure,
    "throughput": throughput.measure,
    "mix": mix.measure,
    "memory": memory.measure,
    "seals": seals.measure,
    "invalidate": invalidates.measure,
    "refresh": refreshes.measure,
    "scale": scale.measure,
}


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
    except (WarmcubeError, RuntimeError, OSError, dbapi.Error, redis.RedisError) as error:
        if getattr(error, "sqlstate", None) == CANCELLED:  # how ADBC tells of Ctrl-C
            return _interrupted(console)
        console.print(f"benchmarks: {error}", markup=False)
        return 1
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    show(Console(), found)
    if options.plots is not None:
        draw(found, options.plots)
    return 0


def _interrupted(console: Console) -> int:
    console.print("interrupted; what was made on the servers is removed")
    return INTERRUPTED


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure warmcube beside what people would use instead, on real servers: its "
        "own ones, in a temporary folder, unless others are named.",
        epilog="`service` in front of the options measures the HTTP service instead, `dashboard` "
        "how long it renders the demo's dashboards; they have options of their own.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="in 4 minutes: fewer rounds, not ten times the data"
    )
    parser.add_argument("--rows", type=_rows, help=f"about how many (default {WHOLE.rows:,})")
    parser.add_argument("--json", type=_file, metavar="FILE", help="write all figures there too")
    parser.add_argument(
        "--plots", type=_folder, metavar="DIR", help="draw them into a folder, as PNG"
    )
    parser.add_argument("--only", choices=WORKLOADS, action="append", help="just this workload")
    parser.add_argument(
        "--redis", type=_url("redis", "rediss", "unix"), metavar="URL", help="an idle Redis"
    )
    parser.add_argument(
        "--postgres",
        type=_url("postgres", "postgresql"),
        metavar="URL",
        help="a database in which a schema may be made",
    )
    return parser.parse_args()


def _rows(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 10**8:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a number from 1 to 100000000")
    return int(text)


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}; expected a file in a folder that exists")
    return path


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}; expected a folder that exists")
    return Path(text)


def _url(*schemes: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if urlsplit(text).scheme not in schemes:
            raise argparse.ArgumentTypeError(f"{text!r}; expected a {schemes[0]}:// URL")
        return text

    return check


def _measure(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    wanted = options.only or list(WORKLOADS)
    shape = WHOLE if options.rows is None else shape_of(options.rows)
    before = os.getloadavg()[0]
    keep_freed_memory()  # as `warmcube serve` does; whoever is measured beside it has it too
    with (
        console.status("starting Redis and Postgres") as status,
        open_setting(options.redis, options.postgres) as setting,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):

        def tell(text: str) -> None:
            if console.is_terminal:
                status.update(text)
            else:
                console.print(text, highlight=False)

        bench = Bench(
            setting=setting, shape=shape, effort=QUICK if options.quick else FULL, tell=tell
        )
        facts = machine(setting.redis_url, setting.postgres_url)
        tell(f"loading {shape.rows:,} rows")
        load(setting.postgres_url, setting.table(), shape)
        empty = used_bytes(setting.redis_url)
        tell("warming")
        warms.warm_once(setting)  # also brings the table into Postgres's memory
        bench.figures["memory"] = {"used_bytes": used_bytes(setting.redis_url) - empty}
        described = describe(setting)
        avoid_pauses()  # as `warmcube serve` does
        try:
            for name in sorted(wanted, key=list(WORKLOADS).index):
                if name == "scale" and options.quick:
                    continue
                runner.run(WORKLOADS[name](bench))
        finally:
            gc.unfreeze()  # or DuckDB's bindings report at the end what nobody could collect
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": options.quick,
        "machine": facts,
        "transport": setting.transports,
        "client": CLIENT,
        "data": {"rows": shape.rows, "entries": shape.entries, "columns": COLUMNS} | described,
        **bench.ratios.as_json(),
        "figures": bench.figures,
        "load_average": {"before": before, "after": os.getloadavg()[0]},
    }


if __name__ == "__main__":
    sys.exit(main())
