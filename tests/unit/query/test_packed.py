"""Columns as arrays: what is in them, and what isn't."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, a_column, a_table, columns_of

from warmcube.model.columns import ColumnData, LazyColumns, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.packed import Packed, pack
from warmcube.query.pythonform import python_values
from warmcube.query.result import Meta, Result

TEXT = ColumnType(Kind.TEXT)


@given(data=st.data())
@settings(max_examples=300)
def test_arrays_mean_what_the_column_means(data: st.DataObject) -> None:
    """Of every kind; nothing stands under a NULL, no text is there that no row has."""
    column_type = data.draw(st.sampled_from(TYPES))
    column = a_column(column_type, data.draw(columns_of(column_type)))
    found = pack(column)
    assert found.type == column_type
    again = ColumnData(found.type, found.values, found.valid, found.dictionary)
    assert repr(python_values(again)) == repr(python_values(column))
    if found.valid is not None:
        assert not any(found.values[~found.valid].tolist())
    if column_type.kind is Kind.TEXT:
        seen = {each for each in python_values(column) if each is not None}
        assert set(found.dictionary or ()) == seen
        assert len(found.dictionary or ()) == len(seen)


def test_arrays_are_their_own_and_read_only() -> None:
    """Nobody reaches, or changes, another's rows through them."""
    long, valid = np.arange(1000), np.ones(1000, np.bool_)
    valid[1] = False
    for column in (
        ColumnData(MONEY, long[:3]),
        ColumnData(MONEY, long[:3], valid[:3]),
        ColumnData(TEXT, long[:3], valid[:3], [f"text {n}" for n in range(1000)]),
    ):
        found = pack(column)
        for array in (found.values, found.valid):
            if array is not None:
                assert array.base is None
                with pytest.raises(ValueError, match="read-only"):
                    array[0] = 0


def test_one_column_is_made_alone() -> None:
    """The others stay as they are."""
    made: list[str] = []

    def make(name: str) -> ColumnData:
        made.append(name)
        return a_column(MONEY, [])

    result = Result(Table(LazyColumns(["a", "b"], make), 0), Meta(origin="store"))
    assert isinstance(result.packed("b"), Packed)
    assert made == ["b"]


def test_a_column_that_is_not_there_is_an_error() -> None:
    """By its name."""
    result: Any = Result(a_table(n=a_column(MONEY, [])), Meta(origin="store"))
    with pytest.raises(KeyError, match="m"):
        result.packed("m")
