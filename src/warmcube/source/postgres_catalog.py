"""What Postgres's catalog says of a table; everything here blocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from warmcube.errors import SourceError, TableMismatch
from warmcube.source.api import DescribedColumn
from warmcube.source.names import TableName, similar
from warmcube.source.postgres_column import PostgresColumn
from warmcube.source.postgres_connection import PostgresConnection

__all__ = ["Described", "describe", "public", "relation_kind"]

_SQL: Final = files("warmcube.source") / "sql"
_DESCRIBE: Final = (_SQL / "describe.sql").read_text()
_RELATION_KIND: Final = (_SQL / "relation_kind.sql").read_text()
_RELATIONS: Final = (_SQL / "relations.sql").read_text()


@dataclass(frozen=True, slots=True)
class Described:
    """A table's columns, and when this was so by the database's clock.

    Attributes:
        as_of: when.
        columns: in the table's order.
        is_plain: whether it is one plain table: then its values are of the declared digits.
    """

    as_of: datetime
    columns: tuple[PostgresColumn, ...]
    is_plain: bool = False


def describe(connection: PostgresConnection, table: TableName) -> Described:
    """The columns of a table.

    Raises:
        TableMismatch: there is no such table, or it has no columns.
    """
    doing = f"looking at {table}"
    rows = connection.query(_DESCRIBE, doing, (table.schema, table.name)).to_pylist()
    if not rows:
        raise _no_table(connection, table)
    columns = [
        PostgresColumn(
            name=row["name"],
            declared=row["declared"],
            base=row["base_type"],
            modifier=row["modifier"],
            is_domain=row["is_domain"],
            is_deterministic=row["deterministic"],
            nullable=row["nullable"],
            comment=row["comment"],
        )
        for row in rows
        if row["name"] is not None
    ]
    if not columns:
        raise TableMismatch(f"{table} has no columns")
    as_of = datetime.fromisoformat(rows[0]["as_of"]).replace(tzinfo=UTC)
    return Described(as_of, tuple(columns), is_plain=rows[0]["relation_kind"] == "r")


def relation_kind(connection: PostgresConnection, table: TableName) -> str:
    """What kind of relation a table is; refuses it if it isn't there or may not be read."""
    doing = f"looking for {table}"
    rows = connection.query(_RELATION_KIND, doing, (table.schema, table.name)).to_pylist()
    if not rows:
        raise _no_table(connection, table)
    row = rows[0]
    if not (row["may_use_schema"] and row["may_select"]):
        schema = f"USAGE ON SCHEMA {TableName(None, table.schema)} and " if table.schema else ""
        raise SourceError(
            f"the database's user may not read {table}: grant it {schema}SELECT ON {table}"
        )
    kind: str = row["relation_kind"]
    return kind


def _no_table(connection: PostgresConnection, table: TableName) -> TableMismatch:
    rows = connection.query(_RELATIONS, f"looking for {table}").to_pylist()
    names = [str(TableName(row["schema"], row["name"])) for row in rows]
    near = (
        similar(str(table), names)
        or [name for name, row in zip(names, rows, strict=True) if row["name"] == table.name][:3]
    )
    hint = f"did you mean {' or '.join(near)}" if near else "names are taken exactly as written"
    return TableMismatch(f"there is no table or view {table} ({hint})")


def public(column: PostgresColumn) -> DescribedColumn:
    """A column as other parts know it."""
    return DescribedColumn(column.name, column.type, column.nullable, column.comment)
