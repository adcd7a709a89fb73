"""Sums of practices that are held: those of their rows, or none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import a_column, a_schema, a_table
from tests.unit.query.test_partition import QUERY, held

from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind, Roles
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.conditions import Condition
from warmcube.query.evaluate import evaluate
from warmcube.query.held_sums import LEAST_ENTRIES, are_summed
from warmcube.query.partition import ResidentPartition
from warmcube.query.prepared import Aggregation, Extent, PreparedQuery
from warmcube.query.pythonform import python_values
from warmcube.query.values import Span

DATE, INTEGER = ColumnType(Kind.DATE), ColumnType(Kind.INTEGER)
ROLES = Roles(date="date", value="x")
EVERYTHING = Scope((Box(ALL, ALL),))
PRACTICES = ("1", "10", "2", "é", None)
PROVIDERS = tuple(str(number) for number in range(LEAST_ENTRIES))
DATES = 3


def a_partition(
    values: ColumnData,
    *,
    providers: tuple[str, ...] = PROVIDERS,
    days: Any = None,
    constants: tuple[str, ...] = (),
) -> ResidentPartition:
    """Each practice has all providers, and each of these has all dates."""
    sizes: dict[tuple[str | None, str | None, int], int]
    sizes = {(each, provider, 0): DATES for each in PRACTICES for provider in providers}
    members, rows_of = held(sizes)
    days = np.arange(len(values)) % DATES * 30 if days is None else days
    table = a_table(x=values, date=ColumnData(DATE, days.astype(np.int32)))
    return ResidentPartition(members, rows_of, table, dates="date", summed="x", constants=constants)


def numbers(type: ColumnType, some: Any) -> ColumnData:
    """A column of so many numbers as `a_partition` has rows."""
    dtype = {Kind.SMALLINT: np.int16, Kind.INTEGER: np.int32}.get(type.kind, np.int64)
    count = len(PRACTICES) * len(PROVIDERS) * DATES
    return ColumnData(type, np.resize(np.array(some, dtype), count))


def summing(type: ColumnType, **more: Any) -> PreparedQuery:
    """The sums of ``x`` by date."""
    whole = type.kind in (Kind.NUMERIC, Kind.BIGINT)
    result = ColumnType(Kind.NUMERIC, 38, type.scale) if whole else ColumnType(Kind.BIGINT)
    fields: dict[str, Any] = {
        "group_by": ("date",),
        "aggregate": Aggregation("sum", "x", "sum", result),
    } | more
    output = a_schema(**dict.fromkeys(fields["group_by"], DATE), sum=result)
    return dataclasses.replace(QUERY, **fields, output=output)


def answer(table: Table, prepared: PreparedQuery) -> dict[str, list[Any]]:
    """The columns of an answer."""
    found = evaluate(table, prepared)
    return {name: python_values(column) for name, column in found.columns.items()}


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_they_add_up_to_what_the_rows_do(data: st.DataObject) -> None:
    """By date, over all dates, and over some of them, for any practices."""
    kind = data.draw(st.sampled_from([Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.NUMERIC]))
    of = ColumnType(kind, 18, 2) if kind is Kind.NUMERIC else ColumnType(kind)
    bits = data.draw(st.sampled_from([4, 15, 31, 40, 58]))
    bits = min(bits, {Kind.SMALLINT: 15, Kind.INTEGER: 31}.get(kind, 58))
    some = st.integers(-(1 << bits), (1 << bits) - 1)
    values = numbers(of, data.draw(st.lists(some, min_size=1, max_size=60)))
    partition = a_partition(values)
    assert partition.sums is not None
    scope = data.draw(
        st.sampled_from(
            [*[Scope((Box(frozenset({each}), ALL),)) for each in ("1", "é")], EVERYTHING]
        )
        | st.frozensets(st.sampled_from(["1", "10", "2", "é", "none"]), min_size=1).map(
            lambda some: Scope((Box(some, ALL),))
        )
    )
    pick = partition.pick(scope)
    if pick is None:
        return
    assert pick.practices is not None
    condition = Condition("date", "gte", (Span(30, 30),))
    prepared = summing(
        of,
        conditions=data.draw(st.sampled_from([(), (condition,)])),
        group_by=data.draw(st.sampled_from([("date",), ()])),
    )
    rows = Table(dict(partition.table(pick).columns), pick.rows)
    assert answer(partition.sums.table(pick.practices), prepared) == answer(rows, prepared)


def test_they_hold_on_to_nothing_of_others_and_nobody_can_write_to_them() -> None:
    """What is given of them has memory of its own, or of the dates that all have."""
    partition = a_partition(numbers(INTEGER, range(60)))
    pick = partition.pick(Scope((Box(frozenset({"1", "2"}), ALL),)))
    assert partition.sums is not None
    assert pick is not None
    assert pick.practices is not None
    found = evaluate(partition.sums.table(pick.practices), summing(INTEGER))
    for column in found.columns.values():
        assert column.values.base is None
        assert not column.values.flags.writeable
    assert partition.sums.table(pick.practices).factor("x") is None


@pytest.mark.parametrize(
    ("values", "more"),
    [
        (numbers(ColumnType(Kind.BIGINT), [1 << 62]), {}),
        (numbers(ColumnType(Kind.BIGINT), [-(1 << 62)]), {}),
        (numbers(ColumnType(Kind.NUMERIC, 18, 0), [10**18]), {}),
        (numbers(ColumnType(Kind.NUMERIC, 18, 0), [(1 << 63) - 1]), {}),  # NaN
        (a_column(ColumnType(Kind.DOUBLE), [1.0] * 60), {}),
        (a_column(INTEGER, [None, *range(59)]), {}),
        (ColumnData(DATE, np.arange(60, dtype=np.int32)), {}),
        (numbers(INTEGER, [1]), {"days": np.arange(60)}),
        (numbers(INTEGER, [1]), {"constants": ("x",)}),
        (ColumnData(INTEGER, np.arange(15, dtype=np.int32)), {"providers": ("1",)}),
    ],
)
def test_there_are_none_where_they_would_not_be_exact_or_not_worth_it(
    values: ColumnData, more: dict[str, Any]
) -> None:
    """Great numbers, NaN, floats, NULLs, days, dates of which some lack, few entries."""
    assert a_partition(values, **more).sums is None


def test_they_count_as_what_the_partition_takes() -> None:
    """So that the budget knows of them."""
    values = numbers(INTEGER, range(60))
    held_with, held_without = a_partition(values), a_partition(values, constants=("x",))
    assert held_with.sums is not None
    assert held_with.sums.size == 8 * len(PRACTICES) * DATES
    assert held_with.size >= held_without.size + held_with.sums.size


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"group_by": ()}, True),
        ({"conditions": (Condition("date", "is_null"),)}, True),
        ({"conditions": (Condition("x", "is_null"),)}, False),
        ({"group_by": ("practice",)}, False),
        ({"group_by": ("date", "practice")}, False),
        ({"aggregate": None, "group_by": ()}, False),
        ({"aggregate": Aggregation("avg", "x", "avg", INTEGER)}, False),
        ({"aggregate": Aggregation("sum", "y", "sum", INTEGER)}, False),
        ({"extent": Extent.IDS}, False),
    ],
)
def test_they_answer_sums_by_date_alone(changed: dict[str, Any], expected: bool) -> None:
    """Anything else tells the rows of a practice apart."""
    prepared = dataclasses.replace(summing(INTEGER), **changed)
    assert are_summed(prepared, ROLES) is expected
