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
from warmcube.query.conditions import Condition
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
    for name, descending in (("-kind", False), ("--kind", True)):
        asked = Query(datasource=1, order_by=[name, "kind"])
        assert prepare(asked, schema, a_datasource(), LIMITS).order == (
            Ordering("-kind", descending=descending),
            Ordering("kind", descending=False),
        )


def test_a_column_orders_once() -> None:
    """Named again, in whatever direction, it decides nothing that isn't decided yet."""
    order = _prepare(order_by=["kind", *["measure", "-kind", "-measure", "kind"] * 1000]).order
    assert order == (Ordering("kind", descending=False), Ordering("measure", descending=False))


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
        (
            DATASOURCE,
            {"measure": None},
            InvalidQuery,
            (
                'measure is missing; name one, or NULL (in JSON {"null": true}) for the rows '
                "without one"
            ),
        ),
        (
            DATASOURCE,
            {"frequency": None},
            InvalidQuery,
            (
                'frequency is missing; name one, or NULL (in JSON {"null": true}) for the rows '
                "without one"
            ),
        ),
        (
            DATASOURCE,
            {"frequency": "01"},
            InvalidFilter,
            (
                "frequency '01' can't be read: the column is integer; write an integer from "
                "-2147483648 to 2147483647, as a number or as the digits that it prints as, "
                "such as 114"
            ),
        ),
        (
            DATASOURCE,
            {"measure": 5},
            InvalidFilter,
            "measure 5 can't be read: the column is text; write it as text, in quotes",
        ),
        (
            DATASOURCE,
            {"measure": "a\0b"},
            InvalidFilter,
            (
                "measure 'a\\x00b' can't be read: the column is text; write text that isn't "
                "empty and has no NUL and no lone surrogate; leave the field out for no "
                "filter"
            ),
        ),
        (
            DATASOURCE,
            {"measure": "\ud800"},
            InvalidFilter,
            (
                "measure '\\ud800' can't be read: the column is text; write text that isn't "
                "empty and has no NUL and no lone surrogate; leave the field out for no "
                "filter"
            ),
        ),
        (
            a_datasource(),
            {"frequency": None},
            MissingRole,
            "measure is given, but the data source has no measure column; leave it out",
        ),
        (
            a_datasource(measure="measure", frequency="frequency"),
            {"end": "2024-01-01"},
            MissingRole,
            "end is given, but the data source has no date column; leave it out",
        ),
        (
            a_datasource(measure="measure", frequency="frequency"),
            {"aggregate": "sum"},
            MissingRole,
            "sum needs a value column, and the data source has none; only count works without",
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
            "start 2024-01-02 is after end 2024-01-01; the first day comes first",
        ),
        (
            DATASOURCE,
            {"start": "yesterday"},
            InvalidFilter,
            (
                "start is 'yesterday', which isn't a day (not a date); give a date, or text "
                'such as "2024-12-31"'
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("knd", "eq", "x")]},
            UnknownColumn,
            (
                "the data source has no column 'knd' (did you mean \"kind\"?); its columns "
                "are measure, practice_uid, provider_uid, frequency, date_index, "
                "measure_value, kind"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter(5, "eq", "x")]},  # type: ignore[arg-type]
            UnknownColumn,
            (
                "the data source has no column 5; its columns are measure, practice_uid, "
                "provider_uid, frequency, date_index, measure_value, kind"
            ),
        ),
        (DATASOURCE, {"where": ["kind = 5"]}, InvalidQuery, "where holds 'kind = 5'; give Filters"),
        (
            DATASOURCE,
            {"where": Filter("kind", "eq", "x")},
            InvalidQuery,
            "where is Filter(column...q', value='x'); give a list",
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "=", "x")]},
            InvalidFilter,
            (
                "'=' is no operator; the operators are eq, neq, gt, gte, lt, lte, in, "
                "not_in, like, between, is_null, not_null"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "eq", 5)]},
            InvalidFilter,
            'column "kind" is text, and 5 can\'t be read as such; give a str',
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "eq")]},
            InvalidFilter,
            (
                'eq on column "kind" is given NULL, which equals and precedes nothing; use '
                "is_null or not_null"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "gt", NULL)]},
            InvalidFilter,
            (
                'gt on column "kind" is given NULL, which equals and precedes nothing; use '
                "is_null or not_null"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "in", ["a", None])]},
            InvalidFilter,
            (
                'in on column "kind" is given NULL, which equals and precedes nothing; use '
                "is_null or not_null"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "is_null", 1)]},
            InvalidFilter,
            'is_null on column "kind" takes no value; leave it out',
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "like", 1)]},
            InvalidFilter,
            'like on column "kind" looks for text, not 1; give a str',
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "in", "ab")]},
            InvalidFilter,
            "in on column \"kind\" takes a list of values, not 'ab'",
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "in", 5)]},
            InvalidFilter,
            'in on column "kind" takes a list of values, not 5',
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "between", ["a"])]},
            InvalidFilter,
            "between on column \"kind\" takes a list of two values, not ['a']",
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "between", ["a", "b", "c"])]},
            InvalidFilter,
            "between on column \"kind\" takes a list of two values, not ['a', 'b', 'c']",
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "between", ["a", None])]},
            InvalidFilter,
            (
                'between on column "kind" is given NULL, which equals and precedes nothing; '
                "use is_null or not_null"
            ),
        ),
        (
            a_datasource(measure="measure", frequency="frequency"),
            {"start": "2024-01-01"},
            MissingRole,
            "start is given, but the data source has no date column; leave it out",
        ),
        (
            a_datasource(measure="measure"),
            {},
            MissingRole,
            "frequency is given, but the data source has no frequency column; leave it out",
        ),
        (
            DATASOURCE,
            {"end": "tomorrow"},
            InvalidFilter,
            (
                "end is 'tomorrow', which isn't a day (not a date); give a date, or text "
                'such as "2024-12-31"'
            ),
        ),
        (
            DATASOURCE,
            {"order_by": [Order("x")]},
            UnknownColumn,
            (
                "the answer has no column 'x'; its columns are measure, practice_uid, "
                "provider_uid, frequency, date_index, measure_value, kind"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("measure_valu", "eq", 1)]},
            UnknownColumn,
            (
                "the data source has no column 'measure_valu' (did you mean \"measure_value\"?); "
                "its columns are measure, practice_uid, provider_uid, frequency, date_index, "
                "measure_value, kind"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "between", {1, 2})]},
            InvalidFilter,
            'between on column "kind" takes a list of two values, not {1, 2}',
        ),
        (
            DATASOURCE,
            {"where": [Filter("practice_uid", "in", [1, 2, 3, 4])]},
            LimitExceeded,
            (
                'in on column "practice_uid" lists 4 values, more than [limits] list = 3; '
                "ask for less at once"
            ),
        ),
        (
            DATASOURCE,
            {"where": [Filter("kind", "not_null")] * 3},
            LimitExceeded,
            "where has 3 conditions, more than [limits] conditions = 2; ask for less at once",
        ),
        (
            DATASOURCE,
            {"practices": [1, 2, 3, 4]},
            LimitExceeded,
            "practices lists 4 values, more than [limits] list = 3; ask for less at once",
        ),
        (DATASOURCE, {"providers": "101"}, InvalidQuery, "providers is '101'; give a list"),
        (DATASOURCE, {"practices": 101}, InvalidQuery, "practices is 101; give a list"),
        (
            DATASOURCE,
            {"group_by": ["kind"]},
            InvalidQuery,
            "group_by needs an aggregate; name one of sum, avg, count, min, max",
        ),
        (
            DATASOURCE,
            {"group_by": "kind", "aggregate": "sum"},
            InvalidQuery,
            "group_by is 'kind'; give a list",
        ),
        (
            DATASOURCE,
            {"group_by": ["x"], "aggregate": "sum"},
            UnknownColumn,
            (
                "the data source has no column 'x'; its columns are measure, practice_uid, "
                "provider_uid, frequency, date_index, measure_value, kind"
            ),
        ),
        (
            DATASOURCE,
            {"group_by": ["kind", "kind"], "aggregate": "sum"},
            InvalidQuery,
            'group_by names "kind" twice; once is enough',
        ),
        (
            DATASOURCE,
            {"aggregate": "median"},
            InvalidQuery,
            "'median' is no aggregate; the aggregates are sum, avg, count, min, max",
        ),
        (
            DATASOURCE,
            {"aggregate": "sum", "order_by": ["kind"]},
            UnknownColumn,
            "the answer has no column 'kind'; its columns are sum",
        ),
        (
            DATASOURCE,
            {"order_by": ["-x"]},
            UnknownColumn,
            (
                "the answer has no column 'x'; its columns are measure, practice_uid, "
                "provider_uid, frequency, date_index, measure_value, kind"
            ),
        ),
        (
            DATASOURCE,
            {"order_by": [5]},
            UnknownColumn,
            (
                "the answer has no column 5; its columns are measure, practice_uid, "
                "provider_uid, frequency, date_index, measure_value, kind"
            ),
        ),
        (DATASOURCE, {"order_by": "kind"}, InvalidQuery, "order_by is 'kind'; give a list"),
        (
            DATASOURCE,
            {"order_by": [Order("kind", "yes")]},  # type: ignore[arg-type]
            InvalidQuery,
            "order_by: descending is 'yes'; give True or False",
        ),
        (DATASOURCE, {"limit": -1}, InvalidQuery, "limit is -1; give a whole number from 0"),
        (DATASOURCE, {"limit": True}, InvalidQuery, "limit is True; give a whole number from 0"),
        (DATASOURCE, {"limit": "5"}, InvalidQuery, "limit is '5'; give a whole number from 0"),
    ],
)
def test_what_is_wrong_is_said(
    datasource: Datasource, asked: Any, error: type[Exception], message: str
) -> None:
    """One clear sentence of the right class for each."""
    with pytest.raises(error) as caught:
        _prepare(datasource, **asked)
    assert type(caught.value) is error
    assert str(caught.value) == message


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


