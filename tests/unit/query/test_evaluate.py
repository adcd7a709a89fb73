"""Filter, group, order, limit, project: whole answers against a row at a time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import (
    ASCENDING,
    MONEY,
    TYPES,
    VALUES,
    WIDE,
    a_column,
    a_datasource,
    a_schema,
    a_table,
    columns_of,
    key_of,
)

from warmcube.errors import LimitExceeded, UnsupportedValue
from warmcube.model.columns import ColumnData, Table
from warmcube.model.request import Filter, Order, Query
from warmcube.model.schema import ColumnType, Kind, Schema
from warmcube.query.evaluate import evaluate
from warmcube.query.prepare import Limits, prepare
from warmcube.query.pythonform import python_values

SMALLINT = ColumnType(Kind.SMALLINT)
INTEGER = ColumnType(Kind.INTEGER)
BIGINT = ColumnType(Kind.BIGINT)
REAL = ColumnType(Kind.REAL)
DOUBLE = ColumnType(Kind.DOUBLE)
TEXT = ColumnType(Kind.TEXT)
LIMITS = Limits()


def _answer(table: Table, limits: Limits = LIMITS, **asked: Any) -> Table:
    """The answer over a table whose value column, if it has one, is called v."""
    schema = a_schema(**{name: column.type for name, column in table.columns.items()})
    datasource = a_datasource(value="v" if "v" in table.columns else None)
    prepared = prepare(Query(datasource=1, **asked), schema, datasource, limits)
    needed = {name: table.columns[name] for name in prepared.columns}
    answer = evaluate(Table(needed, table.rows), prepared)
    assert tuple(answer.columns) == prepared.output.names
    assert all(len(column) == answer.rows for column in answer.columns.values())
    return answer


def _rows(table: Table) -> list[tuple[Any, ...]]:
    columns = [python_values(column) for column in table.columns.values()]
    return list(zip(*columns, strict=True))


def _key(column_type: ColumnType, value: Any) -> Any:
    return None if value is None else key_of(column_type, value)


# --- aggregates -----------------------------------------------------------------------------


def _sum(numbers: list[Decimal]) -> Decimal:
    """As Postgres adds numerics."""
    if any(number.is_nan() for number in numbers):
        return Decimal("NaN")
    infinite = {number for number in numbers if number.is_infinite()}
    if infinite:
        return Decimal("NaN") if len(infinite) > 1 else infinite.pop()
    total = sum((Fraction(number) for number in numbers), Fraction(0))
    return Decimal(int(total * 10**6)).scaleb(-6)


def _expected(function: str, column_type: ColumnType, values: list[Any]) -> Any:
    """The aggregate of one group's values, as Postgres defines it; None for NULL."""
    known = [value for value in values if value is not None]
    if function == "count":
        return len(known)
    if not known:
        return None
    if function in ("min", "max"):
        choose: Callable[..., Any] = min if function == "min" else max
        return _key(column_type, choose(known, key=lambda value: key_of(column_type, value)))
    return _sum([Decimal(value) for value in known])


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_groups_are_sqls(data: st.DataObject) -> None:
    """Counts, min, max and exact sums of every group of one or two columns, of every type."""
    function = data.draw(st.sampled_from(["count", "min", "max", "sum"]))
    value_types = (SMALLINT, INTEGER, BIGINT, MONEY) if function == "sum" else TYPES
    types = {
        "a": data.draw(st.sampled_from(TYPES)),
        "b": data.draw(st.sampled_from(TYPES)),
        "v": data.draw(st.sampled_from(value_types)),
    }
    rows = data.draw(st.integers(0, 12))
    values = {name: data.draw(columns_of(column_type, rows)) for name, column_type in types.items()}
    group_by = data.draw(st.sampled_from([[], ["a"], ["b", "a"]]))
    table = a_table(
        **{name: a_column(column_type, values[name]) for name, column_type in types.items()}
    )
    groups: dict[Any, list[Any]] = defaultdict(list)
    if not group_by:
        groups[()] = []
    for row in range(rows):
        groups[tuple(_key(types[name], values[name][row]) for name in group_by)].append(
            values["v"][row]
        )
    expected = {key: _expected(function, types["v"], of) for key, of in groups.items()}
    answer = _answer(table, group_by=group_by, aggregate=function)
    found = {}
    for *group, value in _rows(answer):
        key = tuple(_key(types[name], of) for name, of in zip(group_by, group, strict=True))
        found[key] = _key(types["v"], value) if function in ("min", "max") else value
    assert len(found) == answer.rows
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, Decimal) and value.is_nan():
            assert found[key].is_nan()
        else:
            assert found[key] == value


