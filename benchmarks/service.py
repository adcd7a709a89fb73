"""How many queries the HTTP service answers: ``python -m benchmarks service``.

wrk asks from a process of its own, on the same machine: 10 entries (a practice of 10 providers) of
24 rows and 13 columns each, in the form ``columns``, with a token, as several users, each about
practices of their own, of several measures. The service runs as an operator runs it, with its
audit and its access log; its Redis is on the same machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx
from adbc_driver_postgresql import dbapi
from rich.console import Console
from rich.table import Table

from benchmarks.data import load, shape_of
from benchmarks.machine import machine
from benchmarks.setting import ANALYSTS, DATASOURCE, Setting, open_setting
from benchmarks.workloads.warms import warm_once
from warmcube.authn.issue import issue_token
from warmcube.config import load as load_settings

__all__ = ["service_main"]

CONNECTIONS: Final = (32, 100)
TIERS: Final = {"resident": 64 << 20, "store": 0}
"""Bytes of answers that a process keeps: as by default, and none, so that Redis is always asked."""
MEASURES: Final = 2
SAMPLE: Final = 20
SECRET: Final = "benchmark" * 5

_CONFIGURATION: Final = """
[service]
port = 0
[[auth.keys]]
issuer = "benchmark"
audience = "benchmark"
algorithms = ["HS256"]
key_file = "token.key"
"""

_SCRIPT: Final = """
local requests, count = {}, 0
local bodies, tokens = %s, %s
function init()
    for number, body in ipairs(bodies) do
        requests[number] = wrk.format("POST", "/api/query", {
            ["Content-Type"] = "application/json",
            ["Authorization"] = "Bearer " .. tokens[number],
        }, body)
    end
