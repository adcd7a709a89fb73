"""Checks what is asked about values and measures, as `warmcube.query.prepare` does of rows. Pure.

The values of a column are a query that groups by it, so limits, order and conditions are those of
any query. Three columns needn't be read for that: practices and providers stand in the index sets
of a partition, and measures and frequencies in the names of the partitions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from warmcube.entry.codec import decode_ids
from warmcube.entry.keys import PartitionName
from warmcube.model.columns import Table
from warmcube.model.request import Order, Query
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Schema
from warmcube.query.asked import Asked
from warmcube.query.prepare import check_lists, prepare, role_text
from warmcube.query.prepared import Aggregation, Extent, Limits, Ordering, PreparedQuery

__all__ = ["partitions_table", "prepare_asked"]

_COUNT: Final = ColumnType(Kind.BIGINT)


def prepare_asked(
    asked: Asked, schema: Schema, datasource: Datasource, limits: Limits
) -> PreparedQuery:
    """Check what is asked and type its values.

    Raises:
        InvalidQuery: as `warmcube.query.prepare.prepare` does.
    """
    if asked.wanted == "measures":
        return _measures(asked.query, schema, datasource, limits)
    if asked.wanted == "values":
        return _values(asked.column, asked.query, schema, datasource, limits)
    return prepare(asked.query, schema, datasource, limits)


def partitions_table(
    names: Iterable[PartitionName], prepared: PreparedQuery, datasource: Datasource
) -> Table:
    """Those of some partitions that are asked for, one row each.

    Args:
        names: of partitions that have rows of the scope.
        prepared: for `Extent.PARTITIONS`.
        datasource: its roles.
    """
    wanted = [
        name for name in names if all(getattr(name, role) == text for role, text in prepared.fixed)
    ]
    ones = np.ones(len(wanted), np.int64)
    columns = {}
    for column in prepared.columns:
        role = "measure" if column == datasource.roles.measure else "frequency"
        texts = [getattr(name, role) for name in wanted]
        columns[column] = decode_ids(texts, ones, prepared.output[column].type)
    return Table(columns, len(wanted))


def _measures(
    query: Query, schema: Schema, datasource: Datasource, limits: Limits
) -> PreparedQuery:
    roles = datasource.roles
    names = [name for name in (roles.measure, roles.frequency) if name is not None]
    output = Schema(tuple(schema[name] for name in names))
    return _of_partitions(query, schema, datasource, limits, tuple(names), output)


def _values(
    column: Any, query: Query, schema: Schema, datasource: Datasource, limits: Limits
) -> PreparedQuery:
    roles = datasource.roles
    is_bare = query.start is None and query.end is None and not query.where
    if isinstance(column, str) and column in (roles.measure, roles.frequency) and is_bare:
        count = _count(column)
        output = Schema((schema[column], Column(count.name, count.type)))
        return dataclasses.replace(
            _of_partitions(query, schema, datasource, limits, (column,), output),
            group_by=(column,),
            aggregate=count,
        )
    grouped = dataclasses.replace(
        query, group_by=[column], aggregate="count", order_by=[Order(column)], limit=None
    )
    prepared = prepare(grouped, schema, datasource, limits)
    needed = {condition.column for condition in prepared.conditions} | {column}
    is_key = column in (roles.practice, roles.provider)
    return dataclasses.replace(
        prepared,
        columns=tuple(name for name in schema.names if name in needed),
        aggregate=_count(column),
        extent=Extent.IDS if is_key and is_bare else Extent.ROWS,
    )


def _of_partitions(
    query: Query,
    schema: Schema,
    datasource: Datasource,
    limits: Limits,
    columns: tuple[str, ...],
    output: Schema,
) -> PreparedQuery:
    check_lists(query, limits)
    roles = datasource.roles
    given = (
        ("measure", query.measure, roles.measure),
        ("frequency", query.frequency, roles.frequency),
    )
    return PreparedQuery(
        datasource=datasource.id,
        measure=None,
        frequency=None,
        conditions=(),
        dates=None,
        columns=columns,
        group_by=(),
        aggregate=None,
        order=tuple(Ordering(name, descending=False) for name in columns),
        limit=None,
        output=output,
        limits=limits,
        extent=Extent.PARTITIONS,
        fixed=tuple(
            (role, role_text(role, value, column, schema))
            for role, value, column in given
            if value is not None
        ),
    )


def _count(column: str) -> Aggregation:
    """A count of rows: a table without a value column has values of other columns too."""
    return Aggregation("count", None, "count_" if column == "count" else "count", _COUNT)
