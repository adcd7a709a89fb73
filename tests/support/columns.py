"""Columns from Python values, and how SQL compares those values: an oracle, a row at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import numpy as np
from hypothesis import strategies as st

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema

MONEY = ColumnType(Kind.NUMERIC, 10, 2)
WIDE = ColumnType(Kind.NUMERIC, 38, 6)
TYPES = (
    ColumnType(Kind.SMALLINT),
    ColumnType(Kind.INTEGER),
    ColumnType(Kind.BIGINT),
    ColumnType(Kind.REAL),
    ColumnType(Kind.DOUBLE),
    ColumnType(Kind.BOOLEAN),
    MONEY,
    WIDE,
    ColumnType(Kind.DATE),
    ColumnType(Kind.TIMESTAMP),
    ColumnType(Kind.TIMESTAMPTZ),
    ColumnType(Kind.TEXT),
    ColumnType(Kind.UUID),
)
_DTYPES: dict[Kind, Any] = {
    Kind.SMALLINT: np.int16,
    Kind.INTEGER: np.int32,
    Kind.BIGINT: np.int64,
    Kind.REAL: np.float32,
    Kind.DOUBLE: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.DATE: np.int32,
    Kind.TIMESTAMP: np.int64,
    Kind.TIMESTAMPTZ: np.int64,
    Kind.TEXT: np.int64,
    Kind.UUID: "S16",
}
_FOREIGN = ("zzz foreign", "Überfremd", "secret")
"""In every dictionary, in no row: must never be seen."""


def stored(value: Any, column_type: ColumnType) -> Any:
    """A value in storage form; infinite days and instants are ``"infinity"``, ``"-infinity"``."""
    kind = column_type.kind
    if kind is Kind.NUMERIC:
        return _stored_numeric(value, column_type)
    if kind is Kind.DATE or kind.is_instant:
        return _stored_moment(value, kind)
    return value.bytes if kind is Kind.UUID else value


def _stored_numeric(value: Decimal, column_type: ColumnType) -> Any:
    bits = 63 if column_type.precision <= 18 else 127
    if value.is_nan():
        return 2**bits - 1
    if value.is_infinite():
        return 2**bits - 2 if value > 0 else -(2**bits)
    return int(value.scaleb(column_type.scale, Context(prec=100)))


def _stored_moment(value: Any, kind: Kind) -> Any:
    bits = 31 if kind is Kind.DATE else 63
    if isinstance(value, str):
        return 2**bits - 1 if value == "infinity" else -(2**bits)
    if kind is Kind.DATE:
        return (value - date(1970, 1, 1)).days
    zone = UTC if kind is Kind.TIMESTAMPTZ else None
    return (value - datetime(1970, 1, 1, tzinfo=zone)) // timedelta(microseconds=1)


def a_column(column_type: ColumnType, values: Sequence[Any]) -> ColumnData:
    """A column of Python values; None is NULL, under which anything may stand."""
    valid = np.array([value is not None for value in values], np.bool_)
    if column_type.kind is Kind.TEXT:
        words = (*_FOREIGN, *sorted({value for value in values if value is not None}, reverse=True))
        found = [10**6 if value is None else words.index(value) for value in values]
        return _with_validity(column_type, np.array(found, np.int64), valid, words)
    dtype = np.object_ if column_type.is_wide else _DTYPES.get(column_type.kind, np.int64)
    column = np.empty(len(values), dtype)
    for row, value in enumerate(values):
        column[row] = _garbage(column_type) if value is None else stored(value, column_type)
    return _with_validity(column_type, column, valid, None)


def _garbage(column_type: ColumnType) -> Any:
    if column_type.kind is Kind.UUID:
        return b"\xee" * 16
    return 1 if column_type.kind in (Kind.BOOLEAN, Kind.SMALLINT) else 2**31 - 1


def _with_validity(
    column_type: ColumnType, values: Any, valid: Any, dictionary: Sequence[str] | None
) -> ColumnData:
    return ColumnData(column_type, values, None if valid.all() else valid, dictionary)


def a_table(**columns: ColumnData) -> Table:
    """A table of columns of one length."""
    return Table(columns, len(next(iter(columns.values()))))


def a_schema(**types: ColumnType) -> Schema:
    """A schema of named columns."""
    return Schema(tuple(Column(name, column_type) for name, column_type in types.items()))


def a_datasource(**changes: Any) -> Datasource:
    """A data source whose table has no role column but those given; see `Roles`."""
    zone = changes.pop("time_zone", "UTC")
    none: dict[str, Any] = dict.fromkeys(
        ("measure", "practice", "provider", "frequency", "date", "value")
    )
    roles = Roles(**(none | changes))
    return Datasource(id=1, name="t", source="main", table="t", roles=roles, time_zone=zone)


def comparable(value: Any) -> Any:
    """A key that compares as SQL compares the values of one column."""
    if isinstance(value, float):
        return (1, 0.0) if math.isnan(value) else (0, value)
    if isinstance(value, Decimal):
        return (1, Decimal(0)) if value.is_nan() else (0, value)
    if isinstance(value, UUID):
        return value.bytes
    if isinstance(value, datetime):
        return (0, value)
    if isinstance(value, date):
        return (0, value)
    return value


def moment_key(value: Any) -> Any:
    """`comparable` for days and instants, which may be infinite."""
    if isinstance(value, str):
        return (1, None) if value == "infinity" else (-1, None)
    return (0, value)


def key_of(column_type: ColumnType, value: Any) -> Any:
    """What a value of a column is compared by."""
    is_moment = column_type.kind is Kind.DATE or column_type.kind.is_instant
    return moment_key(value) if is_moment else comparable(value)


_SPECIAL = (Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"))
_INFINITE = st.sampled_from(["infinity", "-infinity"])
_WORDS = st.sampled_from(
    ["", "a", "A", "ä", "Straße", "STRASSE", "b,c", "😀", "\uffff", "z\n", "é"]
)


def _integers(bits: int) -> st.SearchStrategy[int]:
    limit = 2 ** (bits - 1)
    return st.integers(-3, 3) | st.integers(-limit, limit - 1)


def _numerics(digits: int, scale: int) -> st.SearchStrategy[Decimal]:
    limit = 10**digits - 1
    unscaled = st.integers(-300, 300) | st.integers(-limit, limit)
    finite = unscaled.map(lambda value: Decimal(f"{value}E-{scale}"))
    return st.sampled_from(_SPECIAL) | finite | finite


def _floats(width: int) -> st.SearchStrategy[float]:
    few = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, math.nan, math.inf, -math.inf])
    if width == 32:
        few = few.map(lambda value: float(np.float32(value)))
    return few | st.floats(width=width)  # type: ignore[arg-type]


_NEAR_CLOCK_CHANGES = st.sampled_from(
    [
        datetime(2024, 3, 10, 4, 30),  # noqa: DTZ001
        datetime(2024, 3, 10, 5),  # noqa: DTZ001
        datetime(2024, 11, 3, 4),  # noqa: DTZ001
        datetime(2024, 11, 3, 4, 59, 59, 999999),  # noqa: DTZ001
        datetime(2024, 11, 4, 4, 59, 59, 999999),  # noqa: DTZ001
        datetime(2024, 11, 4, 5),  # noqa: DTZ001
    ]
)
_CLOCKS = _NEAR_CLOCK_CHANGES | st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001
    datetime(2024, 12, 31),  # noqa: DTZ001
)

VALUES: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType(Kind.SMALLINT): _integers(16),
    ColumnType(Kind.INTEGER): _integers(32),
    ColumnType(Kind.BIGINT): _integers(64),
    ColumnType(Kind.REAL): _floats(32),
    ColumnType(Kind.DOUBLE): _floats(64),
    ColumnType(Kind.BOOLEAN): st.booleans(),
    MONEY: _numerics(10, 2),
    WIDE: _numerics(38, 6),
    ColumnType(Kind.DATE): _INFINITE | st.dates(date(2024, 1, 1), date(2024, 1, 9)) | st.dates(),
    ColumnType(Kind.TIMESTAMP): _INFINITE | _CLOCKS | _CLOCKS,
    ColumnType(Kind.TIMESTAMPTZ): _INFINITE | _CLOCKS.map(lambda value: value.replace(tzinfo=UTC)),
    ColumnType(Kind.TEXT): _WORDS,
    ColumnType(Kind.UUID): st.sampled_from([0, 256, 2**64, 2**127 + 2**64, 2**128 - 1]).map(
        lambda value: UUID(int=value)
    ),
}
"""Values of each type: many that are equal, and the extremes."""


ASCENDING: dict[Kind, list[Any]] = {
    Kind.SMALLINT: [-1, 0, 5],
    Kind.INTEGER: [-1, 0, 5],
    Kind.BIGINT: [-(2**63), 0, 2**63 - 1],
    Kind.REAL: [-math.inf, 0.5, math.nan],
    Kind.DOUBLE: [0.1, math.inf, math.nan],
    Kind.BOOLEAN: [False, True],
    Kind.NUMERIC: [Decimal("-Infinity"), Decimal("0.5"), Decimal("NaN")],
    Kind.DATE: ["-infinity", date(2024, 1, 1), "infinity"],
    Kind.TIMESTAMP: [datetime(2024, 1, 1), datetime(2024, 1, 1, 5), "infinity"],  # noqa: DTZ001
    Kind.TIMESTAMPTZ: ["-infinity", datetime(2024, 1, 1, tzinfo=UTC), "infinity"],
    Kind.TEXT: ["", "\uffff", "😀"],
    Kind.UUID: [UUID(int=255), UUID(int=2**127), UUID(int=2**128 - 1)],
}
"""Values of each kind in SQL's order."""


def columns_of(column_type: ColumnType, rows: int | None = None) -> st.SearchStrategy[list[Any]]:
    """Lists of a type's values and NULLs."""
    least, most = (0, 12) if rows is None else (rows, rows)
    return st.lists(
        st.none() | VALUES[column_type] | VALUES[column_type], min_size=least, max_size=most
    )
