"""The SQL that reads a table in storage form, for Postgres and DuckDB alike. Pure: builds texts.

Identifiers are quoted, values are parameters, always (S608 can't see that, hence its waivers).
Text is compared by code point: where a column's own collation would take two different texts for
equal, ``COLLATE "C"`` is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from warmcube.model.schema import ColumnType

__all__ = ["Parameter", "SelectColumn", "Statement", "count_statement", "table_statement"]

Parameter: TypeAlias = str | Sequence[str] | None
"""Parameters are bound as text or text[], and cast in the SQL to what they are compared with."""


class SelectColumn(Protocol):
    """What a column is to the SQL that reads it."""

    @property
    def name(self) -> str:
        """Unquoted."""

    @property
    def type(self) -> ColumnType:
        """What it is kept as."""

    @property
    def plain(self) -> str:
        """Its value as its base type."""

    @property
    def text(self) -> str:
        """Its value as text, to be grouped and compared by code point."""

    @property
    def key(self) -> tuple[str, str]:
        """How it is compared: the left side (fit for an index if may be), and the right's type."""

    @property
    def selected(self) -> str:
        """The expression that brings it over the wire so that nothing of it is lost."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement and its parameters."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


def table_statement(table: str, selected: Sequence[str], condition: str = "") -> Statement:
    """Some expressions of every row, or of those under a condition. `table` is quoted."""
    where = f" WHERE {condition}" if condition else ""
    return Statement(f"SELECT {', '.join(selected)} FROM {table}{where}")  # noqa: S608


def count_statement(
    table: str,
    measure: SelectColumn | None,
    frequency: SelectColumn | None,
    condition: str = "",
    parameters: Sequence[Parameter] = (),
) -> Statement:
    """Rows per measure and frequency; a role that the table lacks is NULL.

    Args:
        table: quoted.
        measure: its column.
        frequency: likewise.
        condition: on the rows that are counted.
        parameters: of the condition.
    """
    keys = [column.text if column else "NULL::text" for column in (measure, frequency)]
    grouping = [column.text for column in (measure, frequency) if column]
    group_by = f" GROUP BY {', '.join(grouping)}" if grouping else ""
    where = f" WHERE {condition}" if condition else ""
    sql = f"SELECT {', '.join(keys)}, count(*) FROM {table}{where}{group_by}"  # noqa: S608
    return Statement(sql, tuple(parameters))
