"""Which data sources a command is about: ids, or ``--all``."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from warmcube.engine import AnalyticsCache
from warmcube.model.schema import Datasource

__all__ = ["chosen"]


def chosen(cache: AnalyticsCache, ids: Sequence[int], *, every: bool) -> list[Datasource]:
    """The data sources meant, each once.

    Raises:
        typer.BadParameter: neither or both of ids and ``--all``.
        UnknownDatasource: there is none with one of the ids.
    """
    if every == bool(ids):
        known = ", ".join(f"{each.id} ({each.name})" for each in cache.datasources)
        both = "not both" if every else "one of them"
        raise typer.BadParameter(
            f"give the ID of a data source, or --all, {both}: there is {known}"
        )
    if every:
        return list(cache.datasources)
    return [cache.settings.datasource(each) for each in dict.fromkeys(ids)]
