"""Decoded columns: what an answer is computed from and made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from warmcube.model.schema import ColumnType

__all__ = ["Array", "Bounds", "ColumnData", "Factor", "LazyColumns", "Table"]

Array: TypeAlias = npt.NDArray[Any]
Bounds: TypeAlias = tuple[int, int]
"""The least and the greatest of some numbers, or two that none of them lies beyond."""


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


@dataclass(slots=True, eq=False)
class Factor:
    """A column as small integers, by which its rows are grouped.

    Attributes:
        codes: intp, one per row, from 0 on: equal where the values are, NULLs and NaNs included.
        size: a number that all codes are below.
        at: the values of some codes that rows have, one per code.
        is_repeating: whether the codes are 0, 1, …, `size` - 1, again and again: as the dates are
            where each entry has all of them.
        run: how many rows in a row have one code, as those of an entry have; 1 where that isn't
            known.
        of_runs: the code of each such run, all of which occur; None where `run` is 1.
        distinct: the values of all codes, of which nobody changes any; None where they aren't made.
    """

    codes: Array
    size: int
    at: Callable[[Array], ColumnData]
    is_repeating: bool = False
    run: int = 1
    of_runs: Array | None = None
    distinct: ColumnData | None = None

    def values(self) -> ColumnData:
        """The values of all codes, where rows have all of them."""
        return self.at(np.arange(self.size)) if self.distinct is None else self.distinct

    def take(self, rows: Array) -> Factor:
        """The rows at these positions, or those where a mask is True."""
        return Factor(self.codes[rows], self.size, self.at)


class LazyColumns(Mapping[str, ColumnData]):
    """Columns by name, each made when somebody first asks for it.

    Most answers have more columns than their asker looks at.

    Args:
        names: of the columns, in order, each once.
        make: makes one; it can't fail, since whoever asks has the answer by then. May be called
            twice for one column where two threads ask at once.
    """

    __slots__ = ("_made", "_make", "_names")

    def __init__(self, names: Iterable[str], make: Callable[[str], ColumnData]) -> None:
        self._names = names if type(names) is tuple else tuple(names)
        self._make = make
        self._made: dict[str, ColumnData] = {}

    def __getitem__(self, name: str) -> ColumnData:
        made = self._made.get(name)
        if made is None:
            if name not in self._names:
                raise KeyError(name)
            made = self._made.setdefault(name, self._make(name))
        return made

    def made(self, name: str) -> ColumnData | None:
        """A column, if somebody has asked for it before."""
        return self._made.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class Table(NamedTuple):
    """Named columns of one length; a tuple, since every answer takes some.

    Attributes:
        columns: by name.
        rows: how many; it counts even where there are no columns.
        factors: gives a column's factor, where that is known without looking at its values; None
            where none is.
        ready: the columns whose factors are there already.
        bounds: gives numbers that none of a column's values, integers without a NULL, lies beyond;
            None where none are known without looking at them.
    """

    columns: Mapping[str, ColumnData]
    rows: int
    factors: Callable[[str], Factor | None] | None = None
    ready: Collection[str] = ()
    bounds: Callable[[str], Bounds | None] | None = None

    def factor(self, name: str) -> Factor | None:
        """A column's factor; None if it isn't known."""
        return None if self.factors is None else self.factors(name)

    def take(self, rows: Array) -> Table:
        """The rows at these positions, or those where a mask is True."""
        length = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        columns, factor = self.columns, self.factor

        def taken(name: str) -> Factor | None:
            known = factor(name)
            return None if known is None else known.take(rows)

        return Table(
            LazyColumns(columns, lambda name: columns[name].take(rows)),
            length,
            None if self.factors is None else taken,
            self.ready,
            self.bounds,
        )

    def select(self, names: Iterable[str]) -> Table:
        """Some of its columns; none of them is made for that."""
        return Table(
            LazyColumns(names, self.columns.__getitem__),
            self.rows,
            self.factors,
            self.ready,
            self.bounds,
        )
