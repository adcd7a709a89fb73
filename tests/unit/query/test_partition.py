"""Slices of a held partition: exactly the rows of a scope, in memory of their own."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import MONEY, TYPES, a_column, a_schema, a_table, columns_of

from warmcube.entry.keys import Member, member_of
from warmcube.errors import UnsupportedValue
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.model.scope import ALL, NOTHING, Box, Scope
from warmcube.query.conditions import Condition
from warmcube.query.evaluate import evaluate, work_of
from warmcube.query.partition import ResidentPartition
from warmcube.query.prepared import Aggregation, Limits, PreparedQuery
from warmcube.query.pythonform import python_values
from warmcube.query.values import Span

INTEGER = ColumnType(Kind.INTEGER)
DATE = ColumnType(Kind.DATE)
TEXT = ColumnType(Kind.TEXT)
EVERYTHING = Scope((Box(ALL, ALL),))
QUERY = PreparedQuery(
    datasource=1,
    measure="Charges",
    frequency="Monthly",
    conditions=(),
    dates=None,
    columns=("n",),
    group_by=(),
    aggregate=None,
    order=(),
    limit=None,
    output=a_schema(n=INTEGER),
    limits=Limits(),
)

ids = st.sampled_from([None, "1", "2", "10", "11", "a b", "é"])
named = st.one_of(
    st.just(ALL), st.frozensets(st.sampled_from(["1", "2", "10", "11", "a b", "é", "99"]))
)
scopes = st.lists(st.builds(Box, named, named), max_size=4).map(Scope.of)
entries = st.dictionaries(
    st.tuples(ids, ids, st.integers(0, 1)), st.integers(1, 5), min_size=1, max_size=25
)
regular = st.tuples(
    st.sets(st.tuples(ids, ids, st.just(0)), min_size=1, max_size=25), st.integers(1, 5)
).map(lambda drawn: dict.fromkeys(*drawn))


def held(sizes: dict[tuple[str | None, str | None, int], int]) -> tuple[list[Member], Any]:
    """Entries in the order of their names, and how many rows each has."""
    members = sorted((Member(*each) for each in sizes), key=lambda each: member_of(*each))
    return members, np.array([sizes[tuple(each)] for each in members], np.int64)  # type: ignore[index]


def a_partition(sizes: dict[tuple[str | None, str | None, int], int]) -> ResidentPartition:
    """One whose rows are numbered, and have dates and texts."""
    members, rows_of = held(sizes)
    rows = int(rows_of.sum())
    table = a_table(
        n=ColumnData(INTEGER, np.arange(rows, dtype=np.int32)),
        date=ColumnData(DATE, (np.arange(rows) % 4 * 30).astype(np.int32)),
        text=ColumnData(TEXT, np.arange(rows) % 3, np.arange(rows) % 5 > 0, ["a", "b", "c", "z"]),
    )
    return ResidentPartition(members, rows_of, table, dates="date")


@given(sizes=st.one_of(entries, regular), scope=scopes)
@settings(max_examples=500)
def test_a_scope_has_the_rows_that_it_allows_and_no_other(
    sizes: dict[tuple[str | None, str | None, int], int], scope: Scope
) -> None:
    """Row by row, in the partition's order, whatever the boxes: NULL ids go to ``ALL`` alone."""
    members, rows_of = held(sizes)
    allowed = [scope.allows(each.practice, each.provider) for each in members]
    expected = np.flatnonzero(np.repeat(allowed, rows_of)).tolist()
    partition = a_partition(sizes)
    pick = partition.pick(scope)
    if not expected:
        assert pick is None
    else:
        assert pick is not None
        assert (pick.members, pick.rows) == (sum(allowed), len(expected))
        table = partition.table(pick)
        assert table.columns["n"].values.tolist() == expected
        date = table.factor("date")
        assert date is not None
        assert date.at(date.codes).values.tolist() == table.columns["date"].values.tolist()
    for of_practices in (True, False):
        assert partition.ids(scope, of_practices=of_practices) == {
            each.practice if of_practices else each.provider
            for each, is_own in zip(members, allowed, strict=True)
            if is_own
        }


