"""Results: Python values, Arrow, polars; and that nothing foreign leaves with them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, WIDE, a_column, a_table, columns_of, key_of

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query import arrowform
from warmcube.query.explain import Explanation
from warmcube.query.pythonform import python_values
from warmcube.query.result import Meta, Result
from warmcube.query.textform import texts

TEXT = ColumnType(Kind.TEXT)


def _result(**columns: ColumnData) -> Result:
    return Result(a_table(**columns), Meta(origin="store"))


@given(data=st.data())
@settings(max_examples=200)
def test_python_values_are_what_was_stored(data: st.DataObject) -> None:
    """Every kind, every value, and None for NULL whatever stands under it."""
    column_type = data.draw(st.sampled_from(TYPES))
    values = data.draw(columns_of(column_type))
    found = python_values(a_column(column_type, values))
    for got, value in zip(found, values, strict=True):
        if value is None:
            assert got is None
            continue
        assert key_of(column_type, got) == key_of(column_type, value)
        assert got.__class__ is value.__class__
        if isinstance(got, Decimal) and got.is_finite():
            assert got.as_tuple().exponent == -column_type.scale
        if column_type.kind is Kind.TIMESTAMPTZ and isinstance(got, datetime):
            assert got.tzinfo is UTC


@pytest.mark.parametrize(
    ("kind", "stored", "expected"),
    [
        (Kind.DATE, -719162, date(1, 1, 1)),
        (Kind.DATE, -719163, "0001-12-31 BC"),
        (Kind.DATE, 2932896, date(9999, 12, 31)),
        (Kind.DATE, 2932897, "10000-01-01"),
        (Kind.TIMESTAMP, -62135596800000000, datetime(1, 1, 1)),  # noqa: DTZ001
        (Kind.TIMESTAMP, -62135596800000001, "0001-12-31 23:59:59.999999 BC"),
        (Kind.TIMESTAMPTZ, 253402300799999999, datetime.max.replace(tzinfo=UTC)),
        (Kind.TIMESTAMPTZ, 253402300800000000, "10000-01-01 00:00:00+00"),
        (Kind.TIMESTAMPTZ, -(2**63), "-infinity"),
        (Kind.TIMESTAMPTZ, 2**63 - 1, "infinity"),
    ],
)
def test_moments_outside_pythons_calendar_are_text(kind: Kind, stored: int, expected: Any) -> None:
    """On both sides of both ends."""
    dtype = np.int32 if kind is Kind.DATE else np.int64
    column = ColumnData(ColumnType(kind), np.array([stored], dtype))
    assert python_values(column) == [expected]


def test_rows_are_dicts_in_the_columns_order() -> None:
    """One dict per row, made on demand."""
    result = _result(b=a_column(TEXT, ["x", None]), a=a_column(MONEY, [Decimal("1.50"), None]))
    assert result.rows() == [{"b": "x", "a": Decimal("1.50")}, {"b": None, "a": None}]
    assert [list(row) for row in result.rows()] == [["b", "a"]] * 2
    assert (len(result), result.columns) == (2, ("b", "a"))


def test_the_repr_has_no_values() -> None:
    """Logs show how many rows and which columns, never what is in them."""
    result = _result(name=a_column(TEXT, ["private"]), v=a_column(MONEY, [Decimal(98765)]))
    assert repr(result) == "<Result: 1 rows of (name, v) from the store>"


def test_meta_is_a_frozen_record() -> None:
    """Where the answer comes from can't be changed by who reads it."""
    meta = Meta(origin="database")
    with pytest.raises(AttributeError):
        meta.rows = 5  # type: ignore[misc]
    assert (meta.snapshot, meta.stale, meta.notes) == (None, False, ())


ARROW_TYPES = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "numeric(10,2)": pa.decimal128(10, 2),
    "numeric(38,6)": pa.decimal128(38, 6),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
    "uuid": pa.string(),
}


def _is_special(value: Any, column_type: ColumnType) -> bool:
    if column_type.kind is Kind.NUMERIC:
        return value is not None and not value.is_finite()
    return column_type.kind is not Kind.TEXT and isinstance(value, str)


@given(data=st.data())
@settings(max_examples=200)
def test_arrow_holds_the_same_values(data: st.DataObject) -> None:
    """Exact types; a column with a value that Arrow lacks is text as Postgres prints it."""
    column_type = data.draw(st.sampled_from(TYPES))
    values = data.draw(columns_of(column_type))
    result = _result(c=a_column(column_type, values))
    column = result.to_arrow()["c"]
    column.validate(full=True)
    is_text = any(_is_special(value, column_type) for value in values)
    assert column.type == (pa.string() if is_text else ARROW_TYPES[str(column_type)])
    if is_text or column_type.kind is Kind.UUID:
        assert column.to_pylist() == texts(a_column(column_type, values))
    elif column_type.kind.is_float:
        assert repr(column.to_pylist()) == repr(python_values_of(result))
    else:
        assert column.to_pylist() == python_values_of(result)


def python_values_of(result: Result) -> list[Any]:
    """The values of the column c."""
    return [row["c"] for row in result.rows()]


def test_averages_may_need_a_longer_decimal() -> None:
    """Up to 76 digits are a decimal256 in Arrow, beyond it is text; in polars beyond 38."""
    long = ColumnType(Kind.NUMERIC, 56, 24)
    column = ColumnData(long, np.array([10**55, 0, -1], np.object_), np.array([True, False, True]))
    beyond = ColumnType(Kind.NUMERIC, 80, 60)
    longest = ColumnData(beyond, np.array([10**79, 1, 0], np.object_))
    result = _result(a=column, b=longest)
    arrow = result.to_arrow()
    assert arrow.schema.types == [pa.decimal256(56, 24), pa.string()]
    texts = ["1" + "0" * 31 + "." + "0" * 24, None, "-0." + "0" * 23 + "1"]
    assert arrow["a"].to_pylist() == [None if text is None else Decimal(text) for text in texts]
    assert arrow["b"].to_pylist()[0] == "1" + "0" * 19 + "." + "0" * 60
    assert result.to_polars()["a"].to_list() == texts


