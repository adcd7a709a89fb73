"""``warmcube verify``: compare the cache with its database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from warmcube.cli.console import say, say_error
from warmcube.cli.progress import verifying
from warmcube.cli.render_verify import verify_lines
from warmcube.cli.selection import chosen
from warmcube.cli.state import integer, run, state_of
from warmcube.compare.verifier import DEFAULT_SAMPLE
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.model.schema import Datasource

__all__ = ["verify"]


def verify(
    context: typer.Context,
    ids: Annotated[
        list[int] | None,
        typer.Argument(parser=integer, metavar="ID", help="The data sources to verify."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    sample: Annotated[
        int,
        typer.Option(parser=integer, metavar="N", help="How many slices are compared row by row."),
    ] = DEFAULT_SAMPLE,
    seed: Annotated[
        int | None,
        typer.Option(
            parser=integer, metavar="S", help="The same seed draws the same slices of a snapshot."
        ),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print a report as JSON: an object for one ID, else a list of them."
        ),
    ] = False,
) -> None:
    """Compare the cache with its database, and prove it by itself.

    Counts, sums and checksums of every partition, and sampled slices row by row. Nothing is
    changed, and no value of a row is shown.

    Exit status: 0 all is equal, 1 something differs or is damaged.
    """
    cache = state_of(context).open_cache()
    wanted = chosen(cache, ids or [], every=every)
    reports, status = run(_verify_all(cache, wanted, sample=sample, seed=seed, as_json=as_json))
    if as_json:
        is_one = len(wanted) == 1 and not every
        say(json.dumps(reports[0] if is_one else reports, indent=2))
    raise typer.Exit(status)


async def _verify_all(
    cache: AnalyticsCache,
    wanted: Sequence[Datasource],
    *,
    sample: int,
    seed: int | None,
    as_json: bool,
) -> tuple[list[dict[str, Any]], int]:
    """Verify one after the other; one that fails doesn't keep the others from it."""
    reports: list[dict[str, Any]] = []
    status = 0
    async with cache:
        for each in wanted:
            try:
                with verifying(each.name, is_wanted=not as_json) as progress:
                    report = await cache.verify(
                        each.id, sample=sample, seed=seed, progress=progress
                    )
            except WarmcubeError as error:
                status = status or error.exit_status
                say_error(f"data source {each.id} ({each.name}): {error}")
                reports.append({"datasource": each.id, "error": str(error)})
                continue
            status = status or (0 if report.is_equal else 1)
            reports.append(asdict(report))
            if not as_json:
                for line in verify_lines(report, each.name):
                    say(line)
    return reports, status