def test_no_boxes_are_no_rows() -> None:
    """An empty scope isn't an unrestricted one."""
    assert a_partition({("1", "2", 0): 3}).pick(NOTHING) is None


@given(data=st.data())
@settings(max_examples=200)
def test_every_kind_of_column_comes_back_as_it_was(data: st.DataObject) -> None:
    """NULLs included, of one slice and of several."""
    column_type = data.draw(st.sampled_from(TYPES))
    sizes: dict[tuple[str | None, str | None, int], int]
    sizes = {(str(p), "1", 0): 2 for p in range(6)}
    values = data.draw(columns_of(column_type, 12))
    members, rows_of = held(sizes)
    partition = ResidentPartition(members, rows_of, a_table(x=a_column(column_type, values)))
    for practices in ({"0", "1"}, {"0", "3", "4"}, {"5"}):
        pick = partition.pick(Scope((Box(frozenset(practices), ALL),)))
        assert pick is not None
        found = partition.table(pick).columns["x"]
        wanted = [2 * int(each) + k for each in sorted(practices) for k in range(2)]
        whole = python_values(a_column(column_type, values))
        assert repr(python_values(found)) == repr([whole[row] for row in wanted])


@pytest.mark.parametrize(
    "practices", [{"1"}, {"1", "2"}, {"1", "3"}, {"1", "2", "3"}], ids=lambda each: str(len(each))
)
@pytest.mark.parametrize("limit", [None, 2])
def test_an_answer_has_memory_of_its_own(practices: set[str], limit: int | None) -> None:
    """No array of an answer is a part of one that holds others' rows, and none can be written."""
    partition = a_partition({(each, "1", 0): 4 for each in ("1", "2", "3")})
    pick = partition.pick(Scope((Box(frozenset(practices), ALL),)))
    assert pick is not None
    answer = evaluate(partition.table(pick), dataclasses.replace(QUERY, limit=limit))
    values = answer.columns["n"].values
    assert values.base is None
    assert len(values) == (limit or 4 * len(practices))
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 7


@given(sizes=st.one_of(entries, regular), scope=scopes, by=st.sampled_from(["date", "text"]))
def test_sums_by_codes_are_those_of_the_rows(
    sizes: dict[tuple[str | None, str | None, int], int], scope: Scope, by: str
) -> None:
    """With what a partition knows of its columns, and without."""
    partition = a_partition(sizes)
    pick = partition.pick(scope)
    if pick is None:
        return
    table = partition.table(pick)
    for function in ("sum", "count", "min", "max", "avg"):
        result = ColumnType(Kind.NUMERIC, 38, 0) if function == "avg" else ColumnType(Kind.BIGINT)
        aggregation = Aggregation(function, "n", function, result)
        prepared = dataclasses.replace(QUERY, group_by=(by,), aggregate=aggregation)
        fast = evaluate(table, prepared)
        slow = evaluate(Table(dict(table.columns), table.rows), prepared)
        assert rows_of(fast) == rows_of(slow)


def rows_of(table: Table) -> list[tuple[Any, ...]]:
    """The rows of an answer, in an order of their own."""
    columns = [python_values(column) for column in table.columns.values()]
    return sorted(zip(*columns, strict=True), key=repr)


def test_columns_with_one_value_take_the_room_of_one() -> None:
    """The measure is in every row of a partition."""
    rows = 10_000
    table = a_table(m=ColumnData(TEXT, np.zeros(rows, np.int64), None, ["Charges"]))
    members, rows_of = [Member("1", "1")], np.array([rows])
    partition = ResidentPartition(members, rows_of, table, constants=["m"])
    assert partition.size < 20_000
    pick = partition.pick(EVERYTHING)
    assert pick is not None
    assert set(python_values(partition.table(pick).columns["m"])) == {"Charges"}


