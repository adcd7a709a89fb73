"""One partition decoded in the process, and the slices of it that a scope may have. Pure.

Each column is one array, sorted as the entries are by name: by practice, by provider, and by date
within them. So a practice's rows are one slice, and so are a provider's within it. What a slice
is gathered into is memory of its own, except where it is only looked at.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Final

import numpy as np

from warmcube.entry.keys import Member
from warmcube.model.columns import Array, Bounds, ColumnData, Factor, LazyColumns, Table
from warmcube.model.schema import Kind
from warmcube.model.scope import ALL, All, Box, Scope
from warmcube.query.factors import dense_factor
from warmcube.query.held_sums import HeldSums, make_sums

__all__ = ["Pick", "ResidentPartition"]

_FIXED_BYTES: Final = 16_384
"""What a partition takes beside its values."""
_ENTRY_BYTES: Final = 320
"""What an entry takes in the offsets, its ids included."""
_INTEGER_BYTES: Final = 48
_WORTH_A_FACTOR: Final = 8
"""A column is made a factor of for slices that have at least this part of its rows."""
_FEW_ROWS: Final = 50_000
"""Of so many rows a factor is made whatever the slice is."""


@dataclass(slots=True, eq=False)
class Pick:
    """Some of a partition's rows, in its order.

    Attributes:
        members: how many entries they are.
        rows: how many.
        unit: rows of each piece.
        pieces: which pieces of so many rows each; or which rows, if they are one slice.
        practices: the places of the practices, where they are all rows of some, and all have alike
            many; else None.
    """

    members: int
    rows: int
    unit: int
    pieces: Array | slice
    practices: Array | slice | None = None

    def of(self, values: Array) -> Array:
        """The picked ones of a value per row; a view where they are one slice."""
        if isinstance(self.pieces, slice):
            return values if self.rows == len(values) else values[self.pieces]
        if self.unit == 1:
            found: Array = values.take(self.pieces)
            return found
        found = np.empty(self.rows, values.dtype)
        shape = (-1, self.unit)
        values.reshape(shape).take(self.pieces, 0, found.reshape(shape), "clip")
        return found


class ResidentPartition:
    """A partition's rows, decoded.

    Args:
        members: its entries, in the order of their names.
        rows_of: how many rows each has.
        table: all its columns, of all rows in the order of the entries.
        shared: dictionaries that are there anyway, and cost nothing here.
        constants: names of the columns that have one value in all rows.
        dates: the column of which a factor is made at once.
        summed: the column whose sums by practice and date are made at once.
    """

    def __init__(
        self,
        members: Sequence[Member],
        rows_of: Array,
        table: Table,
        *,
        shared: Iterable[Sequence[str]] = (),
        constants: Iterable[str] = (),
        dates: str | None = None,
        summed: str | None = None,
    ) -> None:
        self.rows = table.rows
        self.members = len(members)
        self._offsets = _Offsets(members, rows_of)
        once = frozenset(constants)
        self._columns = {
            name: _first_row(column) if name in once else _compact(column)
            for name, column in table.columns.items()
        }
        self._once = once
        self._factors: dict[str, Factor] = {}
        self._bounds: dict[str, Bounds | None] = {}
        self._lock = Lock()
        known = set(map(id, shared))
        self.size = (
            _FIXED_BYTES
            + _ENTRY_BYTES * self.members
            + sum(_bytes_of(column, known) for column in self._columns.values())
        )
        """Bytes that it takes; grows as factors are made."""
        self.sums: HeldSums | None = None
        """Those of each practice by date, where they are held."""
        self._repeated: dict[tuple[str, int], ColumnData] = {}
        if dates is not None and self.rows:
            self._prepare(dates, summed)

    def pick(self, scope: Scope) -> Pick | None:
        """The rows that a scope may have; None if it has none here."""
        return self._offsets.pick(scope)

    def table(self, pick: Pick) -> Table:
        """The picked rows. A column that isn't asked for is never gathered."""
        return Table(
            LazyColumns(self._columns, partial(self._gather, pick)),
            pick.rows,
            partial(self._picked_factor, pick),
            self._factors,
            self._bounds_of,
        )

    def ids(self, scope: Scope, *, of_practices: bool) -> frozenset[str | None]:
        """The practices, or else the providers, that have rows of a scope."""
        return self._offsets.ids(scope, of_practices=of_practices)

    def _prepare(self, dates: str, summed: str | None) -> None:
        factor = self._factor_of(dates)
        if factor.is_repeating:
            self.size += _bytes_of(self._columns[dates], set())  # of what is kept as repeated
        if summed is not None and summed not in self._once:
            self.sums = make_sums(
                dates,
                summed,
                self._columns[summed],
                factor,
                self._bounds_of(summed),
                self._offsets.practices,
            )
            if self.sums is not None:
                self.size += self.sums.size

    def _repeats(self, name: str, rows: int) -> ColumnData:
        """The first rows of a column whose values come again and again, kept for who asks next."""
        known = self._repeated.get((name, rows))
        if known is None:
            column = self._columns[name]
            known = ColumnData(column.type, column.values[:rows].copy(), None, column.dictionary)
            known.values.setflags(write=False)
            if sum(each for _, each in tuple(self._repeated)) + rows > self.rows:
                self._repeated.clear()
            self._repeated[name, rows] = known
        return known

    def _gather(self, pick: Pick, name: str) -> ColumnData:
        column = self._columns[name]
        if name in self._once:
            return column.take(np.zeros(pick.rows, np.intp))
        if pick.rows < self.rows and self._is_repeated(name, column):
            return self._repeats(name, pick.rows)
        values, valid = pick.of(column.values), column.valid
        if column.type.kind is Kind.TEXT:
            values = values.astype(np.int64)
        if valid is not None:
            valid = pick.of(valid)
            if valid.all():
                valid = None
        return ColumnData(column.type, values, valid, column.dictionary)

    def _is_repeated(self, name: str, column: ColumnData) -> bool:
        factor = self._factors.get(name)
        return (
            factor is not None
            and factor.is_repeating
            and column.valid is None
            and column.type.kind is not Kind.TEXT
        )

    def _picked_factor(self, pick: Pick, name: str) -> Factor | None:
        factor = self._factors.get(name)
        if factor is None:
            is_worth = pick.rows * _WORTH_A_FACTOR >= self.rows or self.rows <= _FEW_ROWS
            if name in self._once or not is_worth:
                return None
            factor = self._factor_of(name)
        # Of whole entries, that have them again and again, all codes are the first ones.
        codes = factor.codes[: pick.rows] if factor.is_repeating else pick.of(factor.codes)
        return Factor(codes, factor.size, factor.at, factor.is_repeating, distinct=factor.distinct)

    def _bounds_of(self, name: str) -> Bounds | None:
        """What no value of a column lies beyond, so that sums of it needn't look at each."""
        if name in self._bounds:
            return self._bounds[name]
        column, found = self._columns[name], None
        if column.valid is None and column.values.dtype.kind == "i" and len(column):
            found = (int(column.values.min()), int(column.values.max()))
        self._bounds[name] = found
        return found

    def _factor_of(self, name: str) -> Factor:
        column = self._columns[name]
        if column.type.kind is Kind.TEXT:
            codes = column.values.astype(np.int64)
            column = ColumnData(column.type, codes, column.valid, column.dictionary)
        factor = dense_factor(column)
        if self._offsets.are_multiples_of(factor.size):
            repeated = factor.codes.reshape(-1, factor.size) == np.arange(factor.size)
            factor.is_repeating = bool(repeated.all())
        with self._lock:
            if name not in self._factors:
                self._factors[name] = factor
                self.size += factor.codes.nbytes + _INTEGER_BYTES * factor.size
        return factor


