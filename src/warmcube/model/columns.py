"""Decoded columns: what an answer is computed from and made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from warmcube.model.schema import ColumnType

__all__ = ["Array", "ColumnData", "Table"]

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


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of one length; `rows` counts even where there are no columns."""

    columns: dict[str, ColumnData]
    rows: int

    def take(self, rows: Array) -> Table:
        """The rows at these positions, or those where a mask is True."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        length = int(np.count_nonzero(rows)) if rows.dtype == np.bool_ else len(rows)
        return Table(taken, length)