end
function request()
    count = count + 1
    return requests[count %% #requests + 1]
end
function done(summary, latency, requests)
    io.write(string.format(
        '\\n{"requests": %%d, "microseconds": %%d, "p50": %%.3f, "p95": %%.3f, "p99": %%.3f, ' ..
        '"errors": {"connect": %%d, "read": %%d, "write": %%d, "status": %%d, "timeout": %%d}}\\n',
        summary.requests, summary.duration, latency:percentile(50) / 1000,
        latency:percentile(95) / 1000, latency:percentile(99) / 1000, summary.errors.connect,
        summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class _Call:
    """One of the requests that are sent, and what it asks."""

    user: str
    practice: int
    measure: str

    @property
    def body(self) -> str:
        return json.dumps(
            {
                "datasource": DATASOURCE,
                "measure": self.measure,
                "frequency": "Monthly",
                "practices": [self.practice],
                "format": "columns",
            }
        )


def service_main(arguments: Sequence[str]) -> int:
    """Measure, print, and write what was asked for.

    Args:
        arguments: after ``service``.

    Returns:
        0; 1 where an answer was wrong or an error came; 2 where there is no wrk.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks service", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 seconds each instead of 20")
    parser.add_argument("--workers", type=int, default=2, help="processes of the service")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        sys.stderr.write("wrk isn't on PATH; install it (apt-get install wrk, brew install wrk)\n")
        return 2
    found = _measure(options.workers, 5 if options.quick else 20)
    _show(Console(), found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if all(not any(each["errors"].values()) for each in found["loads"]) else 1


def _measure(workers: int, seconds: int) -> dict[str, Any]:
    with open_setting() as setting:
        load(setting.postgres_url, setting.table(), shape_of(MEASURES * 102_000))
        warm_once(setting)
        facts = machine(setting.redis_url, setting.postgres_url)
        calls = [
            _Call(user, practice, f"Measure {measure}")
            for user, practices in ANALYSTS.items()
            for practice, measure in product(practices, range(MEASURES))
        ]
        with setting.config.open("a", encoding="utf-8") as file:
            file.write(_CONFIGURATION)
        key = setting.config.with_name("token.key")
        key.touch(mode=0o600)
        key.write_text(SECRET, encoding="ascii")
        loads = [
            {"tier": tier, **each}
            for tier, kept in TIERS.items()
            for each in _measure_tier(setting, calls, workers=workers, seconds=seconds, kept=kept)
        ]
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "workers": workers,
        "load_average": os.getloadavg()[0],
        "checked_answers": 2 * SAMPLE * len(TIERS),
        "loads": loads,
    }


def _measure_tier(
    setting: Setting, calls: Sequence[_Call], *, workers: int, seconds: int, kept: int
) -> list[dict[str, Any]]:
    """One service, under each number of connections."""
    with (
        _serving(setting, workers, kept) as (process, url),
        tempfile.NamedTemporaryFile("w", suffix=".lua") as script,
    ):
        tokens = _tokens(setting)
        _check(url, tokens, calls, setting)
        script.write(_script(calls, tokens))
        script.flush()
        _load(process, url, script.name, connections=32, seconds=2)  # warms up
        loads = [
            _load(process, url, script.name, connections=each, seconds=seconds)
            for each in CONNECTIONS
        ]
        _check(url, tokens, calls, setting)
        return loads


def _tokens(setting: Setting) -> dict[str, str]:
    settings = load_settings(setting.config, {})
    return {user: issue_token(settings, user, int(time.time()), 3600) for user in ANALYSTS}


def _script(calls: Sequence[_Call], tokens: dict[str, str]) -> str:
    def table(texts: Iterator[str]) -> str:
        return "{" + ", ".join(f"[[{text}]]" for text in texts) + "}"

    # [[101]] would end a Lua string of the same brackets.
    bodies = (each.body.replace("[", "[ ").replace("]", " ]") for each in calls)
    return _SCRIPT % (table(bodies), table(tokens[each.user] for each in calls))


@contextmanager
def _serving(
    setting: Setting, workers: int, kept: int
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The service, in processes of its own."""
    command = "import sys; from warmcube.cli import main; sys.exit(main())"
    words = ("--config", str(setting.config), "serve", "--workers", str(workers))
    with (
        setting.config.with_name("service.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", command, *words],
            env={**os.environ, "WARMCUBE_CACHE__RESIDENT_BYTES": str(kept)},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        line = process.stdout.readline() if process.stdout is not None else ""
        try:
            if "http://" not in line:
                why = setting.config.with_name("service.log").read_text(encoding="utf-8")
                raise RuntimeError(f"the service didn't start: {why}")
            yield process, next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


def _check(url: str, tokens: dict[str, str], calls: Sequence[_Call], setting: Setting) -> None:
    """Fast answers that are wrong count for nothing.

    Raises:
        RuntimeError: one is.
    """
    with dbapi.connect(setting.postgres_url) as connection, connection.cursor() as cursor:
        for call in calls[:: max(1, len(calls) // SAMPLE)][:SAMPLE]:
            headers = {"Authorization": f"Bearer {tokens[call.user]}"}
            body = {**json.loads(call.body)}
            answered = httpx.post(f"{url}/api/query", json=body, headers=headers)
            columns = answered.raise_for_status().json()["columns"]
            names = ("provider_uid", "date_index", "measure_value", "origin")
            rows = Counter(zip(*(columns[name] for name in names), strict=True))
            cursor.execute(
                "SELECT provider_uid, date_index::text, measure_value::text, origin "  # noqa: S608 (ours)
                f"FROM {setting.table()} WHERE measure = $1 AND frequency = 'Monthly' "
                "AND practice_uid = $2",
                (call.measure, call.practice),
            )
            expected = Counter(cursor.fetchall())
            if rows != expected or expected.total() != 240:
                raise RuntimeError(f"{call} was answered wrongly")


def _load(
    process: subprocess.Popen[str], url: str, script: str, *, connections: int, seconds: int
) -> dict[str, Any]:
    """One run of wrk."""
    before = _cpu_seconds(process.pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script, url]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    used = _cpu_seconds(process.pid) - before
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return {
        "connections": connections,
        "requests": told["requests"],
        "per_second": told["requests"] / (told["microseconds"] / 1e6),
        "p50": told["p50"],
        "p95": told["p95"],
        "p99": told["p99"],
        "errors": told["errors"],
        "cpu_microseconds": None if before == 0 else used / told["requests"] * 1e6,
    }


def _cpu_seconds(supervisor: int) -> float:
    """What the service's processes have used; 0 where the system doesn't tell."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    if not children.exists():
        return 0.0
    ticks = 0
    for pid in (supervisor, *map(int, children.read_text(encoding="ascii").split())):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _show(console: Console, found: dict[str, Any]) -> None:
    facts = found["machine"]
    console.print(
        f"{facts['cores']} cores for the service ({found['workers']} processes), Redis and wrk; "
        f"load average {found['load_average']:.1f}; {found['checked_answers']} answers were SQL's",
        soft_wrap=True,
    )
    title = "10 entries, 240 rows of 13 columns, over HTTP"
    names = ("tier", "connections", "a second", "p50 ms", "p95", "p99", "errors", "CPU µs")
    table = Table(*names, title=title)
    for each in found["loads"]:
        kinds = [f"{count} {kind}" for kind, count in each["errors"].items() if count]
        cpu = each["cpu_microseconds"]
        table.add_row(
            each["tier"],
            str(each["connections"]),
            f"{each['per_second']:,.0f}",
            *(f"{each[name]:.1f}" for name in ("p50", "p95", "p99")),
            ", ".join(kinds) or "none",
            "" if cpu is None else f"{cpu:.0f}",
        )
    for column in table.columns:
        column.justify = "right"
    console.print(table)
