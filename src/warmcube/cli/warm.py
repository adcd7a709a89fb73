"""``warmcube warm``: read whole tables and publish them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from warmcube.cli import options
from warmcube.cli.console import say, say_error
from warmcube.cli.progress import warming
from warmcube.cli.render import warm_line
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, not_empty, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.model.schema import Datasource
from warmcube.warm.report import WarmReport

__all__ = ["warm"]


def warm(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(parser=integer, metavar="ID", help="The data sources to warm."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="M", parser=not_empty, help="Read only this measure anew; repeatable."
        ),
    ] = None,
    null_measure: Annotated[
        bool, typer.Option("--null-measure", help="And the rows whose measure is NULL.")
    ] = False,
    frequency: Annotated[
        list[str] | None,
        typer.Option(
            metavar="F", parser=not_empty, help="Read only this frequency anew; repeatable."
        ),
    ] = None,
    null_frequency: Annotated[
        bool, typer.Option("--null-frequency", help="And the rows whose frequency is NULL.")
    ] = False,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Read only what has changed since the last warm."),
    ] = False,
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
    """Read tables, and publish them: whole, or some partitions of them.

    With --measure or --frequency, or with --changed, the rest is carried over from the live
    snapshot. Until a warm has published, the previous snapshot goes on serving.
    """
    measures = options.names(measure, is_null=null_measure)
    frequencies = options.names(frequency, is_null=null_frequency)
    if (measures or frequencies) and (every or len(ids or []) > 1):
        raise typer.BadParameter("--measure and --frequency are of one data source; name its ID")
    if (measures or frequencies) and changed:
        raise typer.BadParameter("--changed finds by itself what to read; name nothing besides")
    cache = state_of(context).open_cache()
    wanted = chosen(cache, ids or [], every=every)
    asked = partial(
        cache.warm, measures=measures, frequencies=frequencies, changed=changed, force=force
    )
    reports, status = run(_warm_all(cache, asked, wanted, as_json=as_json))
    if as_json:
        is_one = len(wanted) == 1 and not every
        say(json.dumps(reports[0] if is_one else reports, indent=2))
    raise typer.Exit(status)


async def _warm_all(
    cache: AnalyticsCache,
    warm_one: Callable[..., Awaitable[WarmReport]],
    wanted: Sequence[Datasource],
    *,
    as_json: bool,
) -> tuple[list[dict[str, Any]], int]:
    """Warm one after the other; one that fails doesn't keep the others from it."""
    reports: list[dict[str, Any]] = []
    status = 0
    async with cache:
        for datasource in wanted:
            try:
                with warming(datasource.name, is_wanted=not as_json) as progress:
                    report = await warm_one(datasource.id, progress=progress)
            except WarmcubeError as error:
                status = status or error.exit_status
                say_error(f"data source {datasource.id} ({datasource.name}): {error}")
                reports.append({"datasource": datasource.id, "error": str(error)})
            else:
                reports.append(asdict(report))
                if not as_json:
                    say(warm_line(report, datasource.name))
    return reports, status
