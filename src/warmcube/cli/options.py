"""The options by which a question is narrowed, the same for every command that asks one."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import typer

from warmcube.cli.state import integer, not_empty
from warmcube.model.request import NULL, OPERATORS, Null

__all__ = [
    "Datasource",
    "End",
    "Explain",
    "Frequency",
    "Measure",
    "NoPractice",
    "NoProvider",
    "NullFrequency",
    "NullMeasure",
    "Organization",
    "Practices",
    "Providers",
    "Start",
    "User",
    "Where",
    "ids",
    "key",
    "names",
]

_WHERE_HELP: Final = (
    f"A condition; several hold together. OP is one of {', '.join(OPERATORS)}. in, not_in and "
    "between take values parted by commas, or a JSON list where values hold commas; is_null and "
    "not_null take no VALUE."
)

Datasource: TypeAlias = Annotated[
    int, typer.Argument(parser=integer, metavar="ID", help="The data source.")
]
User: TypeAlias = Annotated[
    str, typer.Option("--as", metavar="USER", parser=not_empty, help="Whose rights count.")
]
Measure: TypeAlias = Annotated[
    str | None, typer.Option(metavar="M", parser=not_empty, help="Which measure.")
]
NullMeasure: TypeAlias = Annotated[
    bool, typer.Option("--null-measure", help="The rows whose measure is NULL.")
]
Frequency: TypeAlias = Annotated[
    str | None, typer.Option(metavar="F", parser=not_empty, help="Which frequency.")
]
NullFrequency: TypeAlias = Annotated[
    bool, typer.Option("--null-frequency", help="The rows whose frequency is NULL.")
]
Practices: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="P", parser=not_empty, help="Only this practice; repeatable."),
]
NoPractice: TypeAlias = Annotated[
    bool, typer.Option("--no-practice", help="An empty list of practices: no rows.")
]
Providers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="V", parser=not_empty, help="Only this provider; repeatable."),
]
NoProvider: TypeAlias = Annotated[
    bool, typer.Option("--no-provider", help="An empty list of providers: no rows.")
]
Organization: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="O",
        parser=not_empty,
        help="Only practices of this organization and those below it.",
    ),
]
Start: TypeAlias = Annotated[
    str | None,
    typer.Option("--from", metavar="D", parser=not_empty, help="First day, as 2024-01-31."),
]
End: TypeAlias = Annotated[
    str | None,
    typer.Option("--to", metavar="D", parser=not_empty, help="Last day, inclusive."),
]
Where: TypeAlias = Annotated[
    list[str] | None, typer.Option("--where", metavar="COL OP VALUE", help=_WHERE_HELP)
]
Explain: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Also show how the answer came about (on stderr unless the format is table).",
    ),
]


def key(option: str, name: str | None, *, is_null: bool) -> str | Null | None:
    """A measure or a frequency, as a query takes it.

    Raises:
        typer.BadParameter: it is named, and said to be NULL.
    """
    if is_null and name is not None:
        raise typer.BadParameter(f"--{option} and --null-{option} exclude each other")
    return NULL if is_null else name


def names(given: list[str] | None, *, is_null: bool) -> list[str | Null] | None:
    """Measures or frequencies to be warmed; None for all."""
    found: list[str | Null] = [*(given or []), *([NULL] if is_null else [])]
    return found or None


def ids(option: str, given: list[str] | None, *, is_none: bool) -> list[str] | None:
    """None is no filter, and the empty list is none of them: never the one for the other.

    Raises:
        typer.BadParameter: some are given, and none are wanted.
    """
    if is_none and given:
        raise typer.BadParameter(f"--{option} and --no-{option} exclude each other")
    return [] if is_none else given or None
