"""Practices and providers of known entries as small integers, made once for many reads. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from warmcube.entry.codec import NULL_CODE
from warmcube.entry.layout import storage_dtype
from warmcube.model.columns import Array, ColumnData, Factor
from warmcube.model.schema import ColumnType

__all__ = ["EntryIds", "Role"]

Role: TypeAlias = Literal["practice", "provider"]


@dataclass(slots=True, eq=False)
class EntryIds:
    """What the headers of some entries must bear, where ids are integers.

    Attributes:
        codes: as `warmcube.query.entries.Entries` has them.
    """

    codes: bytes
    _distinct: dict[Role, tuple[Array, Array]] = field(default_factory=dict, repr=False)

    def column(self, role: Role, rows_of: Array, type: ColumnType) -> ColumnData | None:
        """The column; None where ids aren't integers, or one of them may be NULL."""
        own = self._of(role, type)
        if own is None:
            return None
        return ColumnData(type, np.repeat(own.astype(storage_dtype(type)), rows_of))

    def factor(self, role: Role, rows_of_each: int, type: ColumnType) -> Factor | None:
        """The column's factor; None where there is no such column.

        Args:
            role: which column.
            rows_of_each: how many rows each entry has.
            type: of the column.
        """
        known = self._distinct.get(role)
        if known is None:
            own = self._of(role, type)
            if own is None:
                return None
            distinct, places = np.unique(own, return_inverse=True)
            known = self._distinct[role] = (distinct.astype(storage_dtype(type)), places)
        values, codes = known

        def at(wanted: Array) -> ColumnData:
            return ColumnData(type, values[wanted])

        rows = np.repeat(codes, rows_of_each)
        return Factor(rows, len(values), at, run=rows_of_each, of_runs=codes)

    def _of(self, role: Role, type: ColumnType) -> Array | None:
        if not self.codes or not type.kind.is_integer:
            return None
        own = np.frombuffer(self.codes, "<i8")[0 if role == "practice" else 1 :: 2]
        return None if (own == NULL_CODE).any() else own  # that might be an id, too
