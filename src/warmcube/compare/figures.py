"""What the cache holds of each partition, in the figures that the database is asked for too. Pure.

Float sums depend on the order in which they are added, so they are equal within `TOLERANCE` of the
sum of magnitudes. All else is equal or differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from warmcube.compare.canonical import (
    INFINITY,
    MINUS_INFINITY,
    NAN,
    Checksum,
    ColumnValues,
    hash_rows,
    hash_values,
    rescaled,
)
from warmcube.model.schema import Kind
from warmcube.source.figures import TAMEST, ColumnFigures, PartitionFigures, Sum

__all__ = ["TOLERANCE", "Tally", "differences"]

TOLERANCE: Final = 1e-9
"""Of a float sum, in parts of the sum of magnitudes: 2**-53 for each of a million additions is less
than 1.2e-10."""

_INSTANT_LIMITS: Final = (-(2**63), 2**63 - 1)
_DATE_LIMITS: Final = (-(2**31), 2**31 - 1)
_NARROW_LIMITS: Final = (-(2**63), 2**63 - 2)


@dataclass(slots=True)
class _Column:
    nulls: int = 0
    total: int = 0
    specials: set[int] = field(default_factory=set)
    scale: int = 0
    values: int = 0
    floats: tuple[float, float, int] = (0.0, 0.0, 0)
    range: tuple[int, int] | None = None
    largest: int = 0


@dataclass(slots=True)
class Tally:
    """The figures of one partition, as its rows come.

    Attributes:
        compared: the columns whose rows the checksum is of, and the scale that numerics have there.
    """

    compared: Mapping[str, int]
    checksum: Checksum = field(default_factory=Checksum)
    columns: dict[str, _Column] = field(default_factory=dict)
    rows: int = 0

    def add(self, columns: Mapping[str, ColumnValues], rows: int) -> None:
        """Take in some rows."""
        self.rows += rows
        for name, values in columns.items():
            self._add_column(self.columns.setdefault(name, _Column()), values)
        hashes = [hash_values(columns[name], scale) for name, scale in self.compared.items()]
        self.checksum.add(hash_rows(hashes, rows))

    def figures(self, name: str, kind: Kind) -> ColumnFigures:
        """Those of one column."""
        own = self.columns.get(name, _Column())
        if kind.is_float:
            return ColumnFigures(nulls=own.nulls, floats=own.floats)
        if kind.is_number:
            return ColumnFigures(nulls=own.nulls, sum=_sum(own), is_summed=True)
        return ColumnFigures(nulls=own.nulls, range=own.range)

    def largest(self, name: str) -> int:
        """The largest absolute value of an integer or a narrow numeric, as the manifest has it."""
        return self.columns.get(name, _Column()).largest

    @staticmethod
    def _add_column(own: _Column, column: ColumnValues) -> None:
        kind, present = column.type.kind, column.present()
        own.nulls += column.nulls
        own.values += len(present)
        if not len(present):
            return
        if kind.is_float:
            wide = present.astype(np.float64)
            is_tame = np.abs(wide) < TAMEST  # not true of NaN
            tame = wide[is_tame]
            total, size, others = own.floats
            own.floats = (
                total + float(tame.sum()),
                size + float(np.abs(tame).sum()),
                others + len(wide) - len(tame),
            )
        elif kind is Kind.NUMERIC and column.type.is_wide:
            own.scale = column.type.scale
            for value in rescaled(present.tolist(), column.type, column.type.scale):
                if value in (NAN, INFINITY, MINUS_INFINITY):
                    own.specials.add(value)
                else:
                    own.total += value
        elif kind.is_number:
            _add_integers(own, present.astype(np.int64), column)
        elif kind is Kind.DATE or kind.is_instant:
            limits = _DATE_LIMITS if kind is Kind.DATE else _INSTANT_LIMITS
            finite = present[(present != limits[0]) & (present != limits[1])]
            if len(finite):
                least, greatest = int(finite.min()), int(finite.max())
                known = own.range or (least, greatest)
                own.range = min(known[0], least), max(known[1], greatest)


def _add_integers(
    own: _Column, values: np.ndarray[tuple[int], np.dtype[np.int64]], column: ColumnValues
) -> None:
    own.scale = column.type.scale
    if column.type.kind is Kind.NUMERIC:
        is_special = (values == _NARROW_LIMITS[0]) | (values >= _NARROW_LIMITS[1])
        if is_special.any():
            found = np.unique(values[is_special]).tolist()
            own.specials.update(rescaled(found, column.type, column.type.scale))
            values = values[~is_special]
    if not len(values):
        return
    # Halves of 32 bits, so that no sum of a batch leaves 64.
    low = int((values & 0xFFFFFFFF).sum(dtype=np.int64))
    own.total += (int((values >> 32).sum(dtype=np.int64)) << 32) + low
    own.largest = max(own.largest, int(values.max()), -int(values.min()))


def _sum(own: _Column) -> Sum:
    if not own.values:
        return None
    if own.specials:
        if NAN in own.specials or {INFINITY, MINUS_INFINITY} <= own.specials:
            return "NaN"
        return "Infinity" if INFINITY in own.specials else "-Infinity"
    return Fraction(own.total, 10**own.scale)


def differences(
    tally: Tally, database: PartitionFigures, kinds: Mapping[str, Kind], wanted: Sequence[str]
) -> Iterator[tuple[str, str | None, int | None, int | None]]:
    """In what a partition's figures differ.

    Args:
        tally: of the cache.
        database: what the database says.
        kinds: of the columns.
        wanted: the columns that both have.

    Yields:
        kind of the finding, column, and the two counts where it is one of counts.
    """
    if tally.rows != database.rows:
        yield "rows", None, tally.rows, database.rows
    for name in wanted:
        theirs = database.columns.get(name)
        if theirs is None:
            continue
        own = tally.figures(name, kinds[name])
        if own.nulls != theirs.nulls:
            yield "nulls", name, own.nulls, theirs.nulls
        if theirs.is_summed and own.sum != theirs.sum:
            yield "sum", name, None, None
        if theirs.floats is not None and not _are_close(own, theirs):
            yield "sum", name, None, None
        if (kinds[name] is Kind.DATE or kinds[name].is_instant) and own.range != theirs.range:
            yield "range", name, None, None


def _are_close(own: ColumnFigures, theirs: ColumnFigures) -> bool:
    total, size, others = own.floats or (0.0, 0.0, 0)
    their_total, their_size, their_others = theirs.floats or (0.0, 0.0, 0)
    most = TOLERANCE * max(size, their_size)
    return others == their_others and abs(total - their_total) <= most