def test_columns_are_unpacked_whatever_precision_they_claim() -> None:
    """A scale above the precision widens the decimal."""
    column = ColumnData(ColumnType(Kind.NUMERIC, 2, 5), np.array([12], np.int64))
    assert _result(c=column).to_arrow()["c"].to_pylist() == [Decimal("0.00012")]


def test_long_text_is_a_large_string(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 2 GiB of text don't fit a string column; each row counts, not each distinct text."""
    result = _result(c=a_column(TEXT, ["äbc", "äbc", None]))
    monkeypatch.setattr(arrowform, "_STRING_BYTES", 8)
    assert result.to_arrow()["c"].type == pa.string()
    monkeypatch.setattr(arrowform, "_STRING_BYTES", 7)
    assert result.to_arrow()["c"].type == pa.large_string()
    assert result.to_arrow()["c"].to_pylist() == ["äbc", "äbc", None]


def test_polars_has_plain_columns() -> None:
    """Decimals stay decimals, text is no category."""
    result = _result(
        g=a_column(TEXT, ["x", None]),
        v=a_column(WIDE, [Decimal("1.5"), None]),
        t=a_column(ColumnType(Kind.TIMESTAMPTZ), [datetime(2024, 1, 1, tzinfo=UTC), None]),
    )
    frame = result.to_polars()
    assert frame.schema == {
        "g": pl.String,
        "v": pl.Decimal(38, 6),
        "t": pl.Datetime("us", "UTC"),
    }
    assert frame.rows() == [tuple(row.values()) for row in result.rows()]


def test_results_speak_the_arrow_interface() -> None:
    """Whatever reads Arrow streams reads a result."""
    result = _result(g=a_column(TEXT, ["x", "y"]))
    assert pa.table(result).equals(result.to_arrow())
    assert pl.DataFrame(result)["g"].to_list() == ["x", "y"]


def _buffers(table: pa.Table) -> bytes:
    """All bytes that an Arrow table can be followed to."""
    parts = [str(table.schema.metadata).encode()]
    for column in table.columns:
        for chunk in column.chunks:
            for buffer in chunk.buffers():
                if buffer is not None:
                    whole = buffer
                    while whole.parent is not None:
                        whole = whole.parent
                    parts.append(whole.to_pybytes())
    return b"\n".join(parts)


def test_arrow_buffers_hold_only_the_answers_rows() -> None:
    """No dictionary, no parent array of a slice, nothing that stood under a NULL."""
    foreign = 0x7EADBEEF7EADBEEF
    words = ["own", "foreign text", "under null"]
    valid = np.array([True, False])
    parent = np.array([foreign, 5, foreign, foreign], np.int64)
    table = Table(
        {
            "g": ColumnData(TEXT, np.array([1, 0, 2, 1])[1:3], valid, words),
            "n": ColumnData(ColumnType(Kind.BIGINT), parent[1:3], valid),
            "m": ColumnData(ColumnType(Kind.NUMERIC, 18, 2), parent[1:3], valid),
            "w": ColumnData(WIDE, parent.astype(np.object_)[1:3], valid),
            "whole": ColumnData(ColumnType(Kind.BIGINT), parent[1:2].repeat(2)),
            "slice": ColumnData(ColumnType(Kind.BIGINT), parent[1:3] % 7),
            "u": ColumnData(
                ColumnType(Kind.UUID), np.array([b"\0" * 16, b"\xfe" * 16], "S16"), valid
            ),
        },
        2,
    )
    arrow = Result(table, Meta(origin="store")).to_arrow()
    data = _buffers(arrow)
    assert b"own" in data
    assert foreign.to_bytes(8, "little") not in data
    assert b"foreign" not in data
    assert b"under" not in data
    assert b"fefefe" not in data
    assert arrow["n"].to_pylist() == [5, None]
    assert arrow["u"].to_pylist() == [str(UUID(int=0)), None]


def test_views_are_copied_out() -> None:
    """A column that is a view of a longer array doesn't take that array along."""
    parent = np.arange(1000, dtype=np.int64)
    arrow = _result(c=ColumnData(ColumnType(Kind.BIGINT), parent[10:12])).to_arrow()
    assert len(_buffers(arrow)) < 200
    parent[10] = -1
    assert arrow["c"].to_pylist() == [10, 11]


def test_floats_keep_their_nan() -> None:
    """NaN, infinity and NULL stay three things."""
    values = [math.nan, math.inf, None]
    found = _result(c=a_column(ColumnType(Kind.DOUBLE), values)).to_arrow()["c"].to_pylist()
    assert repr(found) == repr(values)


def test_an_explanation_is_made_when_somebody_asks() -> None:
    """Once, and by those who have the same answer each for themselves."""
    made: list[Explanation] = []
    table = a_table(n=a_column(TEXT, ["x"]))

    def explain() -> Explanation:
        made.append(Explanation(origin="store", rows=len(made)))
        return made[-1]

    result = Result(table, Meta(origin="store"), explain)
    assert made == []
    assert result.explanation is result.explanation is made[0]
    assert len(made) == 1
    assert Result(table, Meta(origin="store"), made[0]).explanation is made[0]
    assert Result(table, Meta(origin="store")).explanation is None
