"""The fixed-width record of one row: which column lies where.

A record starts with a validity bitmap, one bit for each column that holds a NULL anywhere in the
snapshot (bit i of byte i // 8, least significant first; 1 is "not NULL"), followed by the columns
in table order, packed, little-endian, in storage form (`warmcube.model.schema.Kind`). A text
column holds a 32-bit position in the column's dictionary, or, where it has too many values for
one, the length in bytes of the row's text, which then lies behind the records.

What is an integer in storage form takes fewer bytes where the snapshot's values need no more (frame
of reference): an unsigned integer of 1, 2 or 4 bytes, to which the field's offset is added. The
bytes under a NULL are zero.

What the key says (measure, frequency, practice, provider) isn't repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from warmcube.model.schema import ColumnType, Kind

__all__ = ["Field", "Layout", "TextStorage", "storage_dtype"]

_DTYPES: Final[dict[Kind, str]] = {
    Kind.SMALLINT: "<i2",
    Kind.INTEGER: "<i4",
    Kind.BIGINT: "<i8",
    Kind.REAL: "<f4",
    Kind.DOUBLE: "<f8",
    Kind.BOOLEAN: "?",
    Kind.DATE: "<i4",
    Kind.TIMESTAMP: "<i8",
    Kind.TIMESTAMPTZ: "<i8",
    Kind.UUID: "S16",
    Kind.TEXT: "<u4",
}


def storage_dtype(type: ColumnType) -> np.dtype[Any]:
    """How one value of a type lies in a record."""
    if type.kind is Kind.NUMERIC:
        return np.dtype("V16" if type.is_wide else "<i8")
    return np.dtype(_DTYPES[type.kind])


class TextStorage(StrEnum):
    """Where the text of a text column lies."""

    DICTIONARY = "dictionary"
    BEHIND = "behind"  # the records of its entry


@dataclass(frozen=True, slots=True)
class Field:
    """One column inside the record.

    Attributes:
        name: of the column.
        type: its type.
        nullable: whether the snapshot holds a NULL in it.
        text: of a text column, where its texts lie.
        narrow: into how many bytes its values are narrowed; None if they are as wide as their type.
        offset: what has to be added to a narrowed value.
    """

    name: str
    type: ColumnType
    nullable: bool
    text: TextStorage | None = None
    narrow: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        if self.narrow is None and self.offset == 0:
            return
        limits = _limits(self)
        if limits is None or self.narrow not in _narrower(limits):
            raise ValueError(f"column {self.name!r} can't lie in {self.narrow} bytes")
        if type(self.offset) is not int or (self.offset and self.text is not None):
            raise ValueError(f"column {self.name!r} can't be counted from {self.offset!r}")
        # So whatever bytes a record has, they are a value of the type.
        if not limits.min <= self.offset <= limits.max - _largest(self.narrow):
            raise ValueError(f"column {self.name!r} can't be counted from {self.offset}")

    @property
    def dtype(self) -> np.dtype[Any]:
        """How one value lies in a record."""
        return storage_dtype(self.type) if self.narrow is None else np.dtype(f"<u{self.narrow}")

    def narrowed(self, least: int, most: int) -> Field:
        """The same for values from `least` to `most`, in as few bytes as these need.

        Args:
            least: of the values in storage form, reserved ones included.
            most: the greatest.
        """
        limits = _limits(self)
        if limits is None:
            return self
        for narrow in _narrower(limits):
            largest = _largest(narrow)
            if 0 <= least <= most <= largest:
                return replace(self, narrow=narrow)
            if most - least <= largest:
                return replace(self, narrow=narrow, offset=min(least, limits.max - largest))
        return self


def _limits(field: Field) -> np.iinfo[Any] | None:
    """Of the integers that a column holds in storage form; None where these aren't narrowed."""
    is_position = field.text is TextStorage.DICTIONARY
    dtype = storage_dtype(field.type)
    return np.iinfo(dtype) if dtype.kind == "i" or is_position else None


def _narrower(limits: np.iinfo[Any]) -> tuple[int, ...]:
    return tuple(narrow for narrow in (1, 2, 4) if narrow * 8 < limits.bits)


def _largest(narrow: int) -> int:
    return (1 << 8 * narrow) - 1


@dataclass(frozen=True)
class Layout:
    """The record of one snapshot's partitions.

    Attributes:
        fields: the carried columns, in table order.
        dtype: of one record; the bitmap is the field ``valid``, a column is ``c<position>``, since
            a column's name may be anything.
        bits: by the names of the nullable columns, which bit is whose.
    """

    fields: tuple[Field, ...]
    dtype: np.dtype[Any] = field(init=False, compare=False)
    bits: dict[str, int] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        nullable = [f.name for f in self.fields if f.nullable]
        bitmap = (len(nullable) + 7) // 8
        parts: list[tuple[str, Any]] = [("valid", np.dtype((np.uint8, (bitmap,))))]
        parts += [(f"c{i}", f.dtype) for i, f in enumerate(self.fields)]
        if not bitmap:
            parts = parts[1:] or [("nothing", "u1")]  # a row of key columns only is still a row
        object.__setattr__(self, "dtype", np.dtype(parts))
        object.__setattr__(self, "bits", {name: i for i, name in enumerate(nullable)})

    @property
    def width(self) -> int:
        """Bytes of one record."""
        return self.dtype.itemsize

    @property
    def plain_width(self) -> int:
        """Bytes of one row's values as wide as their types."""
        return sum(storage_dtype(each.type).itemsize for each in self.fields)

    def read(self, records: npt.NDArray[Any], position: int) -> npt.NDArray[Any]:
        """A column of some records in storage form, one value per row; texts as int64.

        Args:
            records: of this layout, in any number of dimensions.
            position: of the column.
        """
        of = self.fields[position]
        dtype = storage_dtype(of.type) if of.text is None else np.dtype(np.int64)
        values = records[f"c{position}"].astype(dtype, order="C")
        if of.offset:
            values += of.offset
        return values if values.ndim == 1 else values.reshape(-1)

    def write(
        self, records: npt.NDArray[Any], position: int, values: npt.NDArray[np.integer[Any]]
    ) -> None:
        """Put a column into some records.

        Args:
            records: of this layout.
            position: of the column.
            values: one per row, in storage form, within what the field was narrowed for.
        """
        offset = self.fields[position].offset
        records[f"c{position}"] = values - offset if offset else values

    @property
    def behind(self) -> tuple[int, ...]:
        """Positions of the columns whose text lies behind the records."""
        return tuple(i for i, f in enumerate(self.fields) if f.text is TextStorage.BEHIND)
