"""``warmcube query``: one question, as one user."""

from __future__ import annotations

from typing import Annotated

import typer

from warmcube.cli import options
from warmcube.cli.request import Format, Request
from warmcube.cli.state import integer, not_empty, state_of
from warmcube.cli.where import condition
from warmcube.model.request import AGGREGATES, Query
from warmcube.query.asked import Asked

__all__ = ["query"]


def query(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    id: options.Datasource,
    user: options.User,
    measure: options.Measure = None,
    null_measure: options.NullMeasure = False,
    frequency: options.Frequency = None,
    null_frequency: options.NullFrequency = False,
    practice: options.Practices = None,
    no_practice: options.NoPractice = False,
    provider: options.Providers = None,
    no_provider: options.NoProvider = False,
    organization: options.Organization = None,
    start: options.Start = None,
    end: options.End = None,
    where: options.Where = None,
    group_by: Annotated[
        list[str] | None,
        typer.Option(metavar="COL", parser=not_empty, help="Group by this column; repeatable."),
    ] = None,
    aggregate: Annotated[
        str | None,
        typer.Option(
            metavar="FN",
            parser=not_empty,
            help=f"Of the value column: one of {', '.join(AGGREGATES)}.",
        ),
    ] = None,
    order_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COL",
            parser=not_empty,
            help="Order by this column, descending with a minus in front (--order-by=-COL); "
            "repeatable.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", parser=integer, help="At most N rows, after ordering."),
    ] = None,
    format: Annotated[
        Format, typer.Option(help="How the answer is written; parquet and arrow to a file or pipe.")
    ] = Format.TABLE,
    explain: options.Explain = False,
    export: Annotated[
        bool,
        typer.Option("--export", help="Only what USER may export too; denied to who may not."),
    ] = False,
) -> None:
    """Answer one question, with the rows that USER may see.

    For example: warmcube query 1 --as ana --measure Charges --frequency Monthly
    --where practice_uid in 101,102 --group-by date_index --aggregate sum
    """
    asked = Query(
        datasource=id,
        measure=options.key("measure", measure, is_null=null_measure),
        frequency=options.key("frequency", frequency, is_null=null_frequency),
        organization=organization,
        practices=options.ids("practice", practice, is_none=no_practice),
        providers=options.ids("provider", provider, is_none=no_provider),
        start=start,
        end=end,
        where=[condition(folded) for folded in where or ()],
        group_by=group_by or (),
        aggregate=aggregate,
        order_by=order_by or (),
        limit=limit,
    )
    state_of(context).ask(
        Request(
            asked=Asked(query=asked, purpose="export" if export else "read"),
            user=user,
            format=format,
            explain=explain,
        )
    )
