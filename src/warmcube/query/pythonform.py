"""An answer's column as Python values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np

from warmcube.model.columns import ColumnData
from warmcube.model.schema import Kind
from warmcube.query.instants import day_of, instant_of
from warmcube.query.numbers import decimals_of
from warmcube.query.textform import texts

__all__ = ["python_values"]

_DAYS: Final = (day_of(date.min), day_of(date.max))
_INSTANTS: Final = (
    instant_of(datetime.min.replace(tzinfo=UTC)),
    instant_of(datetime.max.replace(tzinfo=UTC)),
)


def python_values(column: ColumnData) -> list[Any]:
    """One Python value per row, None for NULL.

    ========================= ==============================================================
    smallint integer bigint   int
    real, double              float
    numeric                   Decimal with the column's scale; also NaN, Infinity, -Infinity
    boolean                   bool
    date                      date
    timestamp                 datetime without a time zone
    timestamptz               datetime in UTC
    uuid                      UUID
    text                      str
    ========================= ==============================================================

    Days and instants outside Python's calendar (BC, beyond 9999, the infinities) are the str that
    Postgres prints.
    """
    found = _values(column)
    if column.valid is not None:
        for row in np.flatnonzero(~column.valid).tolist():
            found[row] = None
    return found


def _values(column: ColumnData) -> list[Any]:
    kind, values = column.type.kind, column.values
    if kind is Kind.TEXT:
        return list(texts(column))
    if kind is Kind.NUMERIC:
        return list(decimals_of(values.tolist(), column.type))
    if kind is Kind.UUID:
        packed = values.tobytes()
        return [UUID(bytes=packed[at : at + 16]) for at in range(0, len(packed), 16)]
    if kind is Kind.DATE or kind.is_instant:
        return _moments(column)
    plain: list[Any] = values.tolist()
    return plain


def _moments(column: ColumnData) -> list[Any]:
    kind, values = column.type.kind, column.values
    unit, (first, last) = ("D", _DAYS) if kind is Kind.DATE else ("us", _INSTANTS)
    found: list[Any] = values.astype(np.int64).view(f"M8[{unit}]").tolist()
    outside = np.flatnonzero((values < first) | (values > last))
    for row, text in zip(outside.tolist(), texts(column.take(outside)), strict=True):
        found[row] = text
    if kind is Kind.TIMESTAMPTZ:
        return [
            moment.replace(tzinfo=UTC) if isinstance(moment, datetime) else moment
            for moment in found
        ]
    return found
