"""Checks a query against its data source and types its values. Pure.

Practices, providers and the organization are judged by `warmcube.access`; here only their number
and shape are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from warmcube.access.ids import is_text, parse_id
from warmcube.errors import InvalidFilter, InvalidQuery, LimitExceeded, MissingRole, UnknownColumn
from warmcube.model.request import AGGREGATES, NULL, OPERATORS, Filter, Null, Order, Query
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Schema
from warmcube.query.conditions import Condition
from warmcube.query.numbers import MAX_PRECISION
from warmcube.query.prepared import Aggregation, Limits, Ordering, PreparedQuery
from warmcube.query.values import Span, parse_days, parse_value
from warmcube.query.wording import shown

__all__ = ["Limits", "PreparedQuery", "check_lists", "prepare", "prepare_span", "role_text"]

_LISTS: Final = ("in", "not_in")
_NULL_TESTS: Final = ("is_null", "not_null")
_AVERAGE: Final = ColumnType(Kind.NUMERIC, MAX_PRECISION, 16)
_COUNT: Final = ColumnType(Kind.BIGINT)


def prepare(query: Query, schema: Schema, datasource: Datasource, limits: Limits) -> PreparedQuery:
    """Check a query and type its values.

    Args:
        query: as asked.
        schema: of the data source's table.
        datasource: its roles and its time zone.
        limits: what one query may ask for.

    Raises:
        UnknownColumn: a column that the data source, or the answer to order, lacks.
        MissingRole: it needs a measure, date, … column, and the table has none.
        InvalidFilter: a condition or a date can't be read as its column's type.
        LimitExceeded: naming the limit.
        InvalidQuery: anything else that is wrong with it.
    """
    check_lists(query, limits)
    zone = ZoneInfo(datasource.time_zone)
    measure = role_text("measure", query.measure, datasource.roles.measure, schema)
    frequency = role_text("frequency", query.frequency, datasource.roles.frequency, schema)
    dates, conditions = _date_range(query, schema, datasource, zone)
    conditions += [_condition(item, schema, limits, zone) for item in query.where]
    group_by = _group_by(query, schema)
    aggregate = _aggregation(query, schema, datasource)
    output = _output(schema, group_by, aggregate)
    return PreparedQuery(
        datasource=datasource.id,
        measure=measure,
        frequency=frequency,
        conditions=tuple(conditions),
        dates=dates,
        columns=_needed(schema, conditions, group_by, aggregate),
        group_by=group_by,
        aggregate=aggregate,
        order=_order(query, output),
        limit=_limit(query.limit),
        output=output,
        limits=limits,
    )


def prepare_span(
    prepared: PreparedQuery, query: Query, schema: Schema, datasource: Datasource
) -> PreparedQuery:
    """What `prepare` makes of a question that was prepared for other days, or another limit.

    Nothing but these is looked at again.

    Args:
        prepared: the same question.
        query: as asked now.
        schema: of the data source's table, as it was then.
        datasource: likewise.

    Raises:
        InvalidQuery: as `prepare` does.
    """
    zone = ZoneInfo(datasource.time_zone)
    dates, conditions = _date_range(query, schema, datasource, zone)
    conditions += prepared.conditions[0 if prepared.dates is None else 1 :]
    return PreparedQuery(
        datasource=prepared.datasource,
        measure=prepared.measure,
        frequency=prepared.frequency,
        conditions=tuple(conditions),
        dates=dates,
        columns=_needed(schema, conditions, prepared.group_by, prepared.aggregate),
        group_by=prepared.group_by,
        aggregate=prepared.aggregate,
        order=prepared.order,
        limit=_limit(query.limit),
        output=prepared.output,
        limits=prepared.limits,
    )


def _needed(
    schema: Schema,
    conditions: Sequence[Condition],
    group_by: tuple[str, ...],
    aggregate: Aggregation | None,
) -> tuple[str, ...]:
    """The columns that evaluation needs, in the table's order."""
    if aggregate is None:
        return schema.names
    needed = {condition.column for condition in conditions} | {*group_by, aggregate.column}
    return tuple(name for name in schema.names if name in needed)


def _items(name: str, given: Any) -> Sequence[Any]:
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise InvalidQuery(f"{name} is {shown(given)}; give a list")
    return given


