"""``warmcube worker``: the process that keeps data sources warm."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Final

import typer

from warmcube.cli.console import say, stdout
from warmcube.cli.render_worker import event_facts, event_line, status_tables
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.model.schema import Datasource
from warmcube.worker.events import Event
from warmcube.worker.status import Status, read_status
from warmcube.worker.worker import Worker

__all__ = ["worker"]

HARD_SECONDS: Final = 45.0
"""How long giving up may take; then the process just ends, and its lease soon after."""


def worker(
    context: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(
            parser=integer, metavar="ID", help="The data sources to keep warm; all without it."
        ),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Warm what is due, and end: for cron and Kubernetes jobs."),
    ] = False,
    status: Annotated[
        bool,
        typer.Option(
            "--status", help="Show what the workers do, and end; status 1 where none is alive."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: a line for each thing that happens.")
    ] = False,
) -> None:
    """Keep data sources warm, for as long as it runs.

    Each is warmed when it is cold, well before its snapshot's life is over, and after damage. Any
    number of workers may run, on any machines: they share the work. SIGTERM or Ctrl-C let a warm
    that runs get done, within [worker] shutdown seconds; once more gives it up at once.
    """
    if once and status:
        raise typer.BadParameter("--once and --status are given; expected one of them")
    cache = state_of(context).open_cache()
    wanted = chosen(cache, ids or [], every=not ids)
    if status:
        _show(run(_status(cache, wanted)), as_json=as_json)
    names = {each.id: each.name for each in wanted}
    raise typer.Exit(run(_keep_warm(cache, wanted, names, once=once, as_json=as_json)))


async def _keep_warm(
    cache: AnalyticsCache,
    wanted: Sequence[Datasource],
    names: Mapping[int, str],
    *,
    once: bool,
    as_json: bool,
) -> int:
    """Run a worker until it is told to end, or until nothing is due; the exit status."""
    async with cache:
        keeper = Worker(cache, wanted, partial(_tell, names=names, as_json=as_json))
        _end_when_told(keeper, cache.settings.worker.shutdown)
        if once:
            return 1 if await keeper.run_once() else 0
        await keeper.run()
        return 0


def _end_when_told(keeper: Worker, shutdown: float) -> None:
    """Have signals end a worker, in order if it can be: a database that hangs may keep it."""
    loop = asyncio.get_running_loop()
    times = 0

    def stop() -> None:
        nonlocal times
        times += 1
        keeper.stop()
        last = threading.Timer((shutdown if times == 1 else 0) + HARD_SECONDS, os._exit, [1])
        last.daemon = True
        last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def _status(cache: AnalyticsCache, wanted: Sequence[Datasource]) -> Status:
    async with cache:
        return await read_status(cache.store, cache.settings.store.namespace, cache.jobs, wanted)


def _show(status: Status, *, as_json: bool) -> None:
    """Print a status, and end.

    Raises:
        typer.Exit: always; 1 where a data source has no worker.
    """
    if as_json:
        say(json.dumps(status.as_dict(), indent=2))
    else:
        for table in status_tables(status):
            stdout().print(table)
    raise typer.Exit(0 if status.is_looked_after else 1)


def _tell(event: Event, *, names: Mapping[int, str], as_json: bool) -> None:
    """Print what happened, at once: also to a pipe."""
    now = datetime.now(UTC)
    if as_json:
        time = now.isoformat(timespec="milliseconds")
        say(json.dumps({"time": time, **event_facts(event)}))
    else:
        say(f"{now:%Y-%m-%d %H:%M:%S} {event_line(event, names)}")
    sys.stdout.flush()
