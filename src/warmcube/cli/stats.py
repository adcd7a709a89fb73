"""``warmcube stats``: what the cache holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from warmcube.cli.console import say, stdout
from warmcube.cli.render import stats_table
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.model.schema import Datasource
from warmcube.observe.stats import Stats

__all__ = ["stats"]


def stats(
    context: typer.Context,
    id: Annotated[
        int | None,
        typer.Argument(parser=integer, metavar="ID", help="The data source; all without it."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object for one ID, else a list of them.")
    ] = False,
) -> None:
    """Show what the cache holds.

    Rows, entries, bytes, age, and how often it answered since the last warm.
    """
    cache = state_of(context).open_cache()
    wanted = chosen(cache, [] if id is None else [id], every=id is None)
    found = run(_read_all(cache, wanted))
    if as_json:
        reports = [asdict(each) for each in found]
        say(json.dumps(reports if id is None else reports[0], indent=2))
        return
    for each in found:
        stdout().print(stats_table(each))


async def _read_all(cache: AnalyticsCache, wanted: Sequence[Datasource]) -> list[Stats]:
    async with cache:
        return [await cache.stats(datasource.id) for datasource in wanted]
