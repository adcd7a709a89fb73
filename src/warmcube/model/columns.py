"""Decoded columns: what an answer is computed from and made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from warmcube.model.schema import ColumnType

__all__ = ["Array", "ColumnData", "LazyColumns", "Table"]

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class ColumnData:
    """One column in storage form (see `warmcube.model.schema.Kind`).

    Attributes:
        type: the column's type.
        values: one per row: int16/int32/int64/float32/float64/bool as the kind says; a wide
            numeric is an object array of Python ints; uuid is ``S16``; text is int64 positions
            in `dictionary`. What stands where a row is NULL is arbitrary.
        valid: True where the row isn't NULL; None when none is.
        dictionary: of a text column, its distinct values, of which the rows may use only some.
            It never leaves the process: outputs hold plain values.
    """

    type: ColumnType
    values: Array
    valid: npt.NDArray[np.bool_] | None = None
    dictionary: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> ColumnData:
        """The rows at these positions, or those where a mask is True."""
        return ColumnData(
            self.type,
            self.values[rows],
            None if self.valid is None else self.valid[rows],
            self.dictionary,
        )

    def first(self, rows: int) -> ColumnData:
        """The first so many rows."""
        valid = None if self.valid is None else self.valid[:rows]
        return ColumnData(self.type, self.values[:rows], valid, self.dictionary)


class LazyColumns(Mapping[str, ColumnData]):
    """Columns by name, each made when somebody first asks for it.

    Most answers have more columns than their asker looks at.

    Args:
        names: of the columns, in order.
        make: makes one; it can't fail, since whoever asks has the answer by then. May be called
            twice for one column where two threads ask at once.
    """

    __slots__ = ("_made", "_make", "_names")

    def __init__(self, names: Iterable[str], make: Callable[[str], ColumnData]) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, ColumnData] = {}

    def __getitem__(self, name: str) -> ColumnData:
        made = self._made.get(name)
        if made is None:
            if name not in self._names:
                raise KeyError(name)
            made = self._made.setdefault(name, self._make(name))
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of one length; `rows` counts even where there are no columns."""

    columns: Mapping[str, ColumnData]
    rows: int

    def take(self, rows: Array) -> Table:
        """The rows at these positions, or those where a mask is True."""
        length = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        columns = self.columns
        return Table(LazyColumns(columns, lambda name: columns[name].take(rows)), length)

    def select(self, names: Iterable[str]) -> Table:
        """Some of its columns; none of them is made for that."""
        return Table(LazyColumns(names, self.columns.__getitem__), self.rows)
