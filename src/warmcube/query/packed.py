"""A column of an answer as arrays, for who computes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from warmcube.model.columns import Array, ColumnData
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.ranking import used_codes

__all__ = ["Packed", "pack"]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One column in storage form, in memory that holds nothing else and can't be written to.

    Attributes:
        values: one per row, 0 (or ``""``, or False) where the row is NULL. By the column's type:

            ========================= ========================================================
            smallint integer bigint   int16, int32, int64
            real, double precision    float32, float64
            numeric                   integers, scaled by ``10**type.scale``: int64 up to 18
                                      digits, else Python's in an object array, as sums are
            boolean                   bool
            date                      int32 days since 1970-01-01
            timestamp, timestamptz    int64 microseconds since 1970-01-01 00:00 (UTC)
            uuid                      ``S16``, big-endian
            text                      int32 positions in `dictionary`
            ========================= ========================================================

            What stands for NaN and the infinities says `warmcube.model.schema.Kind`.
        valid: True where the row isn't NULL; None if none is.
        type: the column's.
        dictionary: of a text column, the values that its rows have, each once; else None.
    """

    values: Array
    valid: npt.NDArray[np.bool_] | None
    type: ColumnType
    dictionary: Sequence[str] | None = None


def pack(column: ColumnData) -> Packed:
    """A column, without anything that isn't in its rows."""
    valid = None if column.valid is None else _own(column.valid)
    if column.type.kind is Kind.TEXT:
        return _pack_text(column, valid)
    values = column.values
    if valid is not None:
        values = np.where(valid, values, values.dtype.type(0) if values.dtype != object else 0)
    return Packed(_own(values), valid, column.type)


def _pack_text(column: ColumnData, valid: Array | None) -> Packed:
    dictionary = column.dictionary or ()
    codes, used = used_codes(column)
    if valid is not None and not valid.any():
        used = used[:0]
    elif valid is not None:
        used = np.unique(codes[valid])  # 0 stands under NULLs
    places = np.zeros(len(dictionary) + 1, np.int32)
    places[used] = np.arange(len(used), dtype=np.int32)
    values = places[codes]
    if valid is not None:
        values = np.where(valid, values, np.int32(0))
    texts = tuple(dictionary[code] for code in used.tolist())
    return Packed(_own(values), valid, column.type, texts)


def _own(array: Array) -> Array:
    own = array if array.base is None else array.copy()
    own.setflags(write=False)
    return own
