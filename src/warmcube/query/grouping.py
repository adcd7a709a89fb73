"""Which group each row belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from warmcube.model.columns import Array, ColumnData
from warmcube.model.schema import Kind
from warmcube.query.ranking import ranks, used_codes

__all__ = ["Groups", "group_rows"]

_SPARSE_LIMIT: Final = 4096
"""Up to so many possible groups, or four per row, are numbered without sorting."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by group.

    Attributes:
        of_rows: each row's group, from 0 on.
        examples: of each group one of its rows.
    """

    of_rows: Array
    examples: Array

    def __len__(self) -> int:
        return len(self.examples)


def group_rows(columns: Sequence[ColumnData], rows: int) -> Groups:
    """Group rows whose values are equal in all columns; NULLs are equal, and so are NaNs.

    Args:
        columns: each of `rows` rows; none makes one group, over no rows too.
        rows: how many.
    """
    if not columns:
        return Groups(np.zeros(rows, np.int64), np.zeros(1, np.int64))
    if rows == 0:
        return Groups(np.zeros(0, np.int64), np.zeros(0, np.int64))
    codes, size = _codes(columns[0])
    for column in columns[1:]:
        more, more_size = _codes(column)
        codes = codes * more_size + more
        size *= more_size
        if not _is_small(size, rows):
            codes, size = _packed(codes)
    return _examples(codes, size)


def _is_small(size: int, rows: int) -> bool:
    return size <= max(_SPARSE_LIMIT, 4 * rows)


def _codes(column: ColumnData) -> tuple[Array, int]:
    """Small integers, equal where the values are; and a number that they are all below."""
    if column.type.kind is Kind.TEXT:
        codes, used = used_codes(column)
        size = len(column.dictionary or ())
        if not _is_small(size, len(codes)):
            places = np.zeros(size, np.int64)
            places[used] = np.arange(len(used))
            codes, size = places[codes], len(used)
    else:
        codes, size = _number_codes(column)
    if column.valid is None:
        return codes, size
    return np.where(column.valid, codes, size), size + 1


def _number_codes(column: ColumnData) -> tuple[Array, int]:
    values = ranks(column)
    if column.valid is not None:
        known = values[column.valid]  # what stands for NULL may be far off
        values = np.where(column.valid, values, known[0] if len(known) else 0)
    least = int(values.min())
    size = int(values.max()) - least + 1
    if _is_small(size, len(values)):
        return values.astype(np.int64) - least, size
    return _packed(values)


def _packed(codes: Array) -> tuple[Array, int]:
    distinct, packed = np.unique(codes, return_inverse=True)
    return packed, len(distinct)


def _examples(codes: Array, size: int) -> Groups:
    examples = np.full(size, -1, np.int64)
    examples[codes] = np.arange(len(codes))
    present = np.flatnonzero(examples >= 0)
    if len(present) == size:
        return Groups(codes, examples)
    places = np.zeros(size, np.int64)
    places[present] = np.arange(len(present))
    return Groups(places[codes], examples[present])
