"""``warmcube query``: one question, as one user."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from warmcube.cli.request import Format, Request
from warmcube.cli.state import integer, not_empty, state_of
from warmcube.cli.where import condition
from warmcube.model.request import AGGREGATES, NULL, OPERATORS, Null, Query

__all__ = ["query"]

_WHERE_HELP: Final = (
    f"A condition; several hold together. OP is one of {', '.join(OPERATORS)}. in, not_in and "
    "between take values parted by commas, or a JSON list where values hold commas; is_null and "
    "not_null take no VALUE."
)


def query(  # noqa: PLR0913, PLR0917 - one parameter for each option
    context: typer.Context,
    id: Annotated[int, typer.Argument(parser=integer, metavar="ID", help="The data source.")],
    user: Annotated[
        str, typer.Option("--as", metavar="USER", parser=not_empty, help="Whose rights count.")
    ],
    measure: Annotated[
        str | None, typer.Option(metavar="M", parser=not_empty, help="Which measure.")
    ] = None,
    null_measure: Annotated[
        bool, typer.Option("--null-measure", help="The rows whose measure is NULL.")
    ] = False,
    frequency: Annotated[
        str | None, typer.Option(metavar="F", parser=not_empty, help="Which frequency.")
    ] = None,
    null_frequency: Annotated[
        bool, typer.Option("--null-frequency", help="The rows whose frequency is NULL.")
    ] = False,
    practice: Annotated[
        list[str] | None,
        typer.Option(metavar="P", parser=not_empty, help="Only this practice; repeatable."),
    ] = None,
    no_practice: Annotated[
        bool, typer.Option("--no-practice", help="An empty list of practices: no rows.")
    ] = False,
    provider: Annotated[
        list[str] | None,
        typer.Option(metavar="V", parser=not_empty, help="Only this provider; repeatable."),
    ] = None,
    no_provider: Annotated[
        bool, typer.Option("--no-provider", help="An empty list of providers: no rows.")
    ] = False,
    organization: Annotated[
        str | None,
        typer.Option(
            metavar="O",
            parser=not_empty,
            help="Only practices of this organization and those below it.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="D", parser=not_empty, help="First day, as 2024-01-31."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="D", parser=not_empty, help="Last day, inclusive."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="COL OP VALUE", help=_WHERE_HELP)
    ] = None,
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
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Also show how the answer came about (on stderr unless the format is table).",
        ),
    ] = False,
) -> None:
    """Answer one question, with the rows that USER may see.

    For example: warmcube query 1 --as ana --measure Charges --frequency Monthly
    --where practice_uid in 101,102 --group-by date_index --aggregate sum
    """
    asked = Query(
        datasource=id,
        measure=_key("measure", measure, is_null=null_measure),
        frequency=_key("frequency", frequency, is_null=null_frequency),
        organization=organization,
        practices=_ids("practice", practice, is_none=no_practice),
        providers=_ids("provider", provider, is_none=no_provider),
        start=start,
        end=end,
        where=[condition(folded) for folded in where or ()],
        group_by=group_by or (),
        aggregate=aggregate,
        order_by=order_by or (),
        limit=limit,
    )
    state_of(context).ask(Request(query=asked, user=user, format=format, explain=explain))


def _key(option: str, name: str | None, *, is_null: bool) -> str | Null | None:
    if is_null and name is not None:
        raise typer.BadParameter(f"--{option} and --null-{option} exclude each other")
    return NULL if is_null else name


def _ids(option: str, ids: list[str] | None, *, is_none: bool) -> list[str] | None:
    """None is no filter, and the empty list is none of them: never the one for the other."""
    if is_none and ids:
        raise typer.BadParameter(f"--{option} and --no-{option} exclude each other")
    return [] if is_none else ids or None
