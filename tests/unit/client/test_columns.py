"""What travels comes back as it was, whatever the type and the value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import TYPES, a_column, a_table, columns_of, comparable

from warmcube.client.columns import column_of, table_of_stream, type_of
from warmcube.client.wire import read_json
from warmcube.errors import ServiceError
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.formats import to_arrow_stream
from warmcube.query.jsonform import columns_json
from warmcube.query.numbers import MAX_PRECISION
from warmcube.query.pythonform import python_values
from warmcube.query.result import Meta, Result


def result_of(table: Table) -> Result:
    """An answer with these columns."""
    return Result(table, Meta(origin="store", rows=table.rows))


def values(column: ColumnData) -> list[Any]:
    """The Python values of a column, so that NaN and -0 compare."""
    return [(type(value), comparable(value)) for value in python_values(column)]


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_types_have_names(column_type: ColumnType) -> None:
    """A type is what its name says."""
    assert type_of(str(column_type)) == column_type


@given(st.data())
def test_arrow_brings_every_value(data: st.DataObject) -> None:
    """Values, types and NULLs, also those that Arrow has no place for."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    back = table_of_stream(to_arrow_stream(result_of(a_table(c=column)))).columns["c"]
    assert back.type == column_type
    assert values(back) == values(column)
    assert back.values.dtype == column.values.dtype
    again, first = result_of(a_table(c=back)), result_of(a_table(c=column))
    assert again.to_arrow().schema.equals(first.to_arrow().schema)
    assert again.to_polars().equals(first.to_polars())


@given(st.data())
def test_json_brings_every_value(data: st.DataObject) -> None:
    """Likewise; with exact numbers as text or as numbers."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    decimals: Any = data.draw(st.sampled_from(("string", "number")))
    told = read_json(columns_json(result_of(a_table(c=column)), decimals=decimals))
    back = column_of(column_type, told["c"])
    assert values(back) == values(column)
    assert back.values.dtype == column.values.dtype


def test_averages_of_many_digits_travel() -> None:
    """Beyond Arrow's longest decimal they are texts on the way."""
    for precision, scale in ((60, 20), (120, 100)):
        wide = ColumnType(Kind.NUMERIC, precision, scale)
        assert precision > MAX_PRECISION
        column = a_column(wide, [Decimal(1) / 8, None, Decimal(-7)])
        back = table_of_stream(to_arrow_stream(result_of(a_table(c=column)))).columns["c"]
        assert values(back) == values(column)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("integer", "x"),
        ("boolean", 1),
        ("text", 1),
        ("date", "2024-02-30"),
        ("timestamp", 5),
        ("uuid", "1"),
        ("numeric(4,2)", "1.234"),
        ("bigint", 2**63),
    ],
)
def test_what_is_no_value_of_the_type_is_refused(name: str, value: Any) -> None:
    """Nothing is guessed, and the message doesn't hold the value."""
    with pytest.raises(ServiceError, match="no ") as caught:
        column_of(type_of(name), [value])
    assert str(value) not in str(caught.value)


def test_an_unknown_type_is_refused() -> None:
    """The client may be older than the service."""
    with pytest.raises(ServiceError, match="'money', which this client doesn't know"):
        type_of("money")


def test_what_is_no_stream_is_refused() -> None:
    """Neither some other bytes nor a stream without types."""
    table = pa.table({"c": [1]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    for body in (b"", b"{}", json.dumps({"a": 1}).encode(), sink.getvalue().to_pybytes()):
        with pytest.raises(ServiceError):
            table_of_stream(body)
