"""``warmcube invalidate``: take snapshots away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from warmcube.cli.console import say
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.model.schema import Datasource

__all__ = ["invalidate"]


def invalidate(
    context: typer.Context,
    id: Annotated[
        int | None, typer.Argument(parser=integer, metavar="ID", help="The data source.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
) -> None:
    """Take a snapshot away, at once for all readers.

    Until the next warm its database answers. A warm that is under way can't publish any more.
    """
    cache = state_of(context).open_cache()
    wanted = chosen(cache, [] if id is None else [id], every=every)
    run(_invalidate_all(cache, wanted))


async def _invalidate_all(cache: AnalyticsCache, wanted: Sequence[Datasource]) -> None:
    async with cache:
        for datasource in wanted:
            done = await cache.invalidate(datasource.id)
            what = "is cold now" if done.was_live else "was cold already"
            where = f"data source {datasource.id} ({datasource.name})"
            say(f"{where} {what}; {done.keys:,} keys removed")
