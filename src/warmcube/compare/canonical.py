"""Rows as numbers that don't depend on where they came from nor in which order. Pure.

Each value becomes 64 bits, its row mixes them, and all rows of a partition are added up twice: so
the order of rows doesn't count, and everything else does, how often a row is there included. Floats
count by their bits, but for NaN, of which there is one; numerics by their value, whatever scale
they are kept at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from warmcube.model.columns import ColumnData
from warmcube.model.schema import ColumnType, Kind

__all__ = [
    "INFINITY",
    "MINUS_INFINITY",
    "NAN",
    "Checksum",
    "ColumnValues",
    "Hashes",
    "arrow_values",
    "column_values",
    "hash_rows",
    "hash_values",
    "rescaled",
]

Hashes = npt.NDArray[np.uint64]
Values = npt.NDArray[Any]

_NULL: Final = np.uint64(0x5851F42D4C957F2D)
_SECOND: Final = np.uint64(0x9E3779B97F4A7C15)
_ODD: Final = np.uint64(0xD1342543DE82EF95)
_MASK: Final = (1 << 64) - 1
_NARROW_SPECIALS: Final = {(1 << 63) - 1: "NaN", (1 << 63) - 2: "Infinity", -(1 << 63): "-Infinity"}
_WIDE_SPECIALS: Final = {
    (1 << 127) - 1: "NaN",
    (1 << 127) - 2: "Infinity",
    -(1 << 127): "-Infinity",
}
NAN: Final = (1 << 200) + (1 << 127) - 1
"""What NaN is among rescaled numerics: beyond all of them, and apart from them in 128 bits too."""
INFINITY: Final = NAN - 1
MINUS_INFINITY: Final = -(1 << 200) - (1 << 127)
_SPECIAL_CODES: Final = {"NaN": NAN, "Infinity": INFINITY, "-Infinity": MINUS_INFINITY}


@dataclass(slots=True)
class Checksum:
    """The rows of one partition, in any order."""

    rows: int = 0
    first: int = 0
    second: int = 0

    def add(self, hashes: Hashes) -> None:
        """Take in some rows."""
        self.rows += len(hashes)
        self.first = (self.first + int(_mixed(hashes).sum(dtype=np.uint64))) & _MASK
        self.second = (self.second + int(_mixed(hashes ^ _SECOND).sum(dtype=np.uint64))) & _MASK

    @property
    def digest(self) -> tuple[int, int]:
        """Equal if the rows are the same."""
        return self.first, self.second


def hash_rows(columns: Sequence[Hashes], rows: int) -> Hashes:
    """64 bits of each row, in which the place of each column counts."""
    found = np.zeros(rows, np.uint64)
    for place, column in enumerate(columns, 1):
        found = _mixed(found * _ODD + column + np.uint64(place))
    return found


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """One column of some rows.

    Attributes:
        type: of the column.
        values: int64, float64, float32 or bool; Python integers of a wide numeric; 16 bytes of a
            uuid; of text the positions in `texts`.
        valid: where there is a value; None where everywhere.
        texts: of a text column.
    """

    type: ColumnType
    values: Values
    valid: npt.NDArray[np.bool_] | None
    texts: Sequence[str] | None = None

    def take(self, rows: Values) -> ColumnValues:
        """Those of some rows."""
        valid = None if self.valid is None else self.valid[rows]
        return ColumnValues(self.type, self.values[rows], valid, self.texts)

    @property
    def nulls(self) -> int:
        """How many rows have no value."""
        return 0 if self.valid is None else int(np.count_nonzero(~self.valid))

    def present(self) -> Values:
        """The values that are there."""
        return self.values if self.valid is None else self.values[self.valid]

    def plain(self, scale: int) -> list[Any]:
        """One hashable thing for each row, equal where the values are; None for NULL."""
        kind = self.type.kind
        if self.texts is not None:
            found: list[Any] = [self.texts[code] for code in self.values.tolist()]
        elif kind is Kind.NUMERIC:
            found = rescaled(self.values.tolist(), self.type, scale)
        elif kind.is_float:
            found = _float_bits(self.values).tolist()
        elif kind is Kind.UUID:
            found = [bytes(each).ljust(16, b"\0") for each in self.values.tolist()]
        else:
            found = self.values.tolist()
        if self.valid is not None:
            pairs = zip(found, self.valid.tolist(), strict=True)
            found = [value if is_there else None for value, is_there in pairs]
        return found


def column_values(column: ColumnData) -> ColumnValues:
    """A decoded column of the cache."""
    values = column.values
    if column.type.kind.is_integer or column.type.kind is Kind.DATE:
        values = values.astype(np.int64)
    texts = column.dictionary
    if texts is not None and not texts:
        texts = [""]  # what a column of NULLs points at
    return ColumnValues(column.type, values, column.valid, texts)


def arrow_values(array: pa.Array[Any], type: ColumnType) -> ColumnValues:
    """A column of the database in storage form, as `warmcube.source.api` has it."""
    valid = None
    if array.null_count:
        valid = np.asarray(array.is_valid())
    kind = type.kind
    if kind is Kind.TEXT:
        encoded = array.dictionary_encode()
        texts = encoded.dictionary.to_pylist() or [""]
        codes = np.asarray(encoded.indices.fill_null(0)).astype(np.int64)
        return ColumnValues(type, codes, valid, texts)
    if kind is Kind.UUID:
        found = np.array([each or b"" for each in array.to_pylist()], "S16")
        return ColumnValues(type, found, valid)
    if type.is_wide:
        whole = np.empty(len(array), object)
        whole[:] = [
            0 if each is None else int.from_bytes(each, "little", signed=True)
            for each in array.to_pylist()
        ]
        return ColumnValues(type, whole, valid)
    if kind is Kind.BOOLEAN:
        return ColumnValues(type, np.asarray(array.fill_null(False)), valid)
    values = np.asarray(array.fill_null(0))
    if not kind.is_float:
        values = values.astype(np.int64)
    return ColumnValues(type, values, valid)


def hash_values(column: ColumnValues, scale: int) -> Hashes:
    """64 bits for each row.

    Args:
        column: the values.
        scale: that numerics are compared at; at least the column's own.
    """
    kind = column.type.kind
    if column.texts is not None:
        digests = np.array([xxh3_64_intdigest(text.encode()) for text in column.texts], np.uint64)
        found = digests[column.values]
    elif kind is Kind.NUMERIC:
        found = _numeric_hashes(column, scale)
    elif kind.is_float:
        found = _float_bits(column.values)
    elif kind is Kind.UUID:
        halves = np.frombuffer(column.values.astype("S16").tobytes(), "<u8").reshape(-1, 2)
        found = _mixed(halves[:, 0].copy()) + halves[:, 1]
    else:
        found = column.values.astype(np.int64).view(np.uint64)
    found = _mixed(found)
    return found if column.valid is None else np.where(column.valid, found, _NULL)


def rescaled(values: Sequence[int], type: ColumnType, scale: int) -> list[int]:
    """A numeric's values at another scale, NaN and the infinities as numbers beyond all others."""
    specials = _WIDE_SPECIALS if type.is_wide else _NARROW_SPECIALS
    times = 10 ** (scale - type.scale)
    return [_SPECIAL_CODES[specials[each]] if each in specials else each * times for each in values]


def _numeric_hashes(column: ColumnValues, scale: int) -> Hashes:
    if not column.type.is_wide and scale == column.type.scale:
        values = column.values.astype(np.int64)
        low, high = values.view(np.uint64).copy(), (values >> 63).view(np.uint64).copy()
        for special, text in _NARROW_SPECIALS.items():
            is_special = values == special
            if is_special.any():
                code = _SPECIAL_CODES[text]
                low[is_special], high[is_special] = code & _MASK, code >> 64 & _MASK
    else:
        whole = rescaled(column.values.tolist(), column.type, scale)
        low = np.array([each & _MASK for each in whole], np.uint64)
        high = np.array([each >> 64 & _MASK for each in whole], np.uint64)
    return _mixed(low) + high


def _float_bits(values: Values) -> Hashes:
    """The bits of floats, as those of doubles; there is one NaN."""
    wide = values.astype(np.float64)
    bits = wide.view(np.uint64).copy()
    bits[np.isnan(wide)] = 0x7FF8000000000000
    return bits


def _mixed(hashes: Hashes) -> Hashes:
    """Spread every bit over all others (MurmurHash3's 64-bit finalizer)."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))
