"""Which queries practice-level sums answer, and how they are joined with rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from warmcube.entry.codec import Block
from warmcube.entry.keys import Keys, PartitionName, Version
from warmcube.entry.layout import Field, Layout
from warmcube.entry.manifest import Partition
from warmcube.entry.sums import sums_form
from warmcube.model.columns import ColumnData, Table
from warmcube.model.request import AGGREGATES
from warmcube.model.schema import Column, ColumnType, Kind, Roles, Schema
from warmcube.model.scope import ALL, NOTHING, Box, Scope
from warmcube.query.conditions import Condition
from warmcube.query.lookup import Target
from warmcube.query.plan import LONG_SET, plan_lookup
from warmcube.query.prepared import Aggregation, Extent, Limits, PreparedQuery
from warmcube.query.sums import SumsPlan, are_enough, join_rows, pick, plan_sums, practices_of

VERSION = Version(7, "00000000000000ff")
ROLES = Roles()
MONEY = ColumnType(Kind.NUMERIC, 14, 2)
SCHEMA = Schema(
    (
        Column("measure", ColumnType(Kind.TEXT)),
        Column("practice_uid", ColumnType(Kind.TEXT)),
        Column("provider_uid", ColumnType(Kind.INTEGER)),
        Column("frequency", ColumnType(Kind.TEXT)),
        Column("date_index", ColumnType(Kind.DATE)),
        Column("measure_value", MONEY),
        Column("note", ColumnType(Kind.TEXT)),
    )
)
LAYOUT = Layout(
    (
        Field("date_index", ColumnType(Kind.DATE), nullable=True),
        Field("measure_value", MONEY, nullable=True),
    )
)
NAME = PartitionName("m", "f")
SOME = Scope((Box(frozenset({"a", "b"}), ALL),))
EVERYTHING = Scope((Box(ALL, ALL),))


def asked(
    function: str | None = "sum",
    *,
    group_by: tuple[str, ...] = ("date_index",),
    conditions: tuple[str, ...] = (),
    column: str | None = "measure_value",
    extent: Extent = Extent.ROWS,
) -> PreparedQuery:
    """A checked query, as far as it matters here."""
    aggregate = None if function is None else Aggregation(function, column, function, MONEY)
    needed = {*group_by, *conditions, *(() if column is None else (column,))}
    return PreparedQuery(
        datasource=1,
        measure="m",
        frequency="f",
        conditions=tuple(Condition(name, "is_null") for name in conditions),
        dates=None,
        columns=tuple(name for name in SCHEMA.names if name in needed),
        group_by=group_by,
        aggregate=aggregate,
        order=(),
        limit=None,
        output=SCHEMA,
        limits=Limits(),
        extent=extent,
    )


@pytest.mark.parametrize("function", AGGREGATES)
@pytest.mark.parametrize(
    "group_by",
    [(), ("date_index",), ("practice_uid", "date_index"), ("measure", "frequency")],
)
def test_sums_tell_what_is_asked_of_whole_practices(
    function: str, group_by: tuple[str, ...]
) -> None:
    """Every aggregate, grouped and filtered by what a whole practice has in common, and by date."""
    assert are_enough(asked(function, group_by=group_by), ROLES)
    assert are_enough(asked(function, group_by=group_by, conditions=("date_index",)), ROLES)
    assert are_enough(asked(function, group_by=group_by, conditions=("practice_uid",)), ROLES)


@pytest.mark.parametrize(
    "query",
    [
        asked(None),
        asked(group_by=("provider_uid",)),
        asked(group_by=("date_index", "note")),
        asked(group_by=("measure_value",)),
        asked(conditions=("provider_uid",)),
        asked(conditions=("date_index", "note")),
        asked(conditions=("measure_value",)),
        asked("min", column="note"),
        asked("count", column=None),
        asked(extent=Extent.IDS),
    ],
)
def test_sums_tell_nothing_that_differs_within_a_practice(query: PreparedQuery) -> None:
    """Rows, providers, other columns, and the value itself as a condition are in entries alone."""
    assert not are_enough(query, ROLES)


def test_rows_are_counted_where_there_is_no_value_column() -> None:
    """Then the count in sums is that of rows, and nothing else is asked for."""
    assert are_enough(asked("count", column=None), Roles(value=None))


def test_sums_are_for_scopes_of_whole_practices() -> None:
    """A box with any limit on providers makes it another kind of scope."""
    mine = Box(frozenset({"a"}), ALL)
    assert practices_of(SOME) == frozenset({"a", "b"})
    assert practices_of(Scope((mine, Box(frozenset({"c"}), ALL)))) == frozenset({"a", "c"})
    assert practices_of(Scope((mine, Box(ALL, ALL)))) is ALL
    assert practices_of(EVERYTHING) is ALL
    assert practices_of(NOTHING) == frozenset()
    for other in (Box(ALL, frozenset({"1"})), Box(frozenset({"a"}), frozenset({"1"}))):
        assert practices_of(Scope((other,))) is None
        assert practices_of(Scope((mine, other))) is None
        assert practices_of(Scope((other, Box(ALL, ALL)))) is None


def partition(**more: Any) -> Partition:
    """One that has sums of everything."""
    facts: dict[str, Any] = {
        "version": VERSION,
        "layout": 0,
        "entries": 10,
        "rows": 100,
        "practices": 2,
        "providers": 5,
        "largest_practice": 5,
        "largest_provider": 2,
        "entry_bytes": 1000,
        "index_bytes": 100,
        "sums": 2,
        "has_whole_sums": True,
        "sums_bytes": 100,
        "earliest": None,
        "latest": None,
        "largest": {},
        "as_of_ms": 0,
    }
    return Partition(**(facts | more))


def planned(
    query: PreparedQuery, scope: Scope, layout: Layout = LAYOUT, **more: Any
) -> SumsPlan | None:
    """What is planned on such a partition."""
    found = partition(**more)
    own = Keys("", 1).partition(NAME, str(VERSION))
    target = Target(own, found, plan_lookup(scope, found))
    return plan_sums(query, scope, NAME, target, sums_form(layout, ROLES), ROLES)


def test_named_practices_are_asked_for_by_name() -> None:
    """Their keys follow from their names."""
    plan = planned(asked(), SOME)
    assert plan is not None
    assert (plan.practices, plan.whole) == ({b"p:a": "a", b"p:b": "b"}, False)


def test_everything_is_one_value_unless_practices_are_told_apart() -> None:
    """Then all of them are listed first, where that isn't a long list."""
    apart = asked(group_by=("practice_uid",))
    plan = planned(asked(), EVERYTHING)
    assert plan is not None
    assert (plan.practices, plan.whole) == (None, True)
    plan = planned(apart, EVERYTHING)
    assert plan is not None
    assert (plan.practices, plan.whole) == (None, False)
    assert planned(apart, EVERYTHING, practices=LONG_SET) is None
    assert planned(apart, EVERYTHING, sums=0) is None
    assert planned(asked(), EVERYTHING, has_whole_sums=False) is None
    assert planned(asked(), EVERYTHING, sums=0) is not None