def test_all_that_is_held_is_counted() -> None:
    """Values, validity, texts of its own, Python's integers, and the factors that are made."""
    rows = 1000
    members, rows_of = [Member("1", "1")], np.array([rows])

    def size(**columns: ColumnData) -> int:
        return ResidentPartition(members, rows_of, a_table(**columns)).size

    plain = size(n=ColumnData(MONEY, np.arange(rows)))
    assert plain >= 8 * rows
    assert size(n=ColumnData(MONEY, np.arange(rows), np.ones(rows, np.bool_))) >= plain + rows
    wide = np.array([10**30] * rows, np.object_)
    assert size(n=ColumnData(ColumnType(Kind.NUMERIC, 38, 0), wide)) >= 50 * rows
    words = ["x" * 1000] * 50
    codes = ColumnData(TEXT, np.zeros(rows, np.int64), None, words)
    assert size(t=codes) >= 50_000
    shared = ResidentPartition(members, rows_of, a_table(t=codes), shared=[words])
    assert shared.size < 50_000
    before = shared.size
    pick = shared.pick(EVERYTHING)
    assert pick is not None
    assert shared.table(pick).factor("t") is not None
    assert shared.size >= before + 8 * rows


@given(data=st.data(), scope=scopes)
@settings(max_examples=200)
def test_dates_that_repeat_add_up_the_same(data: st.DataObject, scope: Scope) -> None:
    """Where every entry has every date, in every type that adds up, NULL and NaN included."""
    kind = data.draw(st.sampled_from([each for each in TYPES if each.kind.is_number]))
    sizes: dict[tuple[str | None, str | None, int], int]
    sizes = {(practice, "1", 0): 6 for practice in ("1", "2", "10", None)}
    members, rows_of = held(sizes)
    values = a_column(kind, data.draw(columns_of(kind, 24)))
    if data.draw(st.booleans()):
        values = dataclasses.replace(values, valid=None)
    table = a_table(x=values, date=ColumnData(DATE, (np.arange(24) % 3 * 30).astype(np.int32)))
    partition = ResidentPartition(members, rows_of, table, dates="date")
    pick = partition.pick(scope)
    if pick is None:
        return
    rows = partition.table(pick)
    date = rows.factor("date")
    assert date is not None
    assert date.is_repeating
    function = data.draw(st.sampled_from(["sum", "avg", "min", "max", "count"]))
    whole = kind.kind is Kind.NUMERIC or function == "avg"
    result = ColumnType(Kind.NUMERIC, 38, kind.scale) if whole else ColumnType(Kind.BIGINT)
    if kind.kind.is_float:
        result = ColumnType(Kind.DOUBLE)
    aggregation = Aggregation(function, "x", function, result)
    prepared = dataclasses.replace(QUERY, group_by=("date",), aggregate=aggregation)
    assert outcome(rows, prepared) == outcome(Table(dict(rows.columns), rows.rows), prepared)


def outcome(table: Table, prepared: PreparedQuery) -> str:
    """The rows of an answer, or the error."""
    try:
        return repr(rows_of(evaluate(table, prepared)))
    except UnsupportedValue as error:
        return str(error)


@given(sizes=st.one_of(entries, regular), scope=scopes, least=st.integers(0, 40))
def test_conditions_leave_out_rows_and_their_codes(
    sizes: dict[tuple[str | None, str | None, int], int], scope: Scope, least: int
) -> None:
    """What is grouped is what fulfils them, by codes as by values."""
    partition = a_partition(sizes)
    pick = partition.pick(scope)
    if pick is None:
        return
    table = partition.table(pick)
    aggregation = Aggregation("sum", "n", "sum", ColumnType(Kind.BIGINT))
    for by in (("date",), ("text",), ("date", "text"), ("n",)):
        prepared = dataclasses.replace(
            QUERY,
            conditions=(Condition("n", "gte", (Span(least, least),)),),
            group_by=by,
            aggregate=aggregation,
        )
        fast = evaluate(table, prepared)
        slow = evaluate(Table(dict(table.columns), table.rows), prepared)
        assert rows_of(fast) == rows_of(slow)


