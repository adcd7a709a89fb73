"""The SQL that reads within a scope: rows, or names of partitions. Pure: builds texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from warmcube.access.ids import holds
from warmcube.entry.keys import PartitionName
from warmcube.errors import MissingRole
from warmcube.model.schema import Datasource, Kind
from warmcube.model.scope import All, Box, Ids, Scope
from warmcube.source.api import DateRange
from warmcube.source.names import quote
from warmcube.source.select import Parameter, SelectColumn, Statement

__all__ = ["owners_statement", "partitions_statement", "slice_statement"]


@dataclass(slots=True)
class _Parameters:
    values: list[Parameter] = field(default_factory=list)

    def add(self, value: Parameter) -> str:
        """The placeholder of one more parameter, which is text or text[]."""
        self.values.append(value)
        is_one = value is None or isinstance(value, str)
        return f"${len(self.values)}::text" + ("" if is_one else "[]")


def slice_statement(
    table: str,
    columns: Mapping[str, SelectColumn],
    datasource: Datasource,
    *,
    wanted: Sequence[str],
    partition: PartitionName,
    scope: Scope,
    days: DateRange | None,
    max_rows: int | None,
) -> Statement | None:
    """The rows of a partition within a scope; None if there can't be any.

    Raises:
        MissingRole: days are asked for of a table without a date column.
    """
    roles, parameters = datasource.roles, _Parameters()
    conditions = [
        _equals(columns.get(roles.measure or ""), partition.measure, parameters),
        _equals(columns.get(roles.frequency or ""), partition.frequency, parameters),
        _within_scope(columns, datasource, scope, parameters),
    ]
    if None in conditions:
        return None
    if days is not None:
        date = columns.get(roles.date or "")
        if date is None:
            raise MissingRole(f"data source {datasource.id} has no date column")
        conditions += _within(date, days, datasource.time_zone != "UTC", parameters)
    expressions = ", ".join(columns[name].selected for name in wanted)
    sql = f"SELECT {expressions} FROM {table}"  # noqa: S608
    sql += " WHERE " + " AND ".join(text for text in conditions if text)
    if max_rows is not None:
        sql += f" LIMIT {parameters.add(str(max_rows + 1))}::bigint"
    return Statement(sql, tuple(parameters.values))


def partitions_statement(
    table: str, columns: Mapping[str, SelectColumn], datasource: Datasource, scope: Scope
) -> Statement | None:
    """Measure and frequency of each partition with rows within a scope; None if there are none.

    A role that the table lacks is NULL.
    """
    roles, parameters = datasource.roles, _Parameters()
    inside = _within_scope(columns, datasource, scope, parameters)
    if inside is None:
        return None
    keys = [columns.get(role or "") for role in (roles.measure, roles.frequency)]
    names = ", ".join(column.text if column else "NULL::text" for column in keys)
    sql = f"SELECT DISTINCT {names} FROM {table} WHERE {inside}"  # noqa: S608
    return Statement(sql, tuple(parameters.values))


def owners_statement(
    table: str, columns: Mapping[str, SelectColumn], datasource: Datasource
) -> Statement:
    """Each practice with each of its providers; a role that the table lacks is NULL."""
    roles = datasource.roles
    keys = [columns.get(role or "") for role in (roles.practice, roles.provider)]
    names = ", ".join(column.text if column else "NULL::text" for column in keys)
    return Statement(f"SELECT DISTINCT {names} FROM {table}", ())  # noqa: S608


def _within_scope(
    columns: Mapping[str, SelectColumn],
    datasource: Datasource,
    scope: Scope,
    parameters: _Parameters,
) -> str | None:
    """The condition that a row lies in a scope; None if none can."""
    roles = datasource.roles
    practice, provider = columns.get(roles.practice or ""), columns.get(roles.provider or "")
    boxes = [_inside(box, practice, provider, parameters) for box in scope.boxes]
    possible = [box for box in boxes if box is not None]
    if not possible:
        return None
    return "TRUE" if "TRUE" in possible else "(" + " OR ".join(possible) + ")"


def _equals(column: SelectColumn | None, value: str | None, parameters: _Parameters) -> str | None:
    """The condition that a role column has a value; None if it can't."""
    if column is None:
        return "TRUE" if value is None else None
    if value is None:
        return f"{quote(column.name)} IS NULL"
    if not holds(value, column.type):
        return None
    left, right = column.key
    return f"{left} = {parameters.add(value)}::{right}"


def _inside(
    box: Box,
    practice: SelectColumn | None,
    provider: SelectColumn | None,
    parameters: _Parameters,
) -> str | None:
    """The condition that a row lies in a box; None if none can."""
    parts = []
    for column, ids in ((practice, box.practices), (provider, box.providers)):
        if isinstance(ids, All):
            continue
        part = _among(column, ids, parameters)
        if part is None:
            return None
        parts.append(part)
    return f"({' AND '.join(parts)})" if parts else "TRUE"


def _among(column: SelectColumn | None, ids: Ids, parameters: _Parameters) -> str | None:
    if column is None or isinstance(ids, All):
        return None
    possible = sorted(text for text in ids if holds(text, column.type))
    if not possible:
        return None
    left, right = column.key
    return f"{left} = ANY({parameters.add(possible)}::{right}[])"


def _within(
    column: SelectColumn, days: DateRange, zoned: bool, parameters: _Parameters
) -> list[str]:
    """The conditions that narrow a date column; with a margin where days depend on a time zone."""
    plain, kind = column.plain, column.type.kind
    conditions = []
    if kind is Kind.DATE:
        if days.start is not None:
            conditions.append(f"{plain} >= {parameters.add(days.start.isoformat())}::date")
        if days.end is not None:
            conditions.append(f"{plain} <= {parameters.add(days.end.isoformat())}::date")
        return conditions
    in_utc = " AT TIME ZONE 'UTC'" if kind is Kind.TIMESTAMPTZ else ""
    if days.start is not None:
        first = f"({parameters.add(days.start.isoformat())}::date - {int(zoned)})::timestamp"
        conditions.append(f"{plain} >= {first}{in_utc}")
    if days.end is not None:
        after = f"({parameters.add(days.end.isoformat())}::date + {1 + int(zoned)})::timestamp"
        conditions.append(f"{plain} < {after}{in_utc}")
    return conditions