def test_conditions_are_typed_one_by_one() -> None:
    """Each keeps its column, its operator and all of its values."""
    columns = {"n": INTEGER, "t": TEXT}
    conditions = [
        condition
        for asked in (
            [Filter("n", "between", [1, "2"]), Filter("n", "in", [3, 4])],
            [Filter("t", "not_in", ("a", "b")), Filter("t", "not_null")],
            [Filter("t", "like", "Straße"), Filter("n", "lt", 5)],
            [Filter("n", "is_null")],
        )
        for condition in prepare(
            Query(datasource=1, where=asked), a_schema(**columns), a_datasource(), LIMITS
        ).conditions
    ]
    assert conditions == [
        Condition("n", "between", (Span(1, 1), Span(2, 2))),
        Condition("n", "in", (Span(3, 3), Span(4, 4))),
        Condition("t", "not_in", (Span("a", "a"), Span("b", "b"))),
        Condition("t", "not_null"),
        Condition("t", "like", needle="strasse"),
        Condition("n", "lt", (Span(5, 5),)),
        Condition("n", "is_null"),
    ]


def test_the_date_range_is_a_condition() -> None:
    """Open ends are no conditions."""
    first, second = Span(19723, 19723), Span(19724, 19724)
    for start, end, expected in (
        ("2024-01-01", "2024-01-02", Condition("date_index", "between", (first, second))),
        ("2024-01-01", None, Condition("date_index", "gte", (first,))),
        (None, "2024-01-02", Condition("date_index", "lte", (second,))),
    ):
        assert _prepare(start=start, end=end).conditions == (expected,)


