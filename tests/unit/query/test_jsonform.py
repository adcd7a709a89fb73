"""JSON for programs, by columns and by rows."""

from __future__ import annotations

import json
import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, WIDE, a_column, a_table, columns_of

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.formats import to_json
from warmcube.query.jsonform import Decimals, columns_json, rows_json
from warmcube.query.result import Meta, Result

TEXT = ColumnType(Kind.TEXT)
BIGINT = ColumnType(Kind.BIGINT)
DECIMALS: tuple[Decimals, ...] = ("string", "number")


def _result(**columns: ColumnData) -> Result:
    return Result(a_table(**columns), Meta(origin="store"))


def _every_kind() -> Result:
    return _result(
        i=a_column(BIGINT, [2**63 - 1, None]),
        n=a_column(MONEY, [Decimal("12.50"), None]),
        x=a_column(MONEY, [Decimal("NaN"), Decimal("-Infinity")]),
        f=a_column(ColumnType(Kind.DOUBLE), [1.5, math.inf]),
        b=a_column(ColumnType(Kind.BOOLEAN), [True, None]),
        d=a_column(ColumnType(Kind.DATE), [date(2024, 2, 29), "infinity"]),
        t=a_column(ColumnType(Kind.TIMESTAMP), [datetime(2024, 2, 29, 1, 2, 3), None]),  # noqa: DTZ001
        z=a_column(
            ColumnType(Kind.TIMESTAMPTZ), [datetime(2024, 2, 29, 1, tzinfo=UTC), "-infinity"]
        ),
        s=a_column(TEXT, ['ä"\n', ""]),
        u=a_column(ColumnType(Kind.UUID), [UUID(int=1), None]),
    )


def test_columns_are_one_object_of_arrays() -> None:
    """In the answer's order, decimals as texts unless asked otherwise."""
    assert columns_json(_every_kind()).decode() == (
        '{"i":["9223372036854775807",null],"n":["12.50",null],"x":["NaN","-Infinity"],'
        '"f":[1.5,"Infinity"],"b":[true,null],"d":["2024-02-29","infinity"],'
        '"t":["2024-02-29T01:02:03",null],"z":["2024-02-29T01:00:00+00:00","-infinity"],'
        '"s":["ä\\"\\n",""],"u":["00000000-0000-0000-0000-000000000001",null]}'
    )


def test_rows_are_one_array_of_objects() -> None:
    """The same values; here with decimals as numbers."""
    assert rows_json(_every_kind(), decimals="number").decode() == (
        '[{"i":9223372036854775807,"n":12.50,"x":"NaN","f":1.5,"b":true,"d":"2024-02-29",'
        '"t":"2024-02-29T01:02:03","z":"2024-02-29T01:00:00+00:00","s":"ä\\"\\n",'
        '"u":"00000000-0000-0000-0000-000000000001"},'
        '{"i":null,"n":null,"x":"-Infinity","f":"Infinity","b":null,"d":"infinity",'
        '"t":null,"z":"-infinity","s":"","u":null}]'
    )


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_an_answer_may_have_no_rows(column_type: ColumnType) -> None:
    """Its columns are there all the same."""
    result = _result(a=a_column(column_type, []))
    assert columns_json(result) == b'{"a":[]}'
    assert rows_json(result) == b"[]"


def test_an_answer_may_have_no_columns() -> None:
    """Its rows are there all the same."""
    result = Result(Table({}, 2), Meta(origin="store"))
    assert columns_json(result) == b"{}"
    assert rows_json(result) == b"[{},{}]"


@given(data=st.data())
def test_values_are_those_of_the_slow_writer(data: st.DataObject) -> None:
    """Both forms and both ways to write decimals, for every kind, whatever the values are."""
    column_types = data.draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3))
    length = data.draw(st.integers(0, 9))
    names = data.draw(
        st.lists(st.text(st.characters(codec="utf-8")), min_size=3, max_size=3, unique=True)
    )
    columns = {
        name: a_column(each, data.draw(columns_of(each))[:length])
        for name, each in zip(names, column_types, strict=False)
    }
    shortest = min(len(column) for column in columns.values())
    result = _result(**{name: column.take(np.arange(shortest)) for name, column in columns.items()})
    expected = json.loads(to_json(result), parse_float=Decimal)
    kinds = {name: column.type.kind for name, column in columns.items()}
    for decimals in DECIMALS:
        rows = json.loads(rows_json(result, decimals=decimals), parse_float=Decimal)
        found = json.loads(columns_json(result, decimals=decimals), parse_float=Decimal)
        assert list(found) == list(columns)
        turned = zip(*found.values(), strict=True)
        assert [dict(zip(found, row, strict=True)) for row in turned] == rows
        assert [list(row) for row in rows] == [list(row) for row in expected]
        assert [
            {name: _plain(value, kinds[name], decimals) for name, value in row.items()}
            for row in rows
        ] == [
            {name: _plain(value, kinds[name], "number") for name, value in row.items()}
            for row in expected
        ]


