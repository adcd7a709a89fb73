"""``warmcube values`` and ``warmcube measures``: what a user may filter by, and ask for."""

from __future__ import annotations

from typing import Annotated

import typer

from warmcube.cli import options
from warmcube.cli.request import Format, PlainFormat, Request
from warmcube.cli.state import not_empty, state_of
from warmcube.cli.where import condition
from warmcube.model.request import Query
from warmcube.query.asked import Asked

__all__ = ["measures", "values"]


def values(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    id: options.Datasource,
    column: Annotated[
        str, typer.Argument(parser=not_empty, metavar="COLUMN", help="Whose values.")
    ],
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
    format: Annotated[PlainFormat, typer.Option(help="How they are written.")] = PlainFormat.TABLE,
    explain: options.Explain = False,
) -> None:
    """List the values of a column that USER may filter by: those of USER's rows.

    For example: warmcube values 1 practice_uid --as ana --measure Charges --frequency Monthly

    The values of the measure and the frequency column are those of all partitions.
    """
    query = Query(
        datasource=id,
        measure=options.key("measure", measure, is_null=null_measure),
        frequency=options.key("frequency", frequency, is_null=null_frequency),
        organization=organization,
        practices=options.ids("practice", practice, is_none=no_practice),
        providers=options.ids("provider", provider, is_none=no_provider),
        start=start,
        end=end,
        where=[condition(folded) for folded in where or ()],
    )
    asked = Asked(query=query, wanted="values", column=column)
    state_of(context).ask(Request(asked=asked, user=user, format=Format(format), explain=explain))


def measures(
    context: typer.Context,
    id: options.Datasource,
    user: options.User,
    format: Annotated[PlainFormat, typer.Option(help="How they are written.")] = PlainFormat.TABLE,
    explain: options.Explain = False,
) -> None:
    """List the measures, each with its frequencies, of which USER has rows."""
    asked = Asked(query=Query(datasource=id), wanted="measures")
    state_of(context).ask(Request(asked=asked, user=user, format=Format(format), explain=explain))
