"""Asking a cache on behalf of the command line, and writing down what it says."""

from __future__ import annotations

import typer

from warmcube.access.grant import Grant
from warmcube.cli.console import is_terminal, stderr, stdout, write_bytes
from warmcube.cli.render import result_line
from warmcube.cli.render_explain import explanation_tree
from warmcube.cli.render_rows import rows_of
from warmcube.cli.request import Format, Request
from warmcube.engine import AnalyticsCache
from warmcube.query.asked import Asked
from warmcube.query.formats import WRITERS
from warmcube.query.result import Result

__all__ = ["answer", "check_format"]


def check_format(request: Request) -> None:
    """Refuses to write binary formats on somebody's terminal.

    Raises:
        typer.BadParameter: if that is what would happen.
    """
    if request.format in (Format.PARQUET, Format.ARROW) and is_terminal():
        raise typer.BadParameter(
            f"--format {request.format} is binary: send it to a file with > FILE"
        )


async def answer(cache: AnalyticsCache, request: Request) -> None:
    """Answers one request on stdout.

    Raises:
        WarmcubeError: whatever keeps it from being answered.
    """
    grant = await cache.authorize(request.user)
    _write(request, await _ask(cache, request.asked, grant))


async def _ask(cache: AnalyticsCache, asked: Asked, grant: Grant) -> Result:
    query = asked.query
    if asked.wanted == "measures":
        return (await cache.measures(query.datasource, grant)).result
    if asked.wanted == "values":
        values = await cache.values(
            query.datasource,
            asked.column,
            grant,
            measure=query.measure,
            frequency=query.frequency,
            organization=query.organization,
            practices=query.practices,
            providers=query.providers,
            start=query.start,
            end=query.end,
            where=query.where,
        )
        return values.result
    ask = cache.export if asked.purpose == "export" else cache.query
    return await ask(query, grant)


def _write(request: Request, result: Result) -> None:
    console = stdout() if request.format is Format.TABLE else stderr()
    if request.format is Format.TABLE:
        console.print(rows_of(result, console, is_cut=is_terminal()))
        console.print(result_line(result))
    else:
        write_bytes(WRITERS[request.format](result))
    if request.explain and result.explanation is not None:
        console.print(explanation_tree(result.explanation))
