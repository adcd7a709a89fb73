"""A query as SQL text, by the design's rules (§3, §6) and Postgres's own semantics.

Nothing here is taken from `warmcube.query` or `warmcube.source`.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.support.oracle_access import literal, some_of
from tests.support.tables import Sample, SampleColumn, quoted

from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.model.schema import Kind

__all__ = ["SIZE", "OracleSql"]

SIZE = "the size of the sum"
"""The name of an extra value: what the tolerance of a sum of floats is measured by."""


class OracleSql:
    """Writes SQL for one table.

    Args:
        sample: the table.
    """

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        # All values of an unconstrained numeric are shown with the greatest of their scales.
        self._scales = {
            column.name: max(len(text.partition(".")[2]) for text in sample.values(column.name))
            for column in sample.columns
            if column.is_unconstrained
        }

    def select(self, query: Query, condition: str) -> tuple[str, list[str]]:
        """The statement, and the names of what it gives; all its values are text.

        Args:
            query: to answer.
            condition: which rows the user may see.
        """
        sample = self._sample
        clauses = [f"({condition})", *self._partition(query), *self._range(query)]
        clauses += [f"({self._condition(item)})" for item in query.where]
        where = " AND ".join(clauses)
        if query.aggregate is None:
            shown = {column.name: self._shown(column) for column in sample.columns}
            keys = {column.name: self._value(column) for column in sample.columns}
            grouped = ""
        else:
            shown, keys, grouped = self._aggregated(query)
        # Not by the columns' names: ORDER BY would take the text for the column.
        listed = ", ".join(f'{text} AS "out {place}"' for place, text in enumerate(shown.values()))
        statement = f"SELECT {listed} FROM {sample.table} WHERE {where}{grouped}"
        order = ", ".join(self._order(item, keys) for item in query.order_by)
        if order:
            statement += f" ORDER BY {order}"
        return statement, list(shown)

    def _column(self, name: str) -> SampleColumn:
        return self._sample.column(name)

    def _value(self, column: SampleColumn) -> str:
        """A column as a value that compares by our rules."""
        if column.kind is Kind.TEXT:
            return f'{quoted(column.name)}::text COLLATE "C"'
        if column.is_unconstrained:
            return f"round({quoted(column.name)}, {self._scales[column.name]})"
        return quoted(column.name)

    def _shown(self, column: SampleColumn) -> str:
        return _shown(self._value(column), column.kind)

    def _aggregated(self, query: Query) -> tuple[dict[str, str], dict[str, str], str]:
        function = str(query.aggregate)
        name = function
        while name in query.group_by:
            name += "_"
        columns = [self._column(group) for group in query.group_by]
        role = self._sample.roles.value
        kind, sized = Kind.BIGINT, "'0'"
        if role is None:
            expression = "count(*)"
        else:
            value = self._column(role)
            expression = f"{function}({self._value(value)})"
            if value.kind is Kind.REAL and function == "sum":
                # Postgres adds reals up as reals; warmcube's sum is nearer to the true one.
                expression = f"sum({self._value(value)}::float8)::float4"
            kind = Kind.BIGINT if function == "count" else value.kind
            if value.kind.is_float and function in ("sum", "avg"):
                finite = f"nullif(abs({self._value(value)}::float8), 'Infinity')"
                sized = f"sum(CASE WHEN {finite} < 'NaN' THEN {finite} END)::text"
        shown = {column.name: self._shown(column) for column in columns}
        shown[name] = _shown(expression, kind)
        shown[SIZE] = sized
        keys = {column.name: self._value(column) for column in columns}
        grouped = f" GROUP BY {', '.join(keys.values())}" if keys else ""
        return shown, {**keys, name: expression}, grouped

    @staticmethod
    def _order(item: str | Order, keys: dict[str, str]) -> str:
        if isinstance(item, Order):
            return keys[item.column] + (" DESC" if item.descending else "")
        if item in keys:
            return keys[item]
        return keys[item.removeprefix("-")] + " DESC"

    def _partition(self, query: Query) -> list[str]:
        roles = self._sample.roles
        found = []
        for role, given in ((roles.measure, query.measure), (roles.frequency, query.frequency)):
            if role is not None and given is NULL:
                found.append(f"{quoted(role)} IS NULL")
            elif role is not None:
                found.append(some_of(role, [str(given)]))
        return found

    def _range(self, query: Query) -> list[str]:
        found = []
        for value, op in ((query.start, "gte"), (query.end, "lte")):
            if value is not None:
                found.append(self._compared(self._column(str(self._sample.roles.date)), op, value))
        return found

    def _condition(self, item: Filter) -> str:
        column, value = self._column(item.column), item.value
        name = quoted(column.name)
        match item.op:
            case "is_null":
                written = f"{name} IS NULL"
            case "not_null":
                written = f"{name} IS NOT NULL"
            case "like":
                text = f'lower(({self._value(column)})::text COLLATE "C")'
                written = f'position(lower({literal(value)} COLLATE "C") IN {text}) > 0'
            case "between":
                bounds = zip(("gte", "lte"), value, strict=True)
                written = " AND ".join(self._compared(column, op, each) for op, each in bounds)
            case "in":
                written = " OR ".join(self._compared(column, "eq", each) for each in value)
            case "not_in":
                # No NULL is "not in" anything, were it nothing at all.
                differing = [self._compared(column, "neq", each) for each in value]
                written = " AND ".join([f"{name} IS NOT NULL", *differing])
            case _:
                written = self._compared(column, item.op, value)
        return written or "false"

    def _compared(self, column: SampleColumn, op: str, given: Any) -> str:
        """One comparison; with a whole day where a day is given for instants."""
        name = self._value(column)
        if column.kind.is_instant and _is_day(given):
            return self._compared_to_day(name, column.kind, op, str(given))
        if column.kind.is_integer:
            name = f"{name}::numeric"
        signs = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
        return f"({name} {signs[op]} {self._literal(column, given)})"

    def _compared_to_day(self, name: str, kind: Kind, op: str, day: str) -> str:
        if "infinity" in day:
            first = after = f"{literal(day)}::{kind.value}"
            equals = f"{name} = {first}"
        else:
            first = self._instant(f"({literal(day)}::date)::timestamp", kind)
            after = self._instant(f"({literal(day)}::date + 1)::timestamp", kind)
            equals = f"({name} >= {first} AND {name} < {after})"
        beyond = ">" if "infinity" in day else ">="
        within = "<=" if "infinity" in day else "<"
        return {
            "eq": equals,
            "neq": f"NOT ({equals})",
            "gt": f"({name} {beyond} {after})",
            "gte": f"({name} >= {first})",
            "lt": f"({name} < {first})",
            "lte": f"({name} {within} {after})",
        }[op]

    def _instant(self, wall: str, kind: Kind) -> str:
        """What a clock on the wall shows, as an instant; the first if it shows it twice."""
        if kind is Kind.TIMESTAMP:
            return wall
        zone = literal(self._sample.time_zone)
        at = f"({wall} AT TIME ZONE {zone})"
        earlier = ", ".join(f"{at} - interval '{hours} hours'" for hours in (0, 0.5, 1, 2))
        return (
            f"(SELECT coalesce(min(c) FILTER (WHERE c AT TIME ZONE {zone} = {wall}), {at}) "
            f"FROM unnest(ARRAY[{earlier}]) c)"
        )

    def _literal(self, column: SampleColumn, given: Any) -> str:
        kind = column.kind
        if kind is Kind.TEXT:
            return f'{literal(given)} COLLATE "C"'
        if kind.is_instant:
            return self._moment(kind, given)
        if kind is Kind.BOOLEAN:
            given = str(given).lower()
        elif kind.is_integer and isinstance(given, float):
            given = Decimal(given)  # with exactly what the float is
        text = repr(given) if isinstance(given, float) else str(given)
        return f"{literal(text)}::{'numeric' if kind.is_integer else kind.value}"

    def _moment(self, kind: Kind, given: str | datetime) -> str:
        text = given if isinstance(given, str) else given.isoformat(" ")
        plain = text.removesuffix(" BC")
        has_zone = plain.endswith("Z") or any(sign in plain[11:] for sign in "+-")
        if kind is Kind.TIMESTAMPTZ and not has_zone:
            return self._instant(f"{literal(text)}::timestamp", kind)
        return f"{literal(text)}::{kind.value}"


def _shown(expression: str, kind: Kind) -> str:
    """As text, from which a Python value can be made; a real in full."""
    cast = "::float8" if kind is Kind.REAL else ""
    return f"({expression}){cast}::text"


def _is_day(given: Any) -> bool:
    if isinstance(given, str):
        return ":" not in given
    return isinstance(given, date) and not isinstance(given, datetime)
