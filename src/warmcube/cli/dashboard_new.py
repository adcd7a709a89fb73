"""``warmcube dashboard new``: from a look at the data to a first dashboard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from warmcube.cli.console import say
from warmcube.cli.options import Datasource as DatasourceArgument
from warmcube.cli.state import run, state_of
from warmcube.config import Settings, load
from warmcube.dashboard.looking import look
from warmcube.dashboard.parse import parse
from warmcube.dashboard.propose import Facts, propose
from warmcube.errors import ConfigError, WarmcubeError
from warmcube.opening import open_sources

__all__ = ["new"]


def new(
    context: typer.Context,
    id: DatasourceArgument,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to; otherwise into the folder of dashboards."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Look at a data source, and write a first dashboard for it.

    Numbers with their change, a trend, what they are made of, who has most, a table: out of the
    measures that are there, with formats guessed from names and values. The file is yours then.
    """
    settings = load(state_of(context).config, os.environ)
    facts = run(_look(settings, id))
    if not facts.measures:
        raise WarmcubeError(
            f"data source {id} has no rows yet, so nothing can be proposed; try again when it has"
        )
    today = datetime.now(UTC).astimezone(ZoneInfo(facts.datasource.time_zone)).date()
    name, text = propose(facts, today)
    file = output or settings.dashboards_path / f"{name}.toml"
    parsed = parse(tomllib.loads(text), str(file))
    if parsed.dashboard is None:  # pragma: no cover - the tests try odd names and values
        raise WarmcubeError(f"no dashboard can be made of these data: {parsed.troubles[0]}")
    _write(file, text, force=force)
    charts = len(parsed.dashboard.charts)
    say(f"Wrote {file}: {charts} charts of {len(facts.measures)} measures.")
    config = state_of(context).config
    option = "" if config is None else f"--config {shlex.quote(str(config))} "
    say(f"Next: warmcube {option}dashboard check {shlex.quote(str(file))}")


async def _look(settings: Settings, id: int) -> Facts:
    datasource = settings.datasource(id)
    async with contextlib.AsyncExitStack() as stack:
        sources = await asyncio.to_thread(open_sources, settings, stack)
        return await look(sources[datasource.source], datasource)


def _write(file: Path, text: str, *, force: bool) -> None:
    if file.exists() and not force:
        raise ConfigError(
            f"{file} is there already and stays as it is; replace it with --force, or name another "
            "with --output"
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {error.strerror}") from None