def check_lists(query: Query, limits: Limits) -> None:
    """Whether the lists of a query are lists, and not too long.

    Raises:
        InvalidQuery: one isn't.
        LimitExceeded: one is.
    """
    for name, ids in (("practices", query.practices), ("providers", query.providers)):
        if ids is not None:
            _check_length(name, len(_items(name, ids)), limits)
    conditions = len(_items("where", query.where))
    if conditions > limits.conditions:
        raise LimitExceeded(
            f"where has {conditions:,} conditions, more than [limits] conditions = "
            f"{limits.conditions:,}; ask for less at once"
        )


def _check_length(name: str, length: int, limits: Limits) -> None:
    if length > limits.list:
        raise LimitExceeded(
            f"{name} lists {length:,} values, more than [limits] list = {limits.list:,}; "
            "ask for less at once"
        )


def _column(name: Any, schema: Schema, what: str) -> Column:
    if isinstance(name, str) and name in schema:
        return schema[name]
    raise unknown_column(name, schema.names, what)


def unknown_column(name: Any, names: Iterable[str], what: str) -> UnknownColumn:
    """An error that says which columns there are, and which one was probably meant."""
    names = tuple(names)
    close = difflib.get_close_matches(name, names) if isinstance(name, str) else []
    meant = f' (did you mean "{close[0]}"?)' if close else ""
    return UnknownColumn(
        f"{what} has no column {shown(name)}{meant}; its columns are {', '.join(names)}"
    )


def role_text(
    role: str, given: str | int | Null | None, column: str | None, schema: Schema
) -> str | None:
    """The canonical text of the measure or the frequency; None for rows without one.

    Raises:
        MissingRole: it is given, and there is no such column.
        InvalidQuery: it isn't given, and there is one.
        InvalidFilter: it can't be read as the column's type.
    """
    if column is None:
        if given is not None:
            raise MissingRole(
                f"{role} is given, but the data source has no {role} column; leave it out"
            )
        return None
    if given is None:
        raise InvalidQuery(
            f'{role} is missing; name one, or NULL (in JSON {{"null": true}}) for the rows '
            "without one"
        )
    if given is NULL:
        return None
    column_type = schema[column].type
    if column_type.kind is Kind.TEXT and isinstance(given, str) and is_text(given):
        return given  # as it is, the empty text too: it may be in the table
    return parse_id(given, column_type, name=role)


def _date_range(
    query: Query, schema: Schema, datasource: Datasource, zone: ZoneInfo
) -> tuple[tuple[int | None, int | None] | None, list[Condition]]:
    if query.start is None and query.end is None:
        return None, []
    name = datasource.roles.date
    if name is None:
        given = "start" if query.start is not None else "end"
        raise MissingRole(f"{given} is given, but the data source has no date column; leave it out")
    column = schema[name]
    start = None if query.start is None else parse_days(query.start, "start", column, zone)
    end = None if query.end is None else parse_days(query.end, "end", column, zone)
    if start is not None and end is not None:
        if start.low > end.high:
            raise InvalidQuery(
                f"start {query.start} is after end {query.end}; the first day comes first"
            )
        conditions = [Condition(name, "between", (start, end))]
    elif start is not None:
        conditions = [Condition(name, "gte", (start,))]
    else:
        conditions = [Condition(name, "lte", tuple(filter(None, (end,))))]
    return (None if start is None else start.low, None if end is None else end.high), conditions


def _condition(item: Any, schema: Schema, limits: Limits, zone: ZoneInfo) -> Condition:
    if not isinstance(item, Filter):
        raise InvalidQuery(f"where holds {shown(item)}; give Filters")
    column = _column(item.column, schema, "the data source")
    op, value = item.op, item.value
    if op not in OPERATORS:
        raise InvalidFilter(f"{shown(op)} is no operator; the operators are {', '.join(OPERATORS)}")
    if op in _NULL_TESTS:
        if value is not None:
            raise InvalidFilter(f'{op} on column "{column.name}" takes no value; leave it out')
        return Condition(column.name, op)
    if op == "like":
        if not isinstance(value, str):
            raise InvalidFilter(
                f'like on column "{column.name}" looks for text, not {shown(value)}; give a str'
            )
        return Condition(column.name, op, needle=value.casefold())
    if op not in _LISTS and op != "between":
        return Condition(column.name, op, (_value(value, column, op, zone),))
    if op != "in":
        return Condition(column.name, op, _values(value, column, op, limits, zone))
    spans = _values(value, column, op, limits, zone)
    or_null = any(each is NULL for each in value)
    return Condition(column.name, op, spans, or_null=or_null)


