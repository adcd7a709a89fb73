"""The text form of every kind, as Postgres prints it."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, a_column, columns_of

from warmcube.model.columns import ColumnData
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.textform import distinct_texts, texts

# What PostgreSQL 18.4 prints for float8 and for float4.
DOUBLES = (
    "100000000000000 1e+15 123456789012345 1.234567890123456e+15 0.0001 1e-05 0.00012345 1e+16 -0 "
    "5e-324 1.7976931348623157e+308 1e+22 9.999999999999999e+22 9.007199254740992e+15 0.1 NaN "
    "Infinity -Infinity 99999999999999.9 999999999999999.9 100 1e+100 0 -1.5"
)
REALS = (
    "100000 1e+06 123456 1.234567e+06 999999.5 0.0001 1e-05 0.00012345 1.6777216e+07 -0 1e-45 "
    "3.4028235e+38 0.1 NaN Infinity -Infinity 1e+07 8.589974e+09 0 -1.5 1.1754944e-38"
)


@pytest.mark.parametrize(
    ("kind", "dtype", "printed"),
    [(Kind.DOUBLE, np.float64, DOUBLES), (Kind.REAL, np.float32, REALS)],
)
def test_floats_print_as_postgres(kind: Kind, dtype: Any, printed: str) -> None:
    """Shortest digits, and an exponent where Postgres has one."""
    values = np.array([float(text) for text in printed.split()], dtype)
    assert texts(ColumnData(ColumnType(kind), values)) == printed.split()


@given(st.floats(allow_nan=False))
def test_doubles_are_read_back(value: float) -> None:
    """The text names this double and no other."""
    (text,) = texts(ColumnData(ColumnType(Kind.DOUBLE), np.array([value])))
    assert math.copysign(1, float(text or "")) == math.copysign(1, value)
    assert float(text or "") == value


@given(st.floats(allow_nan=False, width=32))
def test_reals_are_read_back(value: float) -> None:
    """The text names this real and no other, with at most nine digits."""
    (text,) = texts(ColumnData(ColumnType(Kind.REAL), np.array([value], np.float32)))
    with np.errstate(over="ignore"):
        assert np.float32(text) == np.float32(value)
    assert len((text or "").lstrip("-").replace(".", "").split("e")[0].strip("0")) <= 9


def test_texts_half_way_to_a_neighbour_are_not_used() -> None:
    """1e23 is half-way between two doubles; Postgres writes digits that are nearer."""
    halfway = np.array([1e23, 2.0**89], np.float64)
    assert texts(ColumnData(ColumnType(Kind.DOUBLE), halfway)) == [
        "9.999999999999999e+22",
        "6.189700196426902e+26",
    ]


@pytest.mark.parametrize(
    ("column_type", "value", "text"),
    [
        (ColumnType(Kind.SMALLINT), -5, "-5"),
        (ColumnType(Kind.BIGINT), -(2**63), "-9223372036854775808"),
        (ColumnType(Kind.BOOLEAN), True, "true"),
        (ColumnType(Kind.BOOLEAN), False, "false"),
        (MONEY, Decimal("12.5"), "12.50"),
        (MONEY, Decimal(0), "0.00"),
        (MONEY, Decimal("-0.01"), "-0.01"),
        (MONEY, Decimal("NaN"), "NaN"),
        (MONEY, Decimal("-Infinity"), "-Infinity"),
        (ColumnType(Kind.NUMERIC, 38, 30), Decimal("0.000000001"), "0.000000001" + "0" * 21),
        (ColumnType(Kind.DATE), date(2024, 2, 29), "2024-02-29"),
        (ColumnType(Kind.DATE), "-infinity", "-infinity"),
        (
            ColumnType(Kind.TIMESTAMP),
            datetime(2024, 2, 29, 1, 2, 3, 400),  # noqa: DTZ001
            "2024-02-29 01:02:03.0004",
        ),
        (ColumnType(Kind.TIMESTAMP), "infinity", "infinity"),
        (ColumnType(Kind.TIMESTAMPTZ), datetime(2024, 2, 29, tzinfo=UTC), "2024-02-29 00:00:00+00"),
        (ColumnType(Kind.TIMESTAMPTZ), "infinity", "infinity"),
        (ColumnType(Kind.TEXT), "", ""),
        (ColumnType(Kind.UUID), UUID(int=255), "00000000-0000-0000-0000-0000000000ff"),
    ],
)
def test_values_print_as_postgres(column_type: ColumnType, value: Any, text: str) -> None:
    """Beside NULL, which has no text."""
    assert texts(a_column(column_type, [value, None, value])) == [text, None, text]


@given(data=st.data())
def test_equal_values_share_a_text(data: st.DataObject) -> None:
    """Texts are made once per distinct value, encoded once, and put back in their rows."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    calls: list[str] = []

    def encode(text: str) -> str:
        calls.append(text)
        return f"<{text}>"

    found = texts(column, encode)
    plain = texts(column)
    assert found == [None if text is None else f"<{text}>" for text in plain]
    assert len(calls) == len(distinct_texts(column)[0])


def test_no_texts_without_a_dictionary() -> None:
    """A column of NULLs only may have none."""
    column = ColumnData(ColumnType(Kind.TEXT), np.array([7, 8]), np.array([False, False]), ())
    assert texts(column, lambda text: text) == [None, None]