def _plain(value: Any, kind: Kind, decimals: Decimals) -> Any:
    """A value of either writer in one form; of numerics their digits are told apart."""
    if value is None or (isinstance(value, str) and value[-1:] in "Ny"):
        return value
    if kind is Kind.NUMERIC:
        assert isinstance(value, str) is (decimals == "string")
        return f"{Decimal(value):f}"
    if kind is Kind.BIGINT:
        assert isinstance(value, str) is (decimals == "string" and abs(int(value)) >= 2**53)
        return int(value)
    if kind is Kind.REAL:
        return struct.pack("f", float(value) + 0.0)  # the slow writer's -0 is read as 0
    if kind is Kind.DOUBLE:
        return struct.pack("d", float(value) + 0.0)
    return value


SCALES = (0, 1, 2, 4, 5, 17, 18)


@given(
    scale=st.sampled_from(SCALES),
    values=st.lists(
        st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-200, 200)), min_size=1
    ),
    decimals=st.sampled_from(DECIMALS),
    is_wide=st.booleans(),
)
def test_numerics_of_any_scale_keep_all_digits(
    scale: int, values: list[int], decimals: Decimals, *, is_wide: bool
) -> None:
    """Also those that are sums, and are kept as Python's integers though they are short."""
    column_type = ColumnType(Kind.NUMERIC, 38 if is_wide else 18, scale)
    if not is_wide:  # the others are reserved
        values = [value for value in values if -(2**63) < value < 2**63 - 2] or [0]
    array = np.array(values, np.object_ if is_wide else np.int64)
    found = json.loads(
        columns_json(_result(n=ColumnData(column_type, array)), decimals=decimals),
        parse_float=str,
        parse_int=str,
    )
    assert found == {"n": [f"{Decimal(value).scaleb(-scale):.{scale}f}" for value in values]}


def test_long_numerics_keep_all_digits() -> None:
    """Sums of 38 digits, and what stands among them for no number."""
    values = [Decimal("1" * 32 + ".000001"), Decimal("-0.5"), Decimal("NaN"), Decimal("Infinity")]
    result = _result(n=a_column(WIDE, [*values, None, Decimal("-Infinity"), Decimal(0)]))
    assert columns_json(result, decimals="number").decode() == (
        '{"n":[' + "1" * 32 + '.000001,-0.500000,"NaN","Infinity",null,"-Infinity",0.000000]}'
    )


def test_averages_keep_all_digits() -> None:
    """They may have more than any column."""
    column = ColumnData(ColumnType(Kind.NUMERIC, 56, 24), np.array([10**55, -1], np.object_))
    assert columns_json(_result(n=column)).decode() == (
        '{"n":["1' + "0" * 31 + "." + "0" * 24 + '","-0.' + "0" * 23 + '1"]}'
    )


def test_fractions_of_a_second_end_with_their_last_digit() -> None:
    """As in the other writers."""
    moments = [datetime(2024, 1, 1, 0, 0, 0, part, UTC) for part in (500000, 120, 0, 100001)]
    result = _result(z=a_column(ColumnType(Kind.TIMESTAMPTZ), moments))
    assert columns_json(result).decode() == (
        '{"z":["2024-01-01T00:00:00.5+00:00","2024-01-01T00:00:00.00012+00:00",'
        '"2024-01-01T00:00:00+00:00","2024-01-01T00:00:00.100001+00:00"]}'
    )


def test_half_a_surrogate_pair_is_escaped() -> None:
    """No UTF-8 can hold it, and the rest of the answer has to be read."""
    column = ColumnData(TEXT, np.array([0, 1, 0]), np.array([True, True, False]), ["\ud800", "ä"])
    result = _result(**{"\udfff": column})
    assert columns_json(result).decode() == '{"\\udfff":["\\ud800","ä",null]}'
    assert rows_json(result).decode() == (
        '[{"\\udfff":"\\ud800"},{"\\udfff":"ä"},{"\\udfff":null}]'
    )


def test_a_text_in_every_row_is_written_in_every_row() -> None:
    """The measure's column is such a one."""
    column = ColumnData(TEXT, np.zeros(3, np.int64), None, ["Charges"])
    assert columns_json(_result(m=column)) == b'{"m":["Charges","Charges","Charges"]}'


def test_days_of_the_whole_calendar_are_iso_dates() -> None:
    """Years have four digits; NULL stays in its place."""
    result = _result(d=a_column(ColumnType(Kind.DATE), [date.min, None, date.max]))
    assert columns_json(result) == b'{"d":["0001-01-01",null,"9999-12-31"]}'


@pytest.mark.parametrize("kind", [Kind.REAL, Kind.DOUBLE])
def test_floats_that_are_no_numbers_are_texts(kind: Kind) -> None:
    """Among numbers that are, and NULL."""
    column = a_column(ColumnType(kind), [0.1, math.nan, None, math.inf, -math.inf])
    assert columns_json(_result(f=column)) == b'{"f":[0.1,"NaN",null,"Infinity","-Infinity"]}'


def test_integers_that_a_double_holds_are_numbers() -> None:
    """One beyond them is a text, unless numbers are asked for."""
    result = _result(i=a_column(BIGINT, [2**53 - 1, 2**53, -(2**53), 1 - 2**53, 7]))
    assert columns_json(result).decode() == (
        '{"i":[9007199254740991,"9007199254740992","-9007199254740992",-9007199254740991,7]}'
    )
    assert columns_json(result, decimals="number").decode() == (
        '{"i":[9007199254740991,9007199254740992,-9007199254740992,-9007199254740991,7]}'
    )
