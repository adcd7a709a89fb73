"""What a database itself says of each partition: counts, sums and ranges of its columns, in SQL.

It is what the cache is compared with, so none of it is computed from rows that a warm would read.
Pure: builds texts, and reads what they give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, TypeAlias

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Column, Kind
from warmcube.source.select import SelectColumn

__all__ = [
    "TAMEST",
    "ColumnFigures",
    "Expressions",
    "PartitionFigures",
    "Sum",
    "figures_statements",
    "float_expressions",
    "read_figures",
]

TAMEST: Final = 1e290
"""Floats from this magnitude on aren't added up, since the sum could leave a float's range, which
is an error in Postgres; they are counted instead, like NaN and the infinities."""

COLUMNS: Final = 100
"""Of one statement; Postgres takes 1,664 results, and each column has up to four."""

Sum: TypeAlias = Fraction | str | None
"""Exact; ``NaN``, ``Infinity`` or ``-Infinity`` as Postgres's sum would be; None without values."""
Expressions: TypeAlias = Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnFigures:
    """Of one column, as far as they apply to its type.

    Attributes:
        nulls: how many rows have none.
        sum: of integers and numerics.
        floats: the sum of floats below `TAMEST`, that of their magnitudes, and how many others
            there are.
        range: the least and the greatest date or instant in storage form, infinities left out.
        is_summed: whether `sum` was computed.
    """

    nulls: int
    sum: Sum = None
    floats: tuple[float, float, int] | None = None
    range: tuple[int, int] | None = None
    is_summed: bool = False


@dataclass(slots=True)
class PartitionFigures:
    """Of one partition."""

    name: PartitionName
    rows: int
    columns: dict[str, ColumnFigures] = field(default_factory=dict)


def figures_statements(
    table: str,
    keys: tuple[SelectColumn | None, SelectColumn | None],
    columns: Sequence[tuple[SelectColumn, Expressions]],
) -> Iterator[tuple[str, list[str]]]:
    """Statements that give measure, frequency, rows, and of each column its NULLs and its own.

    Args:
        table: quoted.
        keys: the columns of measure and frequency; a role that the table lacks is NULL.
        columns: with the expressions that are wanted of each.

    Yields:
        a statement, and which columns it is about.
    """
    names = [column.text if column else "NULL::text" for column in keys]
    grouping = [column.text for column in keys if column]
    group_by = f" GROUP BY {', '.join(grouping)}" if grouping else ""
    for at in range(0, max(len(columns), 1), COLUMNS):
        wanted = [*names, "count(*)"]
        for column, expressions in columns[at : at + COLUMNS]:
            wanted += [f"count(*) - count({column.plain})", *expressions]
        sql = f"SELECT {', '.join(wanted)} FROM {table}{group_by}"  # noqa: S608 (quoted)
        yield sql, [column.name for column, _ in columns[at : at + COLUMNS]]


def float_expressions(plain: str) -> Expressions:
    """The three of a float column; NaN is the greatest of all to both databases."""
    value = f"({plain})::float8"
    tame = f"abs({value}) < {TAMEST!r}"
    return (
        f"sum({value}) FILTER (WHERE {tame})",
        f"sum(abs({value})) FILTER (WHERE {tame})",
        f"count(*) FILTER (WHERE NOT {tame})",
    )


def read_figures(
    found: dict[PartitionName, PartitionFigures],
    rows: Iterable[Sequence[Any]],
    columns: Sequence[Column],
    expressions: Mapping[str, int],
) -> None:
    """Take in what a statement gave.

    Args:
        found: gets it.
        rows: of its result.
        columns: which it was about.
        expressions: by column, how many were wanted of it.
    """
    for measure, frequency, count, *values in rows:
        if not count:
            continue
        name = PartitionName(measure, frequency)
        figures = found.setdefault(name, PartitionFigures(name, count))
        at = 0
        for column in columns:
            wanted = expressions[column.name]
            nulls, *own = values[at : at + 1 + wanted]
            at += 1 + wanted
            figures.columns[column.name] = _figures(column.type.kind, nulls, own)


def _figures(kind: Kind, nulls: int, own: Sequence[Any]) -> ColumnFigures:
    if not own:
        return ColumnFigures(nulls=nulls)
    if kind.is_float:
        total, size, others = own
        return ColumnFigures(nulls=nulls, floats=(total or 0.0, size or 0.0, others))
    if kind.is_number:
        return ColumnFigures(nulls=nulls, sum=_sum(own[0]), is_summed=True)
    least, greatest = own
    between = None if least is None else (int(least), int(greatest))
    return ColumnFigures(nulls=nulls, range=between)


def _sum(text: str | None) -> Sum:
    if text is None or text in ("NaN", "Infinity", "-Infinity"):
        return text
    return Fraction(text)