@pytest.mark.parametrize(
    ("function", "column_type", "result"),
    [
        ("sum", SMALLINT, "bigint"),
        ("sum", INTEGER, "bigint"),
        ("sum", BIGINT, "numeric(38,0)"),
        ("sum", MONEY, "numeric(38,2)"),
        ("sum", WIDE, "numeric(38,6)"),
        ("sum", REAL, "real"),
        ("sum", DOUBLE, "double precision"),
        ("avg", SMALLINT, "numeric(38,16)"),
        ("avg", MONEY, "numeric(38,16)"),
        ("avg", REAL, "double precision"),
        ("avg", DOUBLE, "double precision"),
        ("min", MONEY, "numeric(10,2)"),
        ("max", TEXT, "text"),
        ("count", TEXT, "bigint"),
    ],
)
def test_result_types_are_those_of_postgres(
    function: str, column_type: ColumnType, result: str
) -> None:
    """Both the prepared query and the answer say the type; an answer over rows too."""
    few: dict[Kind, Any] = {Kind.NUMERIC: [Decimal(50)], Kind.TEXT: ["x"]}
    values = few.get(column_type.kind, [50.0 if column_type.kind.is_float else 50])
    answer = _answer(a_table(v=a_column(column_type, values)), aggregate=function)
    assert str(answer.columns[function].type) == result


@pytest.mark.parametrize("column_type", [BIGINT, MONEY, WIDE, DOUBLE, TEXT, ColumnType(Kind.UUID)])
def test_an_aggregate_over_no_rows_is_one_row(column_type: ColumnType) -> None:
    """Counts are 0, all else is NULL; grouped, there are no groups."""
    table = a_table(g=a_column(TEXT, []), v=a_column(column_type, []))
    numbers = ["sum", "avg"] if column_type.kind.is_number else []
    for function in ["min", "max", *numbers]:
        assert _rows(_answer(table, aggregate=function)) == [(None,)]
        assert _rows(_answer(table, aggregate=function, group_by=["g"])) == []
    assert _rows(_answer(table, aggregate="count")) == [(0,)]


@pytest.mark.parametrize("function", ["sum", "avg", "min", "max"])
@pytest.mark.parametrize("column_type", [BIGINT, MONEY, WIDE, DOUBLE])
def test_a_group_of_nulls_is_null(column_type: ColumnType, function: str) -> None:
    """One group has a value, the other only NULLs."""
    one = Decimal(7) if column_type.kind is Kind.NUMERIC else 7
    table = a_table(g=a_column(TEXT, ["a", "b", "b"]), v=a_column(column_type, [one, None, None]))
    assert _rows(_answer(table, aggregate=function, group_by=["g"], order_by=["g"])) == [
        ("a", 7),
        ("b", None),
    ]


@pytest.mark.parametrize("order", [[0.0, -0.0], [-0.0, 0.0]])
def test_the_order_of_rows_does_not_show_in_zeros(order: list[float]) -> None:
    """0.0 and -0.0 are equal: groups, least and greatest show the same one from either tier."""
    zeros = ColumnData(DOUBLE, np.array(order))
    for function in ("min", "max"):
        answer = _answer(Table({"a": zeros, "v": zeros}, 2), group_by=["a"], aggregate=function)
        shown = [float(column.values[0]) for column in answer.columns.values()]
        assert [math.copysign(1, value) for value in shown] == [1, 1]


def test_without_a_value_column_rows_are_counted() -> None:
    """What counts then is rows, of groups and in all."""
    table = a_table(g=a_column(TEXT, ["a", None, "a"]))
    assert _rows(_answer(table, aggregate="count")) == [(3,)]
    found = _rows(_answer(table, aggregate="count", group_by=["g"], order_by=["g"]))
    assert found == [("a", 2), (None, 1)]


def test_the_aggregates_name_gives_way() -> None:
    """A group column called sum keeps its name; the aggregate's gets underscores."""
    table = a_table(sum=a_column(TEXT, ["a"]), sum_=a_column(TEXT, ["b"]), v=a_column(INTEGER, [5]))
    answer = _answer(table, aggregate="sum", group_by=["sum", "sum_"])
    assert list(answer.columns) == ["sum", "sum_", "sum__"]
    assert _rows(answer) == [("a", "b", 5)]


