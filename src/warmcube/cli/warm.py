"""``warmcube warm``: read whole tables and publish them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from warmcube.cli.console import say, say_error
from warmcube.cli.progress import warming
from warmcube.cli.render import warm_line
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.model.schema import Datasource

__all__ = ["warm"]


def warm(
    context: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(parser=integer, metavar="ID", help="The data sources to warm."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Publish although far fewer rows are there than before."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a report as JSON: an object for one ID, else a list of them."
        ),
    ] = False,
) -> None:
    """Read whole tables, and publish them.

    Until a warm has published, the previous snapshot goes on serving.
    """
    cache = state_of(context).open_cache()
    wanted = chosen(cache, ids or [], every=every)
    reports, status = run(_warm_all(cache, wanted, force=force, as_json=as_json))
    if as_json:
        is_one = len(wanted) == 1 and not every
        say(json.dumps(reports[0] if is_one else reports, indent=2))
    raise typer.Exit(status)


async def _warm_all(
    cache: AnalyticsCache, wanted: Sequence[Datasource], *, force: bool, as_json: bool
) -> tuple[list[dict[str, Any]], int]:
    """Warm one after the other; one that fails doesn't keep the others from it."""
    reports: list[dict[str, Any]] = []
    status = 0
    async with cache:
        for datasource in wanted:
            try:
                with warming(datasource.name, is_wanted=not as_json) as progress:
                    report = await cache.warm(datasource.id, force=force, progress=progress)
            except WarmcubeError as error:
                status = status or error.exit_status
                say_error(f"data source {datasource.id} ({datasource.name}): {error}")
                reports.append({"datasource": datasource.id, "error": str(error)})
            else:
                reports.append(asdict(report))
                if not as_json:
                    say(warm_line(report, datasource.name))
    return reports, status
