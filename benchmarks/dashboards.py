"""How long the server renders a dashboard: ``python -m benchmarks dashboard``.

The demo's data, users and dashboards, on servers of its own. Measured is what the service does
between a request and its body: its sender's rights are looked up, the dashboard is found for them,
its questions are judged, read and audited, its figures put together and written as JSON. Both tiers
are asked in turns; Redis and this process share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.measure import in_turns
from warmcube import AnalyticsCache, WarmcubeError
from warmcube.config import load as load_settings
from warmcube.dashboard.document import rendered_json
from warmcube.dashboard.files import open_library
from warmcube.dashboard.render import Renderer
from warmcube.dashboard.rendered import RenderedDashboard, UniversalFilters
from warmcube.demo.generate import DEFAULT_ROWS
from warmcube.demo.session import open_demo
from warmcube.embedded import EmbeddedRedis
from warmcube.service.problems import problem_of

__all__ = ["dashboard_main", "open_viewers"]

TIERS: Final[Mapping[str, Mapping[str, str]]] = {
    "resident": {},
    "store": {"WARMCUBE_CACHE__RESIDENT_BYTES": "0"},
}
"""What a process that keeps answers, and one that keeps none, have in their environment."""
USERS: Final = ("north", "root")
DASHBOARDS: Final = ("provider", "practice", "executive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody at a dashboard.

    Attributes:
        cache: of one tier.
        renderer: on it.
        user: who.
        dashboard: which one.
    """

    cache: AnalyticsCache
    renderer: Renderer
    user: str
    dashboard: str

    async def render(self) -> RenderedDashboard:
        """The figures."""
        grant = await self.cache.authorize(self.user, anew=False)
        found = await self.renderer.dashboard(self.dashboard, grant)
        return await self.renderer.render(found, UniversalFilters(), grant)

    async def look(self, _: int = 0) -> bytes:
        """The whole of it: the body of the response.

        Args:
            number: of the round; all are alike.
        """
        return rendered_json(await self.render(), _described)


def dashboard_main(arguments: Sequence[str]) -> int:
    """Measure, print, and write what was asked for.

    Args:
        arguments: after ``dashboard``.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks dashboard", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="50 rounds instead of 500")
    parser.add_argument("--rows", type=int, default=DEFAULT_ROWS, help="of the demo's data")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args(arguments)
    rounds = 50 if options.quick else 500
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(_measure(options.rows, rounds))
    _show(Console(), found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


async def _measure(rows: int, rounds: int) -> dict[str, Any]:
    before = os.getloadavg()[0]
    async with open_viewers(rows) as (viewers, facts):
        renders = [
            await _measure_one({tier: viewers[tier, user, name] for tier in TIERS}, user, rounds)
            for name in DASHBOARDS
            for user in USERS
        ]
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "rows": rows,
        "renders": renders,
        "load_average": {"before": before, "after": os.getloadavg()[0]},
    }


@asynccontextmanager
async def open_viewers(
    rows: int,
) -> AsyncIterator[tuple[dict[tuple[str, str, str], Viewer], dict[str, Any]]]:
    """Each user at each dashboard on each tier, on a warm demo; and what it all runs on.

    Args:
        rows: of the demo's data.
    """
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
        demo = await stack.enter_async_context(open_demo(folder, rows))
        await demo.cache.warm(1)
        viewers = {}
        for tier, environment in TIERS.items():
            settings = load_settings(demo.configuration, environment)
            cache = await stack.enter_async_context(AnalyticsCache(settings))
            renderer = Renderer(cache, open_library(settings))
            for user, name in product(USERS, DASHBOARDS):
                viewers[tier, user, name] = Viewer(
                    cache=cache, renderer=renderer, user=user, dashboard=name
                )
        redis = stack.enter_context(EmbeddedRedis(settings.embedded_folder / "redis"))
        yield viewers, machine(redis.url, demo.url)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="warmcube-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # as root, Postgres runs as somebody else and must reach its data
        yield folder


async def _measure_one(tiers: Mapping[str, Viewer], user: str, rounds: int) -> dict[str, Any]:
    """One dashboard of one user, on each tier."""
    shown = {tier: await viewer.render() for tier, viewer in tiers.items()}
    kept = await tiers["resident"].render()
    _check(shown["store"], kept)
    taken = await in_turns({tier: each.look for tier, each in tiers.items()}, rounds, 5)
    cpu = {tier: await _cpu_seconds(each.look, rounds) for tier, each in tiers.items()}
    return {
        "dashboard": kept.id,
        "user": user,
        "charts": kept.meta.charts,
        "queries": kept.meta.queries,
        "rows_fetched": kept.meta.rows_fetched,
        "bytes": len(await tiers["store"].look()),
        "tiers": {
            tier: {**asdict(each), "cpu": round(cpu[tier] * 1000, 3)}
            for tier, each in taken.items()
        },
    }


async def _cpu_seconds(work: Callable[[], Awaitable[object]], rounds: int) -> float:
    """What this process, the client's side of Redis included, needs for one."""
    started = time.process_time()
    for _ in range(rounds):
        await work()
    return (time.process_time() - started) / rounds


def _check(store: RenderedDashboard, kept: RenderedDashboard) -> None:
    """Fast answers that are wrong count for nothing.

    Raises:
        RuntimeError: a chart has an error, or the tiers differ, or aren't those that are meant.
    """
    if (store.meta.origin, kept.meta.origin) != ("store", "resident"):
        raise RuntimeError(f"{kept.id} came from {store.meta.origin} and {kept.meta.origin}")
    for one, other in zip(store.charts, kept.charts, strict=True):
        if one.error is not None or other.error is not None:
            raise RuntimeError(f"{kept.id}, {one.id}: {one.error or other.error}")
        if (one.facets, one.change, one.progress) != (other.facets, other.change, other.progress):
            raise RuntimeError(f"{kept.id}, {one.id} differs between Redis and what is kept")


def _described(error: WarmcubeError) -> dict[str, Any]:
    return problem_of(error).as_json()


def _show(console: Console, found: dict[str, Any]) -> None:
    facts, load = found["machine"], found["load_average"]
    console.print(
        f"{facts['cores']} cores, {found['rows']:,} rows of the demo's data; load average "
        f"{load['before']:.1f} to {load['after']:.1f}",
        soft_wrap=True,
    )
    names = ("dashboard", "user", "charts", "asked", "rows", "kB", "tier", "p50 ms", "p95", "p99")
    table = Table(*names, "CPU ms", title="Rendering a dashboard on the server")
    for each in found["renders"]:
        for tier, taken in each["tiers"].items():
            table.add_row(
                each["dashboard"],
                each["user"],
                str(each["charts"]),
                str(each["queries"]),
                f"{each['rows_fetched']:,}",
                f"{each['bytes'] / 1000:.0f}",
                tier,
                *(f"{taken[name]:.1f}" for name in ("p50", "p95", "p99", "cpu")),
            )
    for column in table.columns[2:]:
        column.justify = "right"
    console.print(table)