def test_sums_beyond_64_bits_are_exact() -> None:
    """Sums of bigints don't wrap, whatever their sign."""
    most, least = 2**63 - 1, -(2**63)
    column = ColumnData(BIGINT, np.array([most] * 5 + [least] * 7 + [-1], np.int64))
    groups = a_column(TEXT, ["a"] * 5 + ["b"] * 8)
    found = _rows(
        _answer(a_table(g=groups, v=column), aggregate="sum", group_by=["g"], order_by=["g"])
    )
    assert found == [("a", Decimal(5 * most)), ("b", Decimal(7 * least - 1))]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_sums_of_any_bigints_are_exact(values: list[int]) -> None:
    """One group, all magnitudes."""
    table = a_table(v=a_column(BIGINT, values))
    assert _rows(_answer(table, aggregate="sum")) == [(Decimal(sum(values)),)]


def test_wide_sums_of_38_digits_are_exact_and_more_are_an_error() -> None:
    """What has no place is said, never rounded."""
    greatest = 10**38 - 1
    fits = ColumnData(WIDE, np.array([greatest, -greatest, greatest], np.object_))
    (found,) = _rows(_answer(a_table(v=fits), aggregate="sum"))
    assert str(found[0]) == "9" * 32 + "." + "9" * 6
    exceeds = ColumnData(WIDE, np.array([greatest, 1], np.object_))
    with pytest.raises(UnsupportedValue, match='sum of column "v" has more than 38 digits'):
        _answer(a_table(v=exceeds), aggregate="sum")


@pytest.mark.parametrize("column_type", [MONEY, WIDE])
@pytest.mark.parametrize("function", ["sum", "avg"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "NaN", "Infinity"], "NaN"),
        (["Infinity", "1", "-Infinity"], "NaN"),
        (["Infinity", "1", "Infinity"], "Infinity"),
        (["-Infinity", "1"], "-Infinity"),
    ],
)
def test_special_numerics_spread_as_in_postgres(
    column_type: ColumnType, function: str, values: list[str], expected: str
) -> None:
    """NaN wins, opposite infinities make NaN; a group without them is a number."""
    numbers = [*map(Decimal, values), Decimal(2)]
    groups = a_column(TEXT, ["a"] * len(values) + ["b"])
    table = a_table(g=groups, v=a_column(column_type, numbers))
    found = _rows(_answer(table, aggregate=function, group_by=["g"], order_by=["g"]))
    assert str(found[0][1]) == expected
    assert found[1][1] == 2


@pytest.mark.parametrize(
    ("column_type", "values", "expected"),
    [
        (INTEGER, [1, 2, 2], "1.6666666666666667"),
        (INTEGER, [1, 0, 0], "0.33333333333333333333"),
        (BIGINT, [-5, 0, 0], "-1.6666666666666667"),
        (MONEY, ["123.45", "0", "0", "0", "0", "0", "0"], "17.6357142857142857"),
        (WIDE, ["0.000001", "0", "0"], "0.000000333333333333333333"),
        (WIDE, ["99999999999999999999999999999999"], "99999999999999999999999999999999.000000"),
        (BIGINT, [2**63 - 1, 2**63 - 1], "9223372036854775807"),
    ],
)
def test_averages_are_postgres(column_type: ColumnType, values: list[Any], expected: str) -> None:
    """Digits as PostgreSQL 18.4 prints them."""
    numbers = [Decimal(value) if column_type.kind is Kind.NUMERIC else value for value in values]
    ((found,),) = _rows(_answer(a_table(v=a_column(column_type, numbers)), aggregate="avg"))
    assert f"{found:f}" == expected


def test_averages_of_different_scales_share_a_column() -> None:
    """Each group's average keeps its digits, also where together they exceed 38."""
    huge = Decimal(10**31)
    tiny = Decimal("0.000001")
    table = a_table(
        g=a_column(TEXT, ["a", "b", "b", "b", "c"]),
        v=a_column(WIDE, [huge, tiny, Decimal(0), Decimal(0), Decimal("NaN")]),
    )
    answer = _answer(table, aggregate="avg", group_by=["g"], order_by=["g"])
    found = _rows(answer)
    assert found[:2] == [("a", huge), ("b", Decimal("0.000000333333333333333333"))]
    assert found[2][1].is_nan()
    assert str(answer.columns["avg"].type) == "numeric(56,24)"


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30))
def test_float_sums_are_within_the_tolerance(values: list[float]) -> None:
    """Sum and average agree with exact arithmetic as the module promises."""
    table = a_table(v=a_column(DOUBLE, values))
    tolerance = len(values) * 2.0**-52 * math.fsum(map(abs, values))
    ((total,),) = _rows(_answer(table, aggregate="sum"))
    ((mean,),) = _rows(_answer(table, aggregate="avg"))
    assert abs(total - math.fsum(values)) <= tolerance
    assert abs(mean - math.fsum(values) / len(values)) <= tolerance


