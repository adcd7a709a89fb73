"""The order of an answer's rows: as Postgres orders, text by code point."""

from __future__ import annotations

import numpy as np

from warmcube.model.columns import Array, Table
from warmcube.query.prepared import Ordering
from warmcube.query.ranking import ranks

__all__ = ["ordered_rows"]


def ordered_rows(table: Table, order: tuple[Ordering, ...]) -> Array:
    """The positions of a table's rows in order; rows that are equal keep theirs.

    NULLs come last ascending and first descending.
    """
    keys: list[Array] = []  # the last key is the first to decide
    for ordering in reversed(order):
        column = table.columns[ordering.column]
        placed = ranks(column)
        if ordering.descending:
            placed = ~placed
        if column.valid is None:
            keys.append(placed)
        else:
            keys.append(np.where(column.valid, placed, 0))
            keys.append(column.valid if ordering.descending else ~column.valid)
    return np.lexsort(keys)
