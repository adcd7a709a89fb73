"""A value has one text, from the cache as from SQL, and different values have different ones."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from warmcube.prove.canonical import Form, from_python, from_sql, rank

SAME: list[tuple[Form, Any, list[str]]] = [
    (Form.INTEGER, -114, ["-114"]),
    (Form.NUMERIC, Decimal("12.50"), ["12.50", "12.5", "12.5000"]),
    (Form.NUMERIC, Decimal("1E+3"), ["1000", "1000.00"]),
    (Form.NUMERIC, Decimal("-0.00"), ["0.00", "0"]),
    (Form.NUMERIC, Decimal("NaN"), ["NaN"]),
    (Form.NUMERIC, Decimal("-Infinity"), ["-Infinity"]),
    (Form.REAL, 0.10000000149011612, ["0.1"]),
    (Form.DOUBLE, 0.1, ["0.1", "0.10000000000000001"]),
    (Form.DOUBLE, math.nan, ["NaN", "nan"]),
    (Form.DOUBLE, -math.inf, ["-Infinity", "-inf"]),
    (Form.DOUBLE, -0.0, ["-0"]),
    (Form.BOOLEAN, True, ["true"]),
    (Form.DATE, date(2024, 2, 29), ["2024-02-29"]),
    (Form.DATE, "0044-03-15 BC", ["0044-03-15 BC", "0044-03-15 (BC)"]),
    (Form.DATE, "infinity", ["infinity"]),
    (Form.DATE, "12024-01-01", ["12024-01-01"]),
    (Form.TIMESTAMP, datetime(2024, 1, 1, 1, 2, 3, 450000), ["2024-01-01 01:02:03.45"]),  # noqa: DTZ001
    (
        Form.TIMESTAMP,
        datetime(2024, 1, 10, 20, 30, 0, 100),  # noqa: DTZ001
        ["2024-01-10 20:30:00.0001", "2024-01-10 20:30:00.000100"],
    ),
    (Form.TIMESTAMP, datetime(2024, 1, 1, 10), ["2024-01-01 10:00:00"]),  # noqa: DTZ001
    (Form.TIMESTAMPTZ, datetime(2024, 1, 1, 10, tzinfo=UTC), ["2024-01-01 10:00:00+00"]),
    (
        Form.TIMESTAMPTZ,
        datetime(2024, 1, 1, 10, 0, 0, 500, tzinfo=UTC),
        ["2024-01-01 10:00:00.0005+00"],
    ),
    (
        Form.TIMESTAMPTZ,
        "0044-03-15 01:00:00.5+00 BC",
        ["0044-03-15 01:00:00.5+00 BC", "0044-03-15 (BC) 01:00:00.5+00"],
    ),
    (
        Form.UUID,
        UUID("00000000-0000-0000-0000-00000000000a"),
        ["00000000-0000-0000-0000-00000000000a"],
    ),
    (Form.TEXT, "", [""]),
    (Form.TEXT, "NULL", ["NULL"]),
]


@pytest.mark.parametrize(("form", "value", "texts"), SAME)
def test_the_same(form: Form, value: Any, texts: list[str]) -> None:
    """However SQL prints it, it is the cache's value."""
    (found,) = from_python([value], form)
    assert from_sql(texts, form) == [found] * len(texts)


@pytest.mark.parametrize("form", Form)
def test_null(form: Form) -> None:
    """NULL is nothing else: not the empty text, not 0."""
    assert from_python([None], form) == from_sql([None], form) == [None]


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (Form.INTEGER, "114"),
        (Form.INTEGER, True),
        (Form.INTEGER, 1.0),
        (Form.NUMERIC, 1.5),
        (Form.DOUBLE, Decimal("1.5")),
        (Form.BOOLEAN, 1),
        (Form.UUID, "00000000-0000-0000-0000-00000000000a"),
        (Form.TEXT, 5),
        (Form.DATE, datetime(2024, 1, 1)),  # noqa: DTZ001
    ],
)
def test_another_type(form: Form, value: Any) -> None:
    """A value of another Python type than the documented one equals nothing."""
    (found,) = from_python([value], form)
    assert found is not None
    assert "another type" in found


def test_zeros_differ() -> None:
    """0 and -0 are told apart, as are the empty text and a blank."""
    assert len(set(from_python([0.0, -0.0], Form.DOUBLE))) == 2
    assert len(set(from_python(["", " "], Form.TEXT))) == 2


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (Form.NUMERIC, ["-Infinity", "-5", "0.5", "10", "Infinity", "NaN"]),
        (Form.DOUBLE, ["-inf", "-5.0", "0.5", "10.0", "inf", "nan"]),
        (
            Form.DATE,
            [
                "-infinity",
                "0044-03-15 BC",
                "0002-01-01 BC",
                "0999-12-31",
                "9999-01-01",
                "12024-01-01",
                "infinity",
            ],
        ),
        (Form.TEXT, ["", "A", "a", "é"]),
    ],
)
def test_rank(form: Form, texts: list[str]) -> None:
    """Values stand as Postgres orders them."""
    upwards = [rank(text, form) for text in texts]
    assert upwards == sorted(upwards)
    assert len(set(map(str, upwards))) == len(texts)