@pytest.mark.parametrize("column_type", [REAL, DOUBLE])
@pytest.mark.parametrize("function", ["sum", "avg"])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, math.nan, math.inf], math.nan),
        ([math.inf, -math.inf], math.nan),
        ([math.inf, 1.0], math.inf),
        ([-math.inf, 1.0], -math.inf),
    ],
)
def test_special_floats_spread(
    column_type: ColumnType, function: str, values: list[float], expected: float
) -> None:
    """As in Postgres, without a warning."""
    ((found,),) = _rows(_answer(a_table(v=a_column(column_type, values)), aggregate=function))
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("column_type", "function", "value"),
    [(DOUBLE, "sum", 1e308), (DOUBLE, "avg", 1e308), (REAL, "sum", 3e38)],
)
def test_float_overflow_is_an_error(column_type: ColumnType, function: str, value: float) -> None:
    """Finite values never add up to infinity; an infinite group beside them is fine."""
    groups = a_column(TEXT, ["a", "a", "b"])
    table = a_table(g=groups, v=a_column(column_type, [value, value, math.inf]))
    with pytest.raises(UnsupportedValue, match=f'the {function} of column "v" is beyond'):
        _answer(table, aggregate=function, group_by=["g"])


def test_real_sums_are_rounded_once() -> None:
    """Added up as doubles: small values aren't lost beside a great one."""
    table = a_table(v=a_column(REAL, [16777216.0, 1.0, 1.0, 1.0, 1.0]))
    assert _rows(_answer(table, aggregate="sum")) == [(16777220.0,)]


# --- groups ---------------------------------------------------------------------------------


def test_many_sparse_groups_are_told_apart() -> None:
    """Far values, long dictionaries and many columns are packed before they are numbered."""
    rows = 3000
    numbers = np.arange(rows, dtype=np.int64) * 10**15
    words = [f"w{place}" for place in range(50_000)]
    codes = np.arange(rows, dtype=np.int64) * 16
    table = a_table(
        a=ColumnData(BIGINT, numbers),
        b=ColumnData(TEXT, codes % 1600, None, words),
        c=ColumnData(TEXT, codes, np.arange(rows) % 7 > 0, words),
    )
    answer = _answer(table, aggregate="count", group_by=["a", "b", "c"])
    assert len(set(_rows(answer))) == answer.rows == rows
    few = _answer(table, aggregate="count", group_by=["b"])
    assert sorted(_rows(few)) == sorted((words[code], 30) for code in range(0, 1600, 16))


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_null_is_a_group_of_its_own(column_type: ColumnType) -> None:
    """Beside one of values, beside none, and whatever stands under the NULLs."""
    few: dict[Kind, Any] = {
        Kind.NUMERIC: Decimal(5),
        Kind.TEXT: "",
        Kind.DATE: "infinity",
        Kind.TIMESTAMP: "infinity",
        Kind.TIMESTAMPTZ: "infinity",
        Kind.UUID: UUID(int=0),
    }
    value = few.get(column_type.kind, 1)
    table = a_table(a=a_column(column_type, [None, value, None, value, None]))
    answer = _answer(table, aggregate="count", group_by=["a"], order_by=["-count"])
    assert [row[1] for row in _rows(answer)] == [3, 2]
    assert [row[0] is None for row in _rows(answer)] == [True, False]
    nothing = a_table(a=a_column(column_type, [None, None]))
    assert _rows(_answer(nothing, aggregate="count", group_by=["a"])) == [(None, 2)]


@pytest.mark.parametrize("column_type", TYPES, ids=str)
def test_every_type_has_an_order(column_type: ColumnType) -> None:
    """Three values, of every kind, with NULL at the right end."""
    ordered = ASCENDING[column_type.kind]
    values = [ordered[-1], None, *ordered[:-1]]
    table = a_table(a=a_column(column_type, values))
    for order, expected in ((["a"], [*ordered, None]), (["-a"], [None, *ordered[::-1]])):
        found = [row[0] for row in _rows(_answer(table, order_by=order))]
        assert [_key(column_type, value) for value in found] == [
            _key(column_type, value) for value in expected
        ]


