"""Checking a query: each thing that can be wrong with it, and what comes out if nothing is."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.support.columns import a_datasource, a_schema

from warmcube.errors import (
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    MissingRole,
    UnknownColumn,
)
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.model.schema import ColumnType, Datasource, Kind
from warmcube.query.prepare import Limits, PreparedQuery, prepare
from warmcube.query.prepared import Aggregation, Ordering
from warmcube.query.values import Span

TEXT, INTEGER, DATE = ColumnType(Kind.TEXT), ColumnType(Kind.INTEGER), ColumnType(Kind.DATE)
SCHEMA = a_schema(
    measure=TEXT,
    practice_uid=INTEGER,
    provider_uid=INTEGER,
    frequency=INTEGER,
    date_index=DATE,
    measure_value=ColumnType(Kind.NUMERIC, 14, 2),
    kind=TEXT,
)
DATASOURCE = Datasource(id=1, name="t", source="main", table="t")
LIMITS = Limits(list=3, conditions=2)


def _prepare(datasource: Datasource = DATASOURCE, **asked: Any) -> PreparedQuery:
    given: dict[str, Any] = {"measure": "Charges", "frequency": 1} | asked
    return prepare(Query(datasource=1, **given), SCHEMA, datasource, LIMITS)


def test_a_plain_query_asks_for_all_columns() -> None:
    """Nothing is filtered, grouped or cut that wasn't asked for."""
    prepared = _prepare()
    assert (prepared.measure, prepared.frequency) == ("Charges", "1")
    assert prepared.columns == SCHEMA.names
    assert prepared.output == SCHEMA
    assert (prepared.conditions, prepared.dates) == ((), None)
    assert (prepared.group_by, prepared.aggregate) == ((), None)
    assert (prepared.order, prepared.limit, prepared.limits) == ((), None, LIMITS)


def test_an_aggregate_asks_for_what_it_needs() -> None:
    """Columns come in the table's order, each once."""
    prepared = _prepare(
        aggregate="sum",
        group_by=["kind", "date_index"],
        where=[Filter("practice_uid", "gt", 5), Filter("kind", "like", "ÄX")],
        start="2024-01-01",
        order_by=["-sum", Order("kind"), Order("date_index", descending=True)],
        limit=0,
    )
    assert prepared.columns == ("practice_uid", "date_index", "measure_value", "kind")
    assert prepared.group_by == ("kind", "date_index")
    wide = ColumnType(Kind.NUMERIC, 38, 2)
    assert prepared.aggregate == Aggregation("sum", "measure_value", "sum", wide)
    assert prepared.output.names == ("kind", "date_index", "sum")
    assert prepared.order == (
        Ordering("sum", descending=True),
        Ordering("kind", descending=False),
        Ordering("date_index", descending=True),
    )
    assert prepared.limit == 0
    assert [condition.op for condition in prepared.conditions] == ["gte", "gt", "like"]
    assert prepared.conditions[1].spans == (Span(5, 5),)
    assert prepared.conditions[2].needle == "äx"


def test_equal_queries_prepare_equally() -> None:
    """They share one flight: equal and hashable, whatever form the values had."""
    one = _prepare(where=[Filter("measure_value", "in", ["1.5", "NaN"])])
    other = _prepare(where=[Filter("measure_value", "in", (1.50, float("nan")))])
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("start", "end", "dates", "op"),
    [
        ("2024-01-01", None, (19723, None), "gte"),
        (None, date(2024, 1, 2), (None, 19724), "lte"),
        ("2024-01-01", "2024-01-01", (19723, 19723), "between"),
    ],
)
def test_the_date_range_is_inclusive(start: Any, end: Any, dates: Any, op: str) -> None:
    """It is a condition like others, and bounds for whoever can leave out rows unread."""
    prepared = _prepare(start=start, end=end)
    assert prepared.dates == dates
    (condition,) = prepared.conditions
    assert (condition.column, condition.op) == ("date_index", op)


