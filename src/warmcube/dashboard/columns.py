"""Which column of the table a definition means, by the table's name or by its role. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from warmcube.model.request import Filter
from warmcube.model.schema import ColumnType, Kind, Roles, Schema
from warmcube.query.prepare import unknown_column

__all__ = ["column_named", "conditions_named", "type_word"]

_WORDS = {
    Kind.SMALLINT: "integer",
    Kind.INTEGER: "integer",
    Kind.BIGINT: "integer",
    Kind.NUMERIC: "number",
    Kind.REAL: "number",
    Kind.DOUBLE: "number",
    Kind.TIMESTAMP: "instant",
    Kind.TIMESTAMPTZ: "instant",
}


def column_named(name: Any, schema: Schema, roles: Roles) -> str:
    """The name that the table has for a column.

    Args:
        name: as in the table; or ``date``, ``practice``, ``provider``, ``measure``, ``frequency``
            or ``value``, where no column of the table is called so.
        schema: of the table.
        roles: of its columns.

    Raises:
        UnknownColumn: there is no such column.
    """
    if name in schema:
        return str(name)
    known = {
        "date": roles.date,
        "practice": roles.practice,
        "provider": roles.provider,
        "measure": roles.measure,
        "frequency": roles.frequency,
        "value": roles.value,
    }
    found = known.get(name) if isinstance(name, str) else None
    if found is None:
        raise unknown_column(name, schema.names, "the data source")
    return found


def conditions_named(
    conditions: Iterable[Filter], schema: Schema, roles: Roles
) -> tuple[Filter, ...]:
    """The same conditions on the table's own names.

    Raises:
        UnknownColumn: there is no such column.
    """
    return tuple(
        replace(each, column=column_named(each.column, schema, roles)) for each in conditions
    )


def type_word(type: ColumnType) -> str:
    """A column's type as pages know it: date, instant, text, integer, number, boolean or uuid."""
    return _WORDS.get(type.kind, type.kind.value)
