"""The fixed-width record of one row: which column lies where.

A record starts with a validity bitmap, one bit for each column that holds a NULL anywhere in the
snapshot (bit i of byte i // 8, least significant first; 1 is "not NULL"), followed by the columns
in table order, packed, little-endian, in storage form (`warmcube.model.schema.Kind`). A text
column holds a 32-bit position in the column's dictionary, or, where it has too many values for
one, the length in bytes of the row's text, which then lies behind the records.

What the key says (measure, frequency, practice, provider) isn't repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import numpy as np

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
    """One column inside the record."""

    name: str
    type: ColumnType
    nullable: bool
    text: TextStorage | None = None  # of a text column


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
        parts += [(f"c{i}", storage_dtype(f.type)) for i, f in enumerate(self.fields)]
        if not bitmap:
            parts = parts[1:] or [("nothing", "u1")]  # a row of key columns only is still a row
        object.__setattr__(self, "dtype", np.dtype(parts))
        object.__setattr__(self, "bits", {name: i for i, name in enumerate(nullable)})

    @property
    def width(self) -> int:
        """Bytes of one record."""
        return self.dtype.itemsize

    @property
    def behind(self) -> tuple[int, ...]:
        """Positions of the columns whose text lies behind the records."""
        return tuple(i for i, f in enumerate(self.fields) if f.text is TextStorage.BEHIND)