def _first_row(column: ColumnData) -> ColumnData:
    return column.take(np.zeros(1, np.intp))


def _compact(column: ColumnData) -> ColumnData:
    """The column in memory of its own, codes as narrow as they can be."""
    values, valid = column.values, column.valid
    if column.type.kind is Kind.TEXT:
        values = values.astype(np.min_scalar_type(max(1, len(column.dictionary or ()))))
    elif values.base is not None:
        values = values.copy()
    values.setflags(write=False)
    if valid is not None:
        valid = valid.copy() if valid.base is not None else valid
        valid.setflags(write=False)
    return ColumnData(column.type, values, valid, column.dictionary)


def _bytes_of(column: ColumnData, known: set[int]) -> int:
    size = column.values.nbytes
    if column.values.dtype.hasobject:
        size += _INTEGER_BYTES * len(column.values)
    if column.valid is not None:
        size += column.valid.nbytes
    dictionary = column.dictionary
    if dictionary is not None and id(dictionary) not in known:
        size += sum(map(sys.getsizeof, dictionary)) + 8 * len(dictionary)
    return size


class _Offsets:
    """Where the rows of each practice, and of each provider within it, lie.

    Args:
        members: the entries, in the order of their names: those of a practice are neighbours.
        rows_of: how many rows each has.
    """

    def __init__(self, members: Sequence[Member], rows_of: Array) -> None:
        lengths = np.asarray(rows_of, np.intp)
        self._starts = np.concatenate((np.zeros(1, np.intp), np.cumsum(lengths)))
        self._lengths = lengths
        self._practices: dict[str | None, int] = {}
        self._providers: dict[str | None, list[int]] = {}
        practice_of = np.empty(len(members), np.intp)
        for place, member in enumerate(members):
            known = self._practices.setdefault(member.practice, len(self._practices))
            practice_of[place] = known
            self._providers.setdefault(member.provider, []).append(place)
        self._practice_of = practice_of
        counts = np.bincount(practice_of, minlength=len(self._practices))
        self._counts = counts
        self._firsts = np.cumsum(counts) - counts
        self._ends = self._starts[self._firsts + counts]
        self._row_firsts = self._starts[self._firsts]
        self._rows = self._ends - self._row_firsts
        rows = int(self._starts[-1])
        self._unit = _common(lengths)
        self._practice_unit = _common(self._rows)
        self._practice_members = _common(counts)
        every = slice(0, len(counts)) if self._practice_unit else None
        self._everything = Pick(len(lengths), rows, 1, slice(0, rows), every)

    @property
    def practices(self) -> tuple[int, int]:
        """How many entries, and how many rows, each practice has; 0 where they differ."""
        return self._practice_members, self._practice_unit

    def are_multiples_of(self, rows: int) -> bool:
        """Whether every entry has so many rows, or twice as many, or three times."""
        return self._unit > 0 and self._unit % rows == 0

    def pick(self, scope: Scope) -> Pick | None:
        """The rows of a scope."""
        if len(scope.boxes) == 1:
            (box,) = scope.boxes
            if box.providers is ALL and box.practices is not ALL:
                return self._of_practices(self._known_practices(box.practices))
        if scope.is_everything:
            return self._everything
        return self._of_members(self._places(scope))

    def ids(self, scope: Scope, *, of_practices: bool) -> frozenset[str | None]:
        """The practices, or else the providers, that have rows of a scope."""
        if scope.is_everything:
            return frozenset(self._practices if of_practices else self._providers)
        places = self._places(scope)
        if of_practices:
            used = set(self._practice_of[places].tolist())
            return frozenset(name for name, place in self._practices.items() if place in used)
        wanted = set(places)
        return frozenset(
            name for name, own in self._providers.items() if not wanted.isdisjoint(own)
        )

    def _known_practices(self, practices: frozenset[str]) -> list[int]:
        """Where some practices lie, in order."""
        places = self._practices
        if len(practices) <= len(places):
            try:
                return sorted(map(places.__getitem__, practices))
            except KeyError:  # most ask for practices that are there
                return sorted([places[each] for each in practices if each in places])
        return [place for name, place in places.items() if name in practices]

    def _of_practices(self, places: list[int]) -> Pick | None:
        if not places:
            return None
        first, last, count = places[0], places[-1], len(places)
        if last - first + 1 == count:
            start, end = int(self._row_firsts[first]), int(self._ends[last])
            members = int(self._counts[first : last + 1].sum())
            own = slice(first, last + 1) if self._practice_unit else None
            return Pick(members, end - start, 1, slice(start, end), own)
        wanted = np.array(places, np.intp)
        if self._practice_unit and self._practice_members:
            rows = self._practice_unit * count
            members = self._practice_members * count
            return Pick(members, rows, self._practice_unit, wanted, wanted)
        if self._unit:
            return self._pick(_ranges(self._firsts[wanted], self._counts[wanted]))
        pieces = _ranges(self._row_firsts[wanted], self._rows[wanted])
        return Pick(int(self._counts[wanted].sum()), len(pieces), 1, pieces)

    def _of_members(self, places: list[int]) -> Pick | None:
        return self._pick(np.array(places, np.intp)) if places else None

    def _pick(self, wanted: Array) -> Pick:
        """The rows of some entries, which are in order."""
        count = len(wanted)
        if int(wanted[-1] - wanted[0]) + 1 == count:
            start, end = int(self._starts[wanted[0]]), int(self._starts[wanted[-1] + 1])
            return Pick(count, end - start, 1, slice(start, end))
        if self._unit:
            return Pick(count, count * self._unit, self._unit, wanted)
        rows = _ranges(self._starts[wanted], self._lengths[wanted])
        return Pick(count, len(rows), 1, rows)

    def _places(self, scope: Scope) -> list[int]:
        """The entries of a scope, in order, each once."""
        found: set[int] = set()
        for box in scope.boxes:
            found.update(self._places_in(box))
        return sorted(found)

    def _places_in(self, box: Box) -> Iterable[int]:
        if isinstance(box.providers, All):
            if isinstance(box.practices, All):
                return range(len(self._lengths))
            known = self._known_practices(box.practices)
            return _ranges(self._firsts[known], self._counts[known]).tolist() if known else ()
        places = [place for each in box.providers for place in self._providers.get(each, ())]
        if isinstance(box.practices, All):
            return places
        practices, practice_of = set(self._known_practices(box.practices)), self._practice_of
        return [place for place in places if practice_of[place] in practices]


def _common(lengths: Array) -> int:
    """The one length that all have; 0 if they differ."""
    return int(lengths[0]) if len(lengths) and bool((lengths == lengths[0]).all()) else 0


def _ranges(starts: Array, lengths: Array) -> Array:
    """The numbers of several ranges, one after another."""
    ends = np.cumsum(lengths)
    found: Array = np.repeat(starts - (ends - lengths), lengths)
    found += np.arange(len(found))
    return found