def test_a_column_with_a_minus_is_named_before_the_shorthand() -> None:
    """A column of the answer called "-kind" is just that; "--kind" is it, descending."""
    schema = a_schema(**{"kind": TEXT, "-kind": TEXT})
    prepared = prepare(
        Query(datasource=1, order_by=["-kind", "--kind"]), schema, a_datasource(), LIMITS
    )
    assert prepared.order == (
        Ordering("-kind", descending=False),
        Ordering("-kind", descending=True),
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"measure": NULL, "frequency": NULL}, (None, None)),
        ({"measure": "", "frequency": "5"}, ("", "5")),
        ({"measure": "A/R > 90 days: {net} 100%"}, ("A/R > 90 days: {net} 100%", "1")),
    ],
)
def test_measures_are_canonical_text(asked: Any, expected: Any) -> None:
    """NULL names the rows without one; the empty text is a measure like others."""
    prepared = _prepare(**asked)
    assert (prepared.measure, prepared.frequency) == expected


def test_a_table_without_measures_has_none_to_name() -> None:
    """Roles that the table lacks are left out of the query."""
    prepared = prepare(Query(datasource=1), SCHEMA, a_datasource(), LIMITS)
    assert (prepared.measure, prepared.frequency) == (None, None)


@pytest.mark.parametrize(
    ("datasource", "asked", "error", "message"),
    [
        (DATASOURCE, {"measure": None}, InvalidQuery, "measure is missing; name one, or NULL"),
        (DATASOURCE, {"frequency": None}, InvalidQuery, "frequency is missing"),
        (DATASOURCE, {"frequency": "01"}, InvalidFilter, "frequency"),
        (DATASOURCE, {"measure": 5}, InvalidFilter, "measure"),
        (DATASOURCE, {"measure": "a\0b"}, InvalidFilter, "measure"),
        (DATASOURCE, {"measure": "\ud800"}, InvalidFilter, "measure"),
        (a_datasource(), {"frequency": None}, MissingRole, "no measure column; leave it out"),
        (
            a_datasource(measure="measure", frequency="frequency"),
            {"end": "2024-01-01"},
            MissingRole,
            "end is given, but the data source has no date column",
        ),
        (
            a_datasource(measure="measure", frequency="frequency"),
            {"aggregate": "sum"},
            MissingRole,
            "sum needs a value column, .* only count works without",
        ),
        (
            a_datasource(measure="measure", frequency="frequency", value="kind"),
            {"aggregate": "avg"},
            InvalidQuery,
            'avg needs numbers, and the value column "kind" is text; use count, min or max',
        ),
        (
            DATASOURCE,
            {"start": "2024-01-02", "end": "2024-01-01"},
            InvalidQuery,
            "start 2024-01-02 is after end 2024-01-01",
        ),
        (DATASOURCE, {"start": "yesterday"}, InvalidFilter, "start is 'yesterday'"),
        (
            DATASOURCE,
            {"where": [Filter("knd", "eq", "x")]},
            UnknownColumn,
            r"no column 'knd' \(did you mean \"kind\"\?\); its columns are measure, practice_uid,",
        ),
        (DATASOURCE, {"where": [Filter(5, "eq", "x")]}, UnknownColumn, "no column 5; its"),  # type: ignore[arg-type]
        (DATASOURCE, {"where": ["kind = 5"]}, InvalidQuery, "give Filters"),
        (DATASOURCE, {"where": Filter("kind", "eq", "x")}, InvalidQuery, "where is .* give a list"),
        (DATASOURCE, {"where": [Filter("kind", "=", "x")]}, InvalidFilter, "'=' is no operator"),
        (DATASOURCE, {"where": [Filter("kind", "eq", 5)]}, InvalidFilter, 'column "kind" is text'),
        (DATASOURCE, {"where": [Filter("kind", "eq")]}, InvalidFilter, "use is_null or not_null"),
        (DATASOURCE, {"where": [Filter("kind", "gt", NULL)]}, InvalidFilter, "use is_null"),
        (DATASOURCE, {"where": [Filter("kind", "in", ["a", None])]}, InvalidFilter, "use is_null"),
        (DATASOURCE, {"where": [Filter("kind", "is_null", 1)]}, InvalidFilter, "takes no value"),
        (
            DATASOURCE,
            {"where": [Filter("kind", "like", 1)]},
            InvalidFilter,
            "looks for text, not 1",
        ),
        (DATASOURCE, {"where": [Filter("kind", "in", "ab")]}, InvalidFilter, "takes a list of val"),
        (DATASOURCE, {"where": [Filter("kind", "in", 5)]}, InvalidFilter, "takes a list of values"),
        (DATASOURCE, {"where": [Filter("kind", "between", ["a"])]}, InvalidFilter, "two values"),
        (
            DATASOURCE,
            {"where": [Filter("kind", "between", {"a", "b"})]},
            InvalidFilter,
            "takes a list of two values",
        ),
        (
            DATASOURCE,
            {"where": [Filter("practice_uid", "in", [1, 2, 3, 4])]},
            LimitExceeded,
            r"lists 4 values, and limits\.list is 3",
        ),
        (DATASOURCE, {"where": [Filter("kind", "not_null")] * 3}, LimitExceeded, r"s\.conditions"),
        (DATASOURCE, {"practices": [1, 2, 3, 4]}, LimitExceeded, r"practices .* limits\.list is 3"),
        (DATASOURCE, {"providers": "101"}, InvalidQuery, "providers is '101'; give a list"),
        (DATASOURCE, {"practices": 101}, InvalidQuery, "practices is 101; give a list"),
        (DATASOURCE, {"group_by": ["kind"]}, InvalidQuery, "group_by needs an aggregate"),
        (DATASOURCE, {"group_by": "kind", "aggregate": "sum"}, InvalidQuery, "group_by is 'kind'"),
        (DATASOURCE, {"group_by": ["x"], "aggregate": "sum"}, UnknownColumn, "no column 'x'"),
        (
            DATASOURCE,
            {"group_by": ["kind", "kind"], "aggregate": "sum"},
            InvalidQuery,
            'group_by names "kind" twice',
        ),
        (
            DATASOURCE,
            {"aggregate": "median"},
            InvalidQuery,
            "'median' is no aggregate; .* sum, avg",
        ),
        (
            DATASOURCE,
            {"aggregate": "sum", "order_by": ["kind"]},
            UnknownColumn,
            "the answer has no column 'kind'; its columns are sum",
        ),
        (DATASOURCE, {"order_by": ["-x"]}, UnknownColumn, "the answer has no column 'x'"),
        (DATASOURCE, {"order_by": [5]}, UnknownColumn, "no column 5"),
        (DATASOURCE, {"order_by": "kind"}, InvalidQuery, "order_by is 'kind'; give a list"),
        (
            DATASOURCE,
            {"order_by": [Order("kind", "yes")]},  # type: ignore[arg-type]
            InvalidQuery,
            "descending is 'yes'",
        ),
        (DATASOURCE, {"limit": -1}, InvalidQuery, "limit is -1; give a whole number from 0"),
        (DATASOURCE, {"limit": True}, InvalidQuery, "limit is True"),
        (DATASOURCE, {"limit": "5"}, InvalidQuery, "limit is '5'"),
    ],
)
def test_what_is_wrong_is_said(
    datasource: Datasource, asked: Any, error: type[Exception], message: str
) -> None:
    """One clear sentence of the right class for each."""
    with pytest.raises(error, match=message) as caught:
        _prepare(datasource, **asked)
    assert type(caught.value) is error


def test_sets_are_lists_of_values() -> None:
    """Where order doesn't matter, a set will do; an empty list matches nothing."""
    (condition,) = _prepare(where=[Filter("kind", "in", {"a"})]).conditions
    assert condition.spans == (Span("a", "a"),)
    (nothing,) = _prepare(where=[Filter("kind", "in", [])]).conditions
    assert nothing.spans == ()


def test_limits_are_not_exceeded_by_their_own_number() -> None:
    """Three of three are allowed."""
    prepared = _prepare(
        practices=[1, 2, 3],
        where=[Filter("kind", "in", ["a", "b", "c"]), Filter("kind", "not_null")],
    )
    assert len(prepared.conditions) == 2
