"""JSON, CSV, Parquet, Arrow streams and terminal tables."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.support.columns import MONEY, TYPES, a_column, a_table, columns_of

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.formats import (
    WRITERS,
    to_arrow_stream,
    to_csv,
    to_json,
    to_parquet,
    to_terminal,
)
from warmcube.query.result import Meta, Result
from warmcube.query.textform import texts

TEXT = ColumnType(Kind.TEXT)
DOUBLE = ColumnType(Kind.DOUBLE)


def _result(**columns: ColumnData) -> Result:
    return Result(a_table(**columns), Meta(origin="store"))


def _every_kind() -> Result:
    return _result(
        i=a_column(ColumnType(Kind.BIGINT), [2**63 - 1, None]),
        n=a_column(MONEY, [Decimal("12.50"), None]),
        x=a_column(MONEY, [Decimal("NaN"), Decimal("-Infinity")]),
        f=a_column(DOUBLE, [1e16, math.inf]),
        b=a_column(ColumnType(Kind.BOOLEAN), [True, None]),
        d=a_column(ColumnType(Kind.DATE), [date(2024, 2, 29), "infinity"]),
        t=a_column(ColumnType(Kind.TIMESTAMP), [datetime(2024, 2, 29, 1, 2, 3), None]),  # noqa: DTZ001
        z=a_column(
            ColumnType(Kind.TIMESTAMPTZ), [datetime(2024, 2, 29, 1, tzinfo=UTC), "-infinity"]
        ),
        s=a_column(TEXT, ['ä"\n', ""]),
        u=a_column(ColumnType(Kind.UUID), [UUID(int=1), None]),
    )


def test_json_is_one_array_of_objects() -> None:
    """Exact digits, ISO 8601, and text for what JSON has no number for."""
    assert to_json(_every_kind()).decode() == (
        '[{"i":9223372036854775807,"n":12.50,"x":"NaN","f":1e+16,"b":true,"d":"2024-02-29",'
        '"t":"2024-02-29T01:02:03","z":"2024-02-29T01:00:00+00:00","s":"ä\\"\\n",'
        '"u":"00000000-0000-0000-0000-000000000001"},\n'
        '{"i":null,"n":null,"x":"-Infinity","f":"Infinity","b":null,"d":"infinity",'
        '"t":null,"z":"-infinity","s":"","u":null}]\n'
    )


def test_json_of_no_rows_is_an_empty_array() -> None:
    """Still JSON."""
    assert json.loads(to_json(_result(a=a_column(TEXT, [])))) == []


def test_json_moments_outside_the_calendar_are_postgres_text() -> None:
    """ISO 8601 has no plain form for BC."""
    column = ColumnData(ColumnType(Kind.TIMESTAMPTZ), np.array([-63517000000000000]))
    ((value,),) = [row.values() for row in json.loads(to_json(_result(c=column)))]
    assert value == texts(column)[0]
    assert value.endswith("+00 BC")


@given(data=st.data())
def test_json_reads_back(data: st.DataObject) -> None:
    """Whatever the values are, it is JSON with the right keys, and numbers lose no digit."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    name = data.draw(st.text(st.characters(codec="utf-8"), min_size=1))
    rows = json.loads(to_json(_result(**{name: column})), parse_float=Decimal)
    assert [list(row) for row in rows] == [[name]] * len(column)
    if column_type.kind in (Kind.NUMERIC, Kind.TEXT, Kind.BIGINT):
        found = [None if row[name] is None else str(row[name]) for row in rows]
        expected = [None if text is None else text for text in texts(column)]
        if column_type.kind is Kind.NUMERIC:
            assert [None if text is None else f"{Decimal(text):f}" for text in found] == expected
        else:
            assert found == expected


def test_csv_tells_null_from_the_empty_text() -> None:
    """RFC 4180: quotes where needed, doubled inside; lines end with CRLF."""
    result = _result(
        **{
            "a,b": a_column(TEXT, [None, "", "x", 'say "hi"', "1,5", "two\nlines", "\r"]),
            "n": a_column(MONEY, [Decimal(1), None, *[Decimal("NaN")] * 5]),
        }
    )
    assert to_csv(result).decode() == (
        '"a,b",n\r\n,1.00\r\n"",\r\nx,NaN\r\n"say ""hi""",NaN\r\n"1,5",NaN\r\n'
        '"two\nlines",NaN\r\n"\r",NaN\r\n'
    )


@given(data=st.data())
def test_csv_reads_back(data: st.DataObject) -> None:
    """A reader gets the text form of every value, NULL as the empty field."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    text = to_csv(_result(c=column, last=column)).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["c", "last"]
    assert [row[0] for row in rows[1:]] == [value or "" for value in texts(column)]


def test_parquet_and_arrow_streams_hold_the_arrow_table() -> None:
    """With its types and values, and no metadata besides."""
    result = _every_kind()
    expected = result.to_arrow()
    stored = pq.read_table(io.BytesIO(to_parquet(result)))
    assert stored.equals(expected)
    assert stored.schema.metadata is None
    with pa.ipc.open_stream(to_arrow_stream(result)) as stream:
        assert stream.read_all().equals(expected)
        assert stream.schema.metadata is None


def test_parquet_keeps_long_decimals() -> None:
    """Averages of up to 76 digits."""
    column = ColumnData(ColumnType(Kind.NUMERIC, 56, 24), np.array([10**55, -1], np.object_))
    stored = pq.read_table(io.BytesIO(to_parquet(_result(avg=column))))
    assert stored["avg"].to_pylist() == [Decimal(10**31), Decimal("-1E-24")]


@pytest.mark.parametrize("format", sorted(WRITERS))
def test_no_format_holds_foreign_text(format: str) -> None:
    """Of a dictionary only what the answer's own rows use goes out."""
    words = ["first own", "FOREIGN ONE", "under null", "second own", "FOREIGN TWO"]
    codes, valid = np.array([3, 2, 0]), np.array([True, False, True])
    table = Table({"g": ColumnData(TEXT, codes, valid, words)}, 3)
    data = WRITERS[format](Result(table, Meta(origin="store", notes=("FOREIGN NOTE",))))
    assert b"first own" in data
    assert b"second own" in data
    assert b"FOREIGN" not in data
    assert b"under" not in data
    assert b"pandas" not in data


def _printed(result: Result, rows: int | None = None) -> str:
    console = Console(width=80, record=True, file=io.StringIO(), color_system=None)
    console.print(to_terminal(result, rows))
    return console.export_text()


def test_terminals_show_rows_and_how_many_are_left() -> None:
    """NULL by name, numbers to the right, the rest counted."""
    result = _result(
        name=a_column(TEXT, ["x", None, "z"]), v=a_column(MONEY, [Decimal(1), Decimal(200), None])
    )
    whole = _printed(result)
    assert "│ x    │   1.00 │" in whole
    assert "│ NULL │ 200.00 │" in whole
    assert "more rows" not in whole
    cut = _printed(result, 1)
    assert "2 more rows" in cut
    assert "200.00" not in cut
    assert "more rows" not in _printed(result, 5)


def test_terminals_obey_no_value() -> None:
    """Neither escape sequences nor rich's own markup in a value or a name do anything."""
    result = _result(**{"[b]n\x1b[0m": a_column(TEXT, ["\x1b[2J[red]x[/red]\nnext\x9b"])})
    printed = _printed(result)
    assert "\x1b" not in printed
    assert "[b]n\\x1b[0m" in printed
    assert "\\x1b[2J[red]x[/red]\\nnext\\x9b" in printed
