"""From a partition's rows to the answer's: filter, group, order, limit, project. Pure.

The store tier, the resident tier and the fallback all end here, so that one query has one answer
wherever its rows come from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial

from warmcube.errors import LimitExceeded
from warmcube.model.columns import Array, ColumnData, LazyColumns, Table
from warmcube.query.aggregate import aggregate_groups
from warmcube.query.conditions import Mask, matching_rows
from warmcube.query.grouping import group_rows
from warmcube.query.order import ordered_rows
from warmcube.query.prepared import Aggregation, PreparedQuery

__all__ = ["evaluate", "work_of"]


def evaluate(table: Table, prepared: PreparedQuery, counts: Array | None = None) -> Table:
    """The answer to a query.

    Args:
        table: all rows in scope of the query's partition, with `PreparedQuery.columns` at least.
        prepared: the query.
        counts: how many values each row stands for, where the value column holds sums, or least or
            greatest values, of some (see `warmcube.query.sums`).

    Returns:
        columns of their own, to which nobody can write; those of rows are made when they are asked
        for.

    Raises:
        LimitExceeded: more rows or groups than ``limits`` allow.
        UnsupportedValue: a sum that its result type can't hold.
    """
    mask = matching_rows(table, prepared.conditions)
    if prepared.aggregate is None:
        if mask is None and not prepared.order and _is_within(table.rows, prepared):
            # Most questions, whose rows are handed on as they are.
            columns = LazyColumns(prepared.columns, partial(_own, table.columns))
            return Table(columns, table.rows)
        answer = _selected(table.select(prepared.output.names), mask)
    else:
        own = counts if counts is None or mask is None else counts[mask]
        answer = _aggregated(table, mask, prepared, prepared.aggregate, own)
    if answer.rows > prepared.limits.rows:
        _check("rows", _least(answer.rows, prepared.limit), prepared.limits.rows)
    if prepared.order:
        answer = answer.take(ordered_rows(answer, prepared.order)[: prepared.limit])
    elif prepared.limit is not None and prepared.limit < answer.rows:
        answer = _first(answer, prepared.limit)
    if prepared.aggregate is None:
        return Table(LazyColumns(answer.columns, partial(_own, answer.columns)), answer.rows)
    return Table({name: _own(answer.columns, name) for name in answer.columns}, answer.rows)


def work_of(table: Table, prepared: PreparedQuery) -> int:
    """About how much work evaluation is: as many rows would take as long to be filtered.

    Rows that are only given on aren't looked at. Those whose groups are known by their codes are
    added up in a tenth of the time.
    """
    if prepared.conditions or prepared.order:
        return table.rows
    if prepared.aggregate is None:
        return 0
    is_ready = all(name in table.ready for name in prepared.group_by)
    return table.rows // 10 if is_ready else table.rows


def _own(columns: Mapping[str, ColumnData], name: str) -> ColumnData:
    """A column of the answer, in memory that holds nothing else, and that nobody can write to."""
    column = columns[name]
    values, valid = _apart(column.values), None if column.valid is None else _apart(column.valid)
    if values is column.values and valid is column.valid:
        return column
    return ColumnData(column.type, values, valid, column.dictionary)


def _apart(array: Array) -> Array:
    own = array if array.base is None else array.copy()  # not a part of what it would keep
    own.setflags(write=False)
    return own


def _selected(table: Table, mask: Mask | None) -> Table:
    return table if mask is None else table.take(mask)


def _aggregated(
    table: Table,
    mask: Mask | None,
    prepared: PreparedQuery,
    aggregate: Aggregation,
    counts: Array | None,
) -> Table:
    rows = table if mask is None else table.take(mask)
    groups = group_rows(rows, prepared.group_by)
    count = len(groups)
    if count > prepared.limits.groups:
        _check("groups", count, prepared.limits.groups)
    answer = {
        name: _one_zero(column) for name, column in zip(prepared.group_by, groups.keys, strict=True)
    }
    answer[aggregate.name] = _one_zero(aggregate_groups(rows, groups, aggregate, counts))
    return Table(answer, count)


def _one_zero(column: ColumnData) -> ColumnData:
    """0.0 for -0.0: of equal values it would depend on the order of the rows which one is shown."""
    if not column.type.kind.is_float:
        return column
    return dataclasses.replace(column, values=column.values + column.values.dtype.type(0))


def _is_within(rows: int, prepared: PreparedQuery) -> bool:
    """Whether an answer may have so many rows, and isn't cut."""
    limit = prepared.limit
    return rows <= prepared.limits.rows and (limit is None or rows <= limit)


def _least(rows: int, limit: int | None) -> int:
    return rows if limit is None else min(rows, limit)


def _check(what: str, count: int, allowed: int) -> None:
    if count > allowed:
        raise LimitExceeded(
            f"the answer has {count:,} {what}, more than [limits] {what} = {allowed:,}; "
            "ask for less at once, or group, or give a limit"
        )


def _first(table: Table, rows: int) -> Table:
    return Table(LazyColumns(table.columns, lambda name: table.columns[name].first(rows)), rows)