def test_without_sums_entries_are_read() -> None:
    """Where none were written, or none of such a table."""
    assert planned(asked(), SOME, sums=0) is None
    assert planned(asked(), SOME, sums=0, has_whole_sums=False) is None
    floats = Field("measure_value", ColumnType(Kind.DOUBLE), nullable=False)
    assert planned(asked(), SOME, Layout((LAYOUT.fields[0], floats))) is None
    assert planned(asked(), Scope((Box(frozenset({"a"}), frozenset({"1"})),))) is None
    assert planned(asked(group_by=("note",)), SOME) is None


FORM = sums_form(LAYOUT, ROLES)


@pytest.mark.parametrize("is_even", [True, False])
def test_practices_are_picked_out_of_several(*, is_even: bool) -> None:
    """Whether their records lie apart or behind one another."""
    assert FORM is not None
    rows_of = [2, 2, 2] if is_even else [1, 2, 3]
    records = np.zeros(6, FORM.layout.dtype)
    records["c1"] = range(6)
    shaped = records.reshape(3, 2) if is_even else records
    block = Block(FORM.layout, shaped, np.array(rows_of), ())
    assert pick(block, [0, 1, 2]) is block
    picked = pick(block, [0, 2])
    assert picked.raw(1).tolist() == ([0, 1, 4, 5] if is_even else [0, 3, 4, 5])
    assert picked.rows_of.tolist() == ([2, 2] if is_even else [1, 3])
    assert pick(block, []).rows == 0


def test_rows_count_once_beside_sums() -> None:
    """A row of a practice without sums stands for its value, or for none; text practices keep the
    order that their entries have in the store.
    """
    assert FORM is not None
    plan = planned(asked(group_by=("practice_uid",)), SOME)
    assert plan is not None

    def column(texts: list[str], codes: list[int]) -> ColumnData:
        return ColumnData(ColumnType(Kind.TEXT), np.array(codes), None, texts)

    sums = Table(
        {
            "practice_uid": column(["a", "c"], [0, 1, 1]),
            "measure_value": ColumnData(ColumnType(Kind.NUMERIC, 18, 2), np.array([5, 6, 7])),
        },
        3,
    )
    rows = Table(
        {
            "practice_uid": column(["b", "a b", "z"], [0, 1]),
            "measure_value": ColumnData(MONEY, np.array([8, 0]), np.array([True, False])),
        },
        2,
    )
    joined, counts = join_rows(plan, sums, np.array([2, 0, 3]), rows)
    assert counts.tolist() == [2, 0, 3, 1, 0]
    practices = joined.columns["practice_uid"]
    assert practices.dictionary is not None
    assert [practices.dictionary[code] for code in practices.values] == ["a", "c", "c", "b", "a b"]
    assert list(practices.dictionary) == ["a b", "a", "b", "c", "z"]  # "a%20b:" is before "a:"
    values = joined.columns["measure_value"]
    assert values.values.tolist() == [5, 6, 7, 8, 0]
    assert values.valid is not None
    assert values.valid.tolist() == [True, True, True, True, False]