def test_days_are_those_of_the_data_sources_zone() -> None:
    """In the date range as in every condition, whole days begin at its midnight."""
    schema = a_schema(at=ColumnType(Kind.TIMESTAMPTZ))
    kolkata = a_datasource(date="at", time_zone="Asia/Kolkata")
    prepared = prepare(
        Query(
            datasource=1,
            start="1970-01-02",
            end="1970-01-02",
            where=[Filter("at", "eq", "1970-01-03"), Filter("at", "in", ["1970-01-04"])],
        ),
        schema,
        kolkata,
        LIMITS,
    )
    day, ahead = 86_400_000_000, 19_800_000_000
    spans = [Span(n * day - ahead, (n + 1) * day - ahead - 1) for n in (1, 2, 3)]
    assert prepared.conditions == (
        Condition("at", "between", (spans[0], spans[0])),
        Condition("at", "eq", (spans[1],)),
        Condition("at", "in", (spans[2],)),
    )
    assert prepared.dates == (spans[0].low, spans[0].high)


def test_a_day_may_end_where_it_begins() -> None:
    """One day as start and end is a range; the next as start isn't."""
    assert _prepare(start="2024-01-02", end="2024-01-02").dates == (19724, 19724)
    with pytest.raises(InvalidQuery, match="first day comes first"):
        _prepare(start="2024-01-03", end="2024-01-02")


