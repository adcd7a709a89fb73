"""Answers to a chart's questions, put into cells: one for each picture, series and label. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from warmcube.dashboard.amounts import Amount, unite
from warmcube.dashboard.definition import Aggregate
from warmcube.dashboard.plan import Axis
from warmcube.dashboard.positions import in_zone
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import Kind
from warmcube.query.pythonform import python_values
from warmcube.query.ranking import ranks

__all__ = ["OTHER", "Cell", "Cells", "Other", "Values", "key_text", "read_cells", "regroup"]


class Other(Enum):
    """The type of ``OTHER``."""

    OTHER = "other"


OTHER: Final = Other.OTHER
"""In place of a key: all that isn't among the top."""


class Cell(NamedTuple):
    """Where a figure stands; None is NULL, or that the chart has no such axis."""

    multiple: Any
    split: Any
    label: Any


Cells: TypeAlias = dict[Cell, Amount]


class Values:
    """The values of an axis that occur in answers, in their order, with their names.

    Args:
        axis: which; None for a chart that hasn't got it, which has one value, None.
        zone: by whose clock instants are shown.
    """

    def __init__(self, axis: Axis | None, zone: ZoneInfo) -> None:
        self.axis = axis
        self._zone = zone
        self._places: dict[Any, Any] = {}
        self._names: dict[Any, str] = {}
        self._has_null = False

    def read(self, table: Table) -> Sequence[Any]:
        """The values of an answer's groups, which are remembered."""
        axis = self.axis
        if axis is None:
            return [None] * table.rows
        column = table.columns[axis.column]
        keys = _keys(column, self._zone)
        if column.valid is not None:
            self._has_null = self._has_null or not column.valid.all()
        places = self._places
        for key, place in zip(keys, _places(column), strict=True):
            if key is not None and key not in places:
                places[key] = place
        if axis.names is not None:
            self._read_names(keys, table.columns[axis.names])
        return keys

    def _read_names(self, keys: Sequence[Any], names: ColumnData) -> None:
        """Of several names of one value the first by code point, so that it hangs on no order."""
        known = self._names
        for key, name in zip(keys, python_values(names), strict=True):
            if name is not None and key is not None:
                text = key_text(name)
                if key not in known or text < known[key]:
                    known[key] = text

    @property
    def ordered(self) -> list[Any]:
        """All that occur, ascending, NULL last."""
        if self.axis is None:
            return [None]
        found = sorted(self._places, key=self._places.__getitem__)
        return [*found, None] if self._has_null else found

    def text(self, key: Any) -> str:
        """What is shown for a value."""
        if key is None:
            return _no_value(self.axis)
        name = self._names.get(key)
        if name is not None:
            return name
        is_midnight = isinstance(key, datetime) and key.time() == time()
        return key_text(key.date() if is_midnight else key)


def _no_value(axis: Axis | None) -> str:
    if axis is None:
        return "Total"
    return "no date" if axis.is_date else "no " + axis.column.replace("_", " ")


def _keys(column: ColumnData, zone: ZoneInfo) -> list[Any]:
    keys = python_values(column)
    if column.type.kind is Kind.TIMESTAMPTZ:
        return [in_zone(key, zone) if isinstance(key, datetime) else key for key in keys]
    if column.type.kind.is_float or column.type.kind is Kind.NUMERIC:
        keys = _numbers(column)
        return ["NaN" if key is not None and key != key else key for key in keys]  # noqa: PLR0124 - NaN is no key: it isn't equal to itself
    return keys


def _places(column: ColumnData) -> Sequence[Any]:
    """What orders the values, in whatever answer they stand."""
    kind = column.type.kind
    if kind is Kind.TEXT:
        return [text or "" for text in python_values(column)]
    found: Sequence[Any] = (ranks(column) if kind.is_float else column.values).tolist()
    return found


def key_text(key: Any) -> str:
    """The text of a value that has no name."""
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, datetime):
        return key.isoformat(" ")
    if isinstance(key, date):
        return key.isoformat()
    if isinstance(key, Decimal):
        return f"{key:f}"
    return str(key)


def read_cells(
    aggregate: Aggregate,
    tables: Sequence[Table],
    axes: tuple[Values, Values, Values],
) -> Cells:
    """What each cell comes to.

    Args:
        aggregate: of the series.
        tables: the answers to its questions: one, or for an average its sums and its counts, or
            for sums and averages of reals averages and counts.
        axes: multiples, splits, labels.
    """
    numbers = [_by_cell(table, axes) for table in tables]
    if len(tables) > 1:
        first, counts = numbers
        make = _of_averages if tuple(tables[0].columns)[-1].startswith("avg") else _of_sums
        return {cell: unite(aggregate, make(each, counts[cell])) for cell, each in first.items()}
    (found,) = numbers
    return {cell: unite(aggregate, [Amount(n) for n in each]) for cell, each in found.items()}


def _of_sums(sums: Iterable[Any], counts: Iterable[Any]) -> list[Amount]:
    return [Amount(each, count) for each, count in zip(sums, counts, strict=True)]


def _of_averages(averages: Iterable[Any], counts: Iterable[Any]) -> list[Amount]:
    return [
        Amount(None if each is None else each * count, count)
        for each, count in zip(averages, counts, strict=True)
    ]


def _by_cell(table: Table, axes: tuple[Values, Values, Values]) -> dict[Cell, list[Any]]:
    """The numbers of an answer; those of one cell, whose names differ, in a stable order."""
    keys = [axis.read(table) for axis in axes]
    name = tuple(table.columns)[-1]
    found: dict[Cell, list[Any]] = {}
    for cell, number in zip(map(Cell, *keys), _numbers(table.columns[name]), strict=True):
        found.setdefault(cell, []).append(number)
    return found


def _numbers(column: ColumnData) -> list[Any]:
    """Of a real the shortest decimal that reads back as it, and not what a double makes of it."""
    if column.type.kind is not Kind.REAL:
        return python_values(column)
    valid = [True] * len(column) if column.valid is None else column.valid.tolist()
    return [
        float(str(value)) if is_valid else None
        for value, is_valid in zip(column.values, valid, strict=True)
    ]


def regroup(
    aggregate: Aggregate, cells: Mapping[Cell, Amount], new: Callable[[Cell], Cell]
) -> Cells:
    """The same rows in other cells, several of which may become one."""
    found: dict[Cell, list[Amount]] = {}
    for cell, amount in cells.items():
        found.setdefault(new(cell), []).append(amount)
    return {cell: unite(aggregate, amounts) for cell, amounts in found.items()}