def test_a_slice_without_nulls_says_so() -> None:
    """As the store's columns do, whatever the rest of the partition holds."""
    valid = np.array([False, True, True])
    table = a_table(n=ColumnData(INTEGER, np.arange(3, dtype=np.int32), valid))
    members = [Member(each, "1") for each in ("1", "2", "3")]
    partition = ResidentPartition(members, np.array([1, 1, 1]), table)
    for practices, is_whole in (({"2", "3"}, True), ({"1", "3"}, False)):
        pick = partition.pick(Scope((Box(frozenset(practices), ALL),)))
        assert pick is not None
        found = partition.table(pick).columns["n"].valid
        assert (found is None) is is_whole


def test_factors_are_made_where_they_are_worth_it() -> None:
    """Not of a large partition's column for a small part of its rows, nor of what is constant."""
    rows = 30_000
    members, rows_of = [Member("1", "1"), Member("2", "1")], np.array([2 * rows, 10])
    numbers = np.arange(2 * rows + 10, dtype=np.int32) % 7
    table = a_table(n=ColumnData(INTEGER, numbers), m=ColumnData(INTEGER, numbers * 0))
    partition = ResidentPartition(members, rows_of, table, constants=["m"])
    few = partition.pick(Scope((Box(frozenset({"2"}), ALL),)))
    most = partition.pick(Scope((Box(frozenset({"1"}), ALL),)))
    assert few is not None
    assert most is not None
    prepared = dataclasses.replace(
        QUERY,
        group_by=("n",),
        aggregate=Aggregation("count", None, "count", ColumnType(Kind.BIGINT)),
    )
    assert partition.table(few).factor("n") is None
    assert work_of(partition.table(most), prepared) == 2 * rows
    assert partition.table(most).factor("n") is not None
    assert partition.table(few).factor("n") is not None
    assert partition.table(most).factor("m") is None
    assert work_of(partition.table(most), prepared) == 2 * rows // 10
    assert work_of(partition.table(most), QUERY) == 0
    filtered = dataclasses.replace(QUERY, conditions=(Condition("n", "is_null"),))
    assert work_of(partition.table(most), filtered) == 2 * rows


def test_dates_that_repeat_are_made_once_for_all_answers_of_as_many_rows() -> None:
    """In memory that holds nothing else, and bounded by what the column takes."""
    sizes: dict[tuple[str | None, str | None, int], int]
    sizes = {(f"{practice}", "1", 0): 4 for practice in range(100, 150)}
    partition = a_partition(sizes)
    made = []
    for few in ({"100", "120"}, {"101", "110"}, {"103", "104"}):
        pick = partition.pick(Scope((Box(frozenset(few), ALL),)))
        assert pick is not None
        made.append(partition.table(pick).columns["date"])
    assert made[0] is made[1] is made[2]
    assert made[0].values.tolist() == [0, 30, 60, 90] * 2
    assert made[0].values.base is None
    assert not made[0].values.flags.writeable
    for count in range(1, 50):
        some = frozenset(f"{practice}" for practice in range(100, 100 + count))
        pick = partition.pick(Scope((Box(some, ALL),)))
        assert pick is not None
        assert partition.table(pick).columns["date"].values.tolist() == [0, 30, 60, 90] * count
        assert sum(rows for _, rows in partition._repeated) <= partition.rows


def test_a_whole_partition_is_handed_on_as_it_is() -> None:
    """Nobody can write to it, and it holds nothing that isn't in the answer."""
    partition = a_partition({("1", "1", 0): 3, ("2", "1", 0): 5})
    pick = partition.pick(Scope((Box(ALL, ALL),)))
    assert pick is not None
    first, second = (partition.table(pick).columns["n"].values for _ in range(2))
    assert first is second
    assert first.base is None
    assert not first.flags.writeable