def test_nan_and_zero_are_one_group_each() -> None:
    """All NaNs are equal, and -0 equals 0."""
    values = np.array([math.nan, -math.nan, 0.0, -0.0, 1.0])
    answer = _answer(a_table(a=ColumnData(DOUBLE, values)), aggregate="count", group_by=["a"])
    assert sorted(row[1] for row in _rows(answer)) == [1, 2, 2]


# --- order, limit, projection ------------------------------------------------------------------


@given(data=st.data())
@settings(max_examples=300)
def test_order_is_postgres(data: st.DataObject) -> None:
    """Any types, both directions: NULLs last ascending, first descending; equal rows stay."""
    types = {name: data.draw(st.sampled_from(TYPES)) for name in ("a", "b")}
    rows = data.draw(st.integers(0, 12))
    values = {name: data.draw(columns_of(column_type, rows)) for name, column_type in types.items()}
    order = data.draw(
        st.lists(
            st.builds(Order, st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=3
        )
    )
    limit = data.draw(st.none() | st.integers(0, 13))
    columns = {name: a_column(column_type, values[name]) for name, column_type in types.items()}
    columns["row"] = ColumnData(INTEGER, np.arange(rows, dtype=np.int32))

    def compare(left: int, right: int) -> int:
        for item in order:
            pair = [_key(types[item.column], values[item.column][row]) for row in (left, right)]
            if pair[0] == pair[1]:
                continue
            is_less = pair[1] is None if None in pair else pair[0] < pair[1]
            return -1 if is_less is not item.descending else 1
        return left - right

    expected = sorted(range(rows), key=cmp_to_key(compare))[:limit]
    answer = _answer(Table(columns, rows), order_by=order, limit=limit)
    assert answer.columns["row"].values.tolist() == expected


def test_rows_keep_the_tables_columns_in_order() -> None:
    """Without an aggregate the answer has all columns of the data source."""
    table = a_table(b=a_column(INTEGER, [1, 2, None]), a=a_column(TEXT, ["x", None, "z"]))
    answer = _answer(table, where=[Filter("b", "not_null")])
    assert list(answer.columns) == ["b", "a"]
    assert _rows(answer) == [(1, "x"), (2, None)]


def test_what_needs_no_work_is_not_copied() -> None:
    """All rows are the table's own arrays; of a limit they are views."""
    table = a_table(a=a_column(INTEGER, [3, None, 1]), b=a_column(TEXT, ["x", "y", "z"]))
    everything = _answer(table, limit=3)
    assert everything.columns["a"].values is table.columns["a"].values
    assert _rows(_answer(table, limit=2)) == [(3, "x"), (None, "y")]
    assert _rows(_answer(table, limit=0)) == []


def test_ordering_by_the_aggregate() -> None:
    """The answer's columns are what is ordered by."""
    table = a_table(g=a_column(TEXT, ["a", "b", "a", "c"]), v=a_column(INTEGER, [1, 5, 1, None]))
    found = _rows(_answer(table, aggregate="sum", group_by=["g"], order_by=["-sum", "g"], limit=2))
    assert found == [("c", None), ("b", 5)]


def test_the_limits_on_rows_and_groups_are_errors() -> None:
    """More is refused with the limit's name; a query's own limit keeps below it."""
    table = a_table(a=a_column(INTEGER, [1, 2, 3]))
    with pytest.raises(LimitExceeded, match=r"3 rows, more than \[limits\] rows = 2"):
        _answer(table, Limits(rows=2))
    assert _answer(table, Limits(rows=2), limit=2).rows == 2
    assert _answer(table, Limits(rows=3)).rows == 3
    with pytest.raises(LimitExceeded, match=r"3 groups, more than \[limits\] groups = 2"):
        _answer(table, Limits(groups=2), aggregate="count", group_by=["a"])
    assert _answer(table, Limits(groups=3), aggregate="count", group_by=["a"]).rows == 3


def test_schema_of_the_support_is_whole() -> None:
    """Every kind is tried by the properties above."""
    assert {column_type.kind for column_type in TYPES} == set(Kind)
    assert set(VALUES) == set(TYPES)
    assert isinstance(a_schema(a=TEXT), Schema)
