"""Portions of an answer, joined, are the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import a_column, a_table

from warmcube.errors import LimitExceeded
from warmcube.model.request import Filter, Query
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema
from warmcube.query.evaluate import evaluate
from warmcube.query.portion import Portions, can_be_portioned
from warmcube.query.prepare import prepare
from warmcube.query.prepared import Limits

NUMBER = ColumnType(Kind.INTEGER)
DATASOURCE = Datasource(
    id=1,
    name="d",
    source="main",
    table="t",
    roles=Roles(measure=None, practice=None, provider=None, frequency=None, date=None, value="n"),
)
LIMITS = Limits(rows=5)


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=8), max_size=5),
    st.one_of(st.none(), st.integers(0, 12)),
    st.integers(0, 9),
)
def test_joined_they_are_the_answer(
    portions: list[list[int]], limit: int | None, least: int
) -> None:
    """With its condition and its limit, but beyond the limit of rows of one answer."""
    query = Query(datasource=1, where=[Filter("n", "gte", least)], limit=limit)
    schema = Schema((Column("n", NUMBER),))
    found: list[int] = []
    going = Portions(prepare(query, schema, DATASOURCE, LIMITS))
    for portion in portions:
        if going.are_over:
            break
        found += going.evaluate(a_table(n=a_column(NUMBER, portion))).columns["n"].values.tolist()
    expected = [number for portion in portions for number in portion if number >= least][:limit]
    assert found == expected
    whole = a_table(n=a_column(NUMBER, [number for portion in portions for number in portion]))
    prepared = prepare(query, schema, DATASOURCE, LIMITS)
    if len(expected) > LIMITS.rows:
        with pytest.raises(LimitExceeded):
            evaluate(whole, prepared)
    else:
        assert np.array_equal(evaluate(whole, prepared).columns["n"].values, expected)


@pytest.mark.parametrize(
    ("part", "can"),
    [
        ({}, True),
        ({"limit": 3, "where": [Filter("n", "eq", 1)]}, True),
        ({"order_by": ["n"]}, False),
        ({"group_by": ["n"], "aggregate": "count"}, False),
        ({"aggregate": "count"}, False),
        ({"group_by": ["n"]}, False),
    ],
)
def test_what_depends_on_other_rows_comes_in_one(part: dict[str, Any], *, can: bool) -> None:
    """Orders and groups can't be told from a portion."""
    assert can_be_portioned(Query(datasource=1, **part)) == can
