"""Lists of plain values as an answer: the values of a column, and the measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

import numpy as np

from warmcube.model.columns import Table
from warmcube.model.request import NULL, Null
from warmcube.model.schema import Datasource
from warmcube.query.pythonform import python_values
from warmcube.query.result import Meta, Result

__all__ = ["MeasureName", "Measures", "Values"]

_T = TypeVar("_T")
_SHOWN = 5


class MeasureName(NamedTuple):
    """What names a partition in a `Query`: ``Query(datasource=1, **name._asdict())``.

    Attributes:
        measure: in its Python type; ``NULL`` where it is NULL; None where the data source has no
            measure column.
        frequency: likewise.
    """

    measure: Any
    frequency: Any


class _Listing(Sequence[_T], Generic[_T]):
    """An immutable sequence, equal to lists and tuples of the same, with where it comes from.

    Attributes:
        result: the same as columns, for files and frames.
    """

    __slots__ = ("_items", "result")

    def __init__(self, items: Sequence[_T], result: Result) -> None:
        self._items = tuple(items)
        self.result = result

    @property
    def meta(self) -> Meta:
        """Where it comes from, as a query's."""
        return self.result.meta

    @property
    def explanation(self) -> Any:
        """How it came about, as a query's."""
        return self.result.explanation

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> _T: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[_T, ...]: ...

    def __getitem__(self, index: int | slice) -> _T | tuple[_T, ...]:
        return self._items[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _Listing | list | tuple):
            return self._items == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self._items[:_SHOWN]))
        more = f", … {len(self):,} in all" if len(self) > _SHOWN else ""
        return f"<{type(self).__name__}: [{shown}{more}] from the {self.meta.origin}>"


class Values(_Listing[Any]):
    """The distinct values of a column that one user may filter by.

    In the order of the column (text by code point, NaN last), in the Python types of
    `Result.rows`; NULL isn't among them.

    Args:
        answer: one row for each group of a query that groups by the column.

    Attributes:
        has_null: whether there are rows without a value.
    """

    __slots__ = ("has_null",)

    def __init__(self, answer: Result) -> None:
        name, column = next(iter(answer.table.columns.items()))
        self.has_null = column.valid is not None and not bool(column.valid.all())
        if column.valid is not None:
            column = dataclasses.replace(column.take(np.flatnonzero(column.valid)), valid=None)
        super().__init__(python_values(column), _as(answer, Table({name: column}, len(column))))


class Measures(_Listing[MeasureName]):
    """The measures, each with one frequency, of which one user has rows.

    Args:
        answer: one row for each, with the measure and the frequency column where there are such.
        datasource: its roles.
    """

    __slots__ = ()

    def __init__(self, answer: Result, datasource: Datasource) -> None:
        rows, table = len(answer), answer.table
        columns: list[list[Any]] = []
        for role in (datasource.roles.measure, datasource.roles.frequency):
            if role is None:
                columns.append([None] * rows)
            else:
                columns.append([_named(value) for value in python_values(table.columns[role])])
        super().__init__([MeasureName(*name) for name in zip(*columns, strict=True)], answer)


def _named(value: Any) -> Any | Null:
    return NULL if value is None else value


def _as(answer: Result, table: Table) -> Result:
    explanation = answer.explanation
    if explanation is not None:
        explanation = dataclasses.replace(explanation, rows=table.rows)
    return Result(table, answer.meta._replace(rows=table.rows), explanation)
