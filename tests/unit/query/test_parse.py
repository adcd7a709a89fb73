"""Queries from dicts and JSON: strict in everything."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from warmcube.errors import InvalidQuery
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.parse import query_from_dict, query_from_json


def test_every_field_is_read() -> None:
    """A dict with all fields is the query with all fields."""
    query = query_from_dict(
        {
            "datasource": 1,
            "measure": "Charges",
            "frequency": 7,
            "organization": "north",
            "practices": [101, "102"],
            "providers": [],
            "start": "2024-01-01",
            "end": date(2024, 12, 31),
            "where": [
                {"column": "kind", "op": "eq", "value": ""},
                {"column": "kind", "op": "is_null"},
                Filter("kind", "not_null"),
            ],
            "group_by": ["kind"],
            "aggregate": "sum",
            "order_by": ["-sum", {"column": "kind", "descending": True}, Order("kind")],
            "limit": 10,
        }
    )
    assert query == Query(
        datasource=1,
        measure="Charges",
        frequency=7,
        organization="north",
        practices=[101, "102"],
        providers=[],
        start="2024-01-01",
        end=date(2024, 12, 31),
        where=[
            Filter("kind", "eq", ""),
            Filter("kind", "is_null"),
            Filter("kind", "not_null"),
        ],
        group_by=["kind"],
        aggregate="sum",
        order_by=["-sum", Order("kind", descending=True), Order("kind")],
        limit=10,
    )


def test_null_is_absent_and_an_empty_list_stays() -> None:
    """No filter and the filter that lets nothing through are never confused."""
    query = query_from_json('{"datasource": 1, "practices": null, "providers": [], "limit": null}')
    assert query.practices is None
    assert query.providers == []
    assert query.limit is None


@pytest.mark.parametrize("form", [NULL, {"null": True}])
def test_rows_without_a_measure_are_named(form: Any) -> None:
    """As null means "not given", NULL has a form of its own."""
    assert query_from_dict({"datasource": 1, "measure": form}).measure is NULL


def test_rows_without_a_value_are_named_among_others() -> None:
    """In the list of ``in`` as in place of a measure; elsewhere an object stays one."""
    where = [
        {"column": "kind", "op": "in", "value": ["a", {"null": True}]},
        {"column": "kind", "op": "not_in", "value": [{"null": True}]},
    ]
    assert query_from_dict({"datasource": 1, "where": where}).where == [
        Filter("kind", "in", ["a", NULL]),
        Filter("kind", "not_in", [{"null": True}]),
    ]


def test_json_numbers_stay_exact() -> None:
    """A fraction in JSON is a decimal, not a float."""
    query = query_from_json(
        b'{"datasource": 1, "where": [{"column": "v", "op": "gt", "value": 0.1000000000000000055}]}'
    )
    assert query.where[0].value == Decimal("0.1000000000000000055")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "the query is .*; expected an object"),
        ({}, "no datasource"),
        ({"datasource": None}, "no datasource"),
        ({"datasource": "1"}, "datasource is '1'; expected a whole number"),
        ({"datasource": True}, "datasource is True"),
        ({"datasource": 1, "practice": [1]}, "unknown field 'practice'; the fields are datasource"),
        ({"datasource": 1, 5: 1}, "unknown field 5"),
        ({"datasource": 1, "measure": ""}, "measure is ''"),
        ({"datasource": 1, "measure": 1.0}, "measure is 1.0"),
        ({"datasource": 1, "measure": {"null": False}}, "measure is {'null': False}"),
        ({"datasource": 1, "frequency": True}, "frequency is True"),
        ({"datasource": 1, "organization": ""}, "organization is ''"),
        ({"datasource": 1, "organization": 5}, "organization is 5"),
        ({"datasource": 1, "practices": "101"}, "practices is '101'; expected a list"),
        ({"datasource": 1, "practices": {}}, "practices is {}"),
        ({"datasource": 1, "practices": [1, None]}, r"practices\[1\] is None"),
        ({"datasource": 1, "providers": [""]}, r"providers\[0\] is ''"),
        ({"datasource": 1, "start": ""}, "start is ''"),
        ({"datasource": 1, "end": 20240101}, "end is 20240101"),
        ({"datasource": 1, "where": {}}, "where is {}; expected a list"),
        ({"datasource": 1, "where": ["a"]}, r"where\[0\] is 'a'"),
        ({"datasource": 1, "where": [{"op": "eq"}]}, r"where\[0\] has no column"),
        ({"datasource": 1, "where": [{"column": "a"}]}, r"where\[0\] has no op"),
        ({"datasource": 1, "where": [{"column": "", "op": "eq"}]}, r"where\[0\]\.column is ''"),
        (
            {"datasource": 1, "where": [{"column": "a", "op": "eq", "values": 1}]},
            r"where\[0\] has an unknown field 'values'; the fields are column, op, value",
        ),
        ({"datasource": 1, "group_by": "kind"}, "group_by is 'kind'; expected a list"),
        ({"datasource": 1, "group_by": [""]}, r"group_by\[0\] is ''"),
        ({"datasource": 1, "aggregate": ""}, "aggregate is ''"),
        ({"datasource": 1, "order_by": [5]}, r"order_by\[0\] is 5"),
        ({"datasource": 1, "order_by": [{}]}, r"order_by\[0\] has no column"),
        ({"datasource": 1, "order_by": [{"column": ""}]}, r"order_by\[0\]\.column is ''"),
        (
            {"datasource": 1, "order_by": [{"column": "a", "descending": 1}]},
            r"order_by\[0\]\.descending is 1; expected true or false",
        ),
        ({"datasource": 1, "limit": "5"}, "limit is '5'"),
        ({"datasource": 1, "limit": 5.0}, "limit is 5.0"),
    ],
)
def test_what_isnt_a_query_is_refused(data: Any, message: str) -> None:
    """Unknown fields, other types, empty texts: each is named with its place."""
    with pytest.raises(InvalidQuery, match=message):
        query_from_dict(data)


def test_a_field_that_stands_twice_is_found_among_many() -> None:
    """By one pass over them, or this would take minutes, and hold up everybody else meanwhile."""
    fields = ",".join(f'"{number}":1' for number in range(300_000))
    with pytest.raises(InvalidQuery, match="field '299999' twice"):
        query_from_json(f'{{{fields},"299999":2}}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "isn't JSON"),
        ("{", "isn't JSON"),
        (b"\xff", "isn't JSON"),
        ("[1]", "expected an object"),
        ('{"datasource": 1, "datasource": 2}', "field 'datasource' twice"),
        (
            '{"datasource": 1, "where": [{"column": "a", "op": "eq", "op": "neq"}]}',
            "field 'op' twice",
        ),
        ('{"datasource": NaN}', "NaN is no JSON value"),
        ('{"datasource": 1e99999999999999999999}', "more digits than can be read"),
        (f'{{"datasource": {"9" * 5000}}}', "more digits than can be read"),
    ],
)
def test_what_isnt_json_is_refused(text: str | bytes, message: str) -> None:
    """Duplicate fields too, at any depth."""
    with pytest.raises(InvalidQuery, match=message):
        query_from_json(text)