@pytest.mark.parametrize(
    ("column_type", "results"),
    [
        (ColumnType(Kind.SMALLINT), ("bigint", "numeric(38,16)", "smallint")),
        (INTEGER, ("bigint", "numeric(38,16)", "integer")),
        (ColumnType(Kind.BIGINT), ("numeric(38,0)", "numeric(38,16)", "bigint")),
        (ColumnType(Kind.NUMERIC, 14, 2), ("numeric(38,2)", "numeric(38,16)", "numeric(14,2)")),
        (ColumnType(Kind.REAL), ("real", "double precision", "real")),
        (ColumnType(Kind.DOUBLE), ("double precision", "double precision", "double precision")),
        (TEXT, (None, None, "text")),
        (DATE, (None, None, "date")),
        (ColumnType(Kind.BOOLEAN), (None, None, "boolean")),
    ],
    ids=str,
)
def test_results_have_postgres_types(column_type: ColumnType, results: Any) -> None:
    """Of a sum, an average, a least and a greatest; a count is always a bigint."""
    schema = a_schema(value=column_type)
    expected = dict(zip(("sum", "avg", "min"), results, strict=True))
    expected |= {"max": expected["min"], "count": "bigint"}
    for function, result in expected.items():
        query = Query(datasource=1, aggregate=function)
        if result is None:
            with pytest.raises(InvalidQuery, match=f"^{function} needs numbers"):
                prepare(query, schema, a_datasource(value="value"), LIMITS)
            continue
        prepared = prepare(query, schema, a_datasource(value="value"), LIMITS)
        assert prepared.aggregate is not None
        assert prepared.aggregate.column == "value"
        assert str(prepared.aggregate.type) == result
        assert prepared.output == a_schema(**{function: prepared.aggregate.type})
        assert prepared.columns == ("value",)


def test_rows_can_be_counted_without_a_value_column() -> None:
    """A count of rows has no column to read."""
    prepared = prepare(Query(datasource=1, aggregate="count"), SCHEMA, a_datasource(), LIMITS)
    assert prepared.aggregate == Aggregation("count", None, "count", ColumnType(Kind.BIGINT))
    assert prepared.columns == ()


def test_an_aggregate_gives_way_to_a_column_of_its_name() -> None:
    """Grouped by a column called "sum", and one called "sum_", the sum is "sum__"."""
    schema = a_schema(sum=TEXT, sum_=TEXT, value=INTEGER)
    prepared = prepare(
        Query(datasource=1, aggregate="sum", group_by=["sum", "sum_"]),
        schema,
        a_datasource(value="value"),
        LIMITS,
    )
    assert prepared.output.names == ("sum", "sum_", "sum__")
    assert prepared.group_by == ("sum", "sum_")
    assert prepared.aggregate is not None
    assert prepared.aggregate.name == "sum__"


def test_a_query_without_aggregate_needs_every_column_once() -> None:
    """Those of its conditions are among them."""
    prepared = _prepare(where=[Filter("kind", "eq", "x")])
    assert prepared.columns == SCHEMA.names
    assert prepared.datasource == 1


def test_lists_are_sequences() -> None:
    """Tuples do as well as lists; a set has no order, and bytes are no list."""
    assert _prepare(order_by=("kind", "-measure")).order == (
        Ordering("kind", descending=False),
        Ordering("measure", descending=True),
    )
    for wrong in ({"kind"}, b"kind", {"kind": 1}, iter(["kind"])):
        with pytest.raises(InvalidQuery, match=r"^order_by is .*; give a list$"):
            _prepare(order_by=wrong)
    for wrong in (b"ab", {"a": 1}, iter(["a"])):
        with pytest.raises(InvalidFilter, match="takes a list of values"):
            _prepare(where=[Filter("kind", "in", wrong)])
    with pytest.raises(InvalidFilter, match="takes a list of two values"):
        _prepare(where=[Filter("kind", "between", "ab")])
    for right in (["a"], ("a",), {"a"}, frozenset({"a"})):
        (condition,) = _prepare(where=[Filter("kind", "in", right)]).conditions
        assert condition.spans == (Span("a", "a"),)


class Everything:
    """Is equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


def test_a_column_is_named_by_text() -> None:
    """What merely says that it equals a name is none."""
    same: Any = Everything()
    for asked in ({"where": [Filter(same, "eq", 1)]}, {"order_by": [Order(same)]}):
        with pytest.raises(UnknownColumn):
            _prepare(**asked)