def _value(value: Any, column: Column, op: str, zone: ZoneInfo) -> Span:
    if value is None or value is NULL:
        raise InvalidFilter(
            f'{op} on column "{column.name}" is given NULL, which equals and precedes nothing; '
            "use is_null or not_null"
        )
    return parse_value(value, column, zone)


def _values(
    value: Any, column: Column, op: str, limits: Limits, zone: ZoneInfo
) -> tuple[Span, ...]:
    is_pair = op == "between"
    lists = Sequence if is_pair else Sequence | set | frozenset
    if (
        not isinstance(value, lists)
        or isinstance(value, str | bytes)
        or (is_pair and len(value) != 2)
    ):
        expected = "a list of two values" if is_pair else "a list of values"
        raise InvalidFilter(f'{op} on column "{column.name}" takes {expected}, not {shown(value)}')
    _check_length(f'{op} on column "{column.name}"', len(value), limits)
    known = (item for item in value if item is not NULL) if op == "in" else value
    return tuple(_value(item, column, op, zone) for item in known)


def _group_by(query: Query, schema: Schema) -> tuple[str, ...]:
    names = _items("group_by", query.group_by)
    if names and query.aggregate is None:
        raise InvalidQuery(f"group_by needs an aggregate; name one of {', '.join(AGGREGATES)}")
    found = tuple(_column(name, schema, "the data source").name for name in names)
    for place, name in enumerate(found):
        if name in found[:place]:
            raise InvalidQuery(f'group_by names "{name}" twice; once is enough')
    return found


def _aggregation(query: Query, schema: Schema, datasource: Datasource) -> Aggregation | None:
    function = query.aggregate
    if function is None:
        return None
    if function not in AGGREGATES:
        raise InvalidQuery(
            f"{shown(function)} is no aggregate; the aggregates are {', '.join(AGGREGATES)}"
        )
    name = function
    while name in query.group_by:
        name += "_"
    column = datasource.roles.value
    if column is None:
        if function != "count":
            raise MissingRole(
                f"{function} needs a value column, and the data source has none; "
                "only count works without"
            )
        return Aggregation(function, None, name, _COUNT)
    return Aggregation(function, column, name, _result_type(function, schema[column]))


def _result_type(function: str, column: Column) -> ColumnType:
    """The types of Postgres's aggregates."""
    kind = column.type.kind
    if function == "count":
        return _COUNT
    if function in ("min", "max"):
        return column.type
    if not kind.is_number:
        raise InvalidQuery(
            f'{function} needs numbers, and the value column "{column.name}" is {column.type}; '
            "use count, min or max"
        )
    if kind.is_float:
        return column.type if function == "sum" else ColumnType(Kind.DOUBLE)
    if function == "avg":
        return _AVERAGE
    if kind in (Kind.SMALLINT, Kind.INTEGER):
        return ColumnType(Kind.BIGINT)
    return ColumnType(Kind.NUMERIC, MAX_PRECISION, column.type.scale)


def _output(schema: Schema, group_by: tuple[str, ...], aggregate: Aggregation | None) -> Schema:
    if aggregate is None:
        return schema
    columns = tuple(schema[name] for name in group_by)
    return Schema((*columns, Column(aggregate.name, aggregate.type)))


def _order(query: Query, output: Schema) -> tuple[Ordering, ...]:
    """Each column once: named again it decides nothing more, as in SQL, and would take a sort."""
    found: dict[str, Ordering] = {}
    for item in _items("order_by", query.order_by):
        ordering = _ordering(item, output)
        found.setdefault(ordering.column, ordering)
    return tuple(found.values())


def _ordering(item: Any, output: Schema) -> Ordering:
    if isinstance(item, Order):
        if not isinstance(item.descending, bool):
            raise InvalidQuery(
                f"order_by: descending is {shown(item.descending)}; give True or False"
            )
        return Ordering(_column(item.column, output, "the answer").name, item.descending)
    if isinstance(item, str) and item.startswith("-") and item not in output:
        return Ordering(_column(item[1:], output, "the answer").name, descending=True)
    return Ordering(_column(item, output, "the answer").name, descending=False)


def _limit(limit: Any) -> int | None:
    if limit is None:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise InvalidQuery(f"limit is {shown(limit)}; give a whole number from 0")
    return limit
