"""CSV that a spreadsheet takes for what it is: texts and numbers, never something to compute."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, a_column, a_table, columns_of

from warmcube.model.schema import ColumnType, Kind
from warmcube.query.csvform import csv_header, csv_lines
from warmcube.query.textform import texts

TEXT = ColumnType(Kind.TEXT)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_would_be_computed_gets_an_apostrophe(start: str) -> None:
    """In rows and in names of columns, before it is quoted; elsewhere in a text it stays."""
    text = f'{start}cmd|"1'
    table = a_table(**{text: a_column(TEXT, [text, f"a{text}", "", None])})
    header, *lines = (
        csv_header(table.columns, spreadsheet=True) + csv_lines(table, spreadsheet=True)
    ).split("\r\n")
    quoted = text.replace('"', '""')
    assert header == f'"\'{quoted}"'
    assert lines == [f'"\'{quoted}"', f'"a{quoted}"', '""', "", ""]
    assert csv_lines(table).split("\r\n")[0] == f'"{quoted}"'


def test_numbers_and_dates_are_left_alone() -> None:
    """A number below zero is no formula, and a reader should get a number."""
    table = a_table(
        n=a_column(MONEY, [Decimal("-1.50")]),
        d=a_column(ColumnType(Kind.DATE), ["-infinity"]),
        i=a_column(ColumnType(Kind.BIGINT), [-7]),
    )
    assert csv_lines(table, spreadsheet=True) == "-1.50,-infinity,-7\r\n"


@given(data=st.data())
def test_no_text_is_computed_and_none_is_lost(data: st.DataObject) -> None:
    """Whatever the texts are: each is itself, or itself behind an apostrophe."""
    kind = data.draw(st.sampled_from(TYPES))
    column = a_column(kind, data.draw(columns_of(kind)))
    lines = csv_lines(a_table(c=column, last=column), spreadsheet=True)
    rows = [row[0] for row in csv.reader(io.StringIO(lines, newline=""))]
    for found, text in zip(rows, texts(column), strict=True):
        if kind.kind is Kind.TEXT and text and text[0] in "=+-@\t\r":
            assert found == f"'{text}"
        else:
            assert found == (text or "")
