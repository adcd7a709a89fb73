"""What is asked about values and measures, and what of it needn't be read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.columns import a_datasource, a_schema

from warmcube.entry.keys import PartitionName
from warmcube.errors import (
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    MissingRole,
    UnknownColumn,
)
from warmcube.model.request import NULL, Filter, Query
from warmcube.model.schema import ColumnType, Datasource, Kind, Schema
from warmcube.query.asked import Asked
from warmcube.query.conditions import Condition
from warmcube.query.distinct import partitions_table, prepare_asked
from warmcube.query.prepare import prepare
from warmcube.query.prepared import Aggregation, Extent, Limits, Ordering, PreparedQuery
from warmcube.query.values import Span

TEXT, INTEGER, BIGINT = ColumnType(Kind.TEXT), ColumnType(Kind.INTEGER), ColumnType(Kind.BIGINT)
SCHEMA = a_schema(
    kind=TEXT,
    m=TEXT,
    f=INTEGER,
    p=INTEGER,
    v=TEXT,
    day=ColumnType(Kind.DATE),
    count=INTEGER,
)
DATASOURCE = a_datasource(measure="m", frequency="f", practice="p", provider="v", date="day")
LIMITS = Limits(list=3, conditions=2)
COUNT = Aggregation("count", None, "count", BIGINT)


def asked(
    wanted: Any, column: Any = None, datasource: Datasource = DATASOURCE, **query: Any
) -> PreparedQuery:
    """What is made of it."""
    about = Asked(query=Query(datasource=1, **query), wanted=wanted, column=column)
    return prepare_asked(about, SCHEMA, datasource, LIMITS)


def test_rows_are_prepared_as_ever() -> None:
    """Only values and measures are another question."""
    query = Query(datasource=1, measure="a", frequency=1, where=[Filter("p", "gt", 5)], limit=2)
    expected = prepare(query, SCHEMA, DATASOURCE, LIMITS)
    assert prepare_asked(Asked(query=query), SCHEMA, DATASOURCE, LIMITS) == expected
    assert expected.extent is Extent.ROWS


def test_measures_are_partitions() -> None:
    """Measure and frequency of each, in their order; nothing has to be read."""
    assert asked("measures") == PreparedQuery(
        datasource=1,
        measure=None,
        frequency=None,
        conditions=(),
        dates=None,
        columns=("m", "f"),
        group_by=(),
        aggregate=None,
        order=(Ordering("m", descending=False), Ordering("f", descending=False)),
        limit=None,
        output=Schema((SCHEMA["m"], SCHEMA["f"])),
        limits=LIMITS,
        extent=Extent.PARTITIONS,
        fixed=(),
    )


@pytest.mark.parametrize(
    ("given", "fixed"),
    [
        ({"measure": "a"}, (("measure", "a"),)),
        ({"frequency": 5}, (("frequency", "5"),)),
        ({"measure": NULL, "frequency": "5"}, (("measure", None), ("frequency", "5"))),
        ({"measure": ""}, (("measure", ""),)),
    ],
)
def test_measures_may_be_narrowed_down(given: Any, fixed: Any) -> None:
    """To those of a measure, a frequency, or of none."""
    assert asked("measures", **given).fixed == fixed
    assert asked("values", "m", **given).fixed == fixed


def test_a_table_that_lacks_a_role_has_measures_by_the_other() -> None:
    """Or a single partition without a name."""
    found = asked("measures", datasource=a_datasource(measure="m"))
    assert (found.columns, found.output.names) == (("m",), ("m",))
    assert found.order == (Ordering("m", descending=False),)
    found = asked("measures", datasource=a_datasource(frequency="f"))
    assert (found.columns, found.output.names) == (("f",), ("f",))
    found = asked("measures", datasource=a_datasource())
    assert (found.columns, found.order, found.output) == ((), (), Schema(()))
    with pytest.raises(MissingRole, match="measure is given"):
        asked("measures", datasource=a_datasource(frequency="f"), measure="a")
    with pytest.raises(MissingRole, match="frequency is given"):
        asked("measures", datasource=a_datasource(measure="m"), frequency=5)


@pytest.mark.parametrize("column", ["m", "f"])
def test_values_of_measure_and_frequency_are_partitions_too(column: str) -> None:
    """Their values are counted over the partitions' names."""
    found = asked("values", column)
    assert (found.extent, found.columns, found.group_by) == (
        Extent.PARTITIONS,
        (column,),
        (column,),
    )
    assert found.aggregate == COUNT
    assert found.order == (Ordering(column, descending=False),)
    assert found.output == a_schema(**{column: SCHEMA[column].type, "count": BIGINT})
    assert found.limits is LIMITS


@pytest.mark.parametrize(
    "more",
    [
        {"start": "2024-01-01"},
        {"end": "2024-01-01"},
        {"where": [Filter("kind", "eq", "x")]},
    ],
)
@pytest.mark.parametrize("column", ["m", "p", "v", "kind"])
def test_what_hangs_on_rows_has_them_read(column: str, more: Any) -> None:
    """Under a condition or a date range, names and index sets don't tell."""
    found = asked("values", column, measure="a", frequency=1, **more)
    assert found.extent is Extent.ROWS
    assert (found.measure, found.frequency) == ("a", "1")
    assert len(found.conditions) == 1
    needed = {column, found.conditions[0].column}
    assert found.columns == tuple(name for name in SCHEMA.names if name in needed)
    assert found.output == a_schema(**{column: SCHEMA[column].type, "count": BIGINT})


@pytest.mark.parametrize(
    ("column", "extent"), [("p", Extent.IDS), ("v", Extent.IDS), ("kind", Extent.ROWS)]
)
def test_values_are_a_grouped_query(column: str, extent: Extent) -> None:
    """Each value with its number of rows, in order; practices and providers are in index sets."""
    found = asked(
        "values", column, measure="a", frequency=1, limit=5, order_by=["-kind"], aggregate="sum"
    )
    assert found == PreparedQuery(
        datasource=1,
        measure="a",
        frequency="1",
        conditions=(),
        dates=None,
        columns=(column,),
        group_by=(column,),
        aggregate=COUNT,
        order=(Ordering(column, descending=False),),
        limit=None,
        output=a_schema(**{column: SCHEMA[column].type, "count": BIGINT}),
        limits=LIMITS,
        extent=extent,
    )


def test_a_column_called_count() -> None:
    """The number of rows gives way to it."""
    found = asked("values", "count", measure="a", frequency=1)
    assert found.aggregate == Aggregation("count", None, "count_", BIGINT)
    assert found.output == a_schema(count=INTEGER, count_=BIGINT)


def test_a_measure_column_called_count() -> None:
    """Likewise where it needn't be read."""
    schema = a_schema(count=TEXT)
    found = prepare_asked(
        Asked(query=Query(datasource=1), wanted="values", column="count"),
        schema,
        a_datasource(measure="count"),
        LIMITS,
    )
    assert found.extent is Extent.PARTITIONS
    assert found.aggregate == Aggregation("count", None, "count_", BIGINT)
    assert found.output == a_schema(count=TEXT, count_=BIGINT)


def test_rows_are_counted_not_their_values() -> None:
    """A value column that holds NULLs, or none at all, makes no difference."""
    datasource = a_datasource(measure="m", frequency="f", value="count")
    found = asked("values", "kind", datasource, measure="a", frequency=1)
    assert (found.aggregate, found.columns) == (COUNT, ("kind",))


def test_conditions_are_kept() -> None:
    """As they are in any query."""
    found = asked("values", "kind", measure="a", frequency=1, where=[Filter("p", "gt", 5)])
    assert found.conditions == (Condition("p", "gt", (Span(5, 5),)),)


@pytest.mark.parametrize(
    ("wanted", "column", "query", "error"),
    [
        ("values", "gone", {"measure": "a", "frequency": 1}, UnknownColumn),
        ("values", None, {"measure": "a", "frequency": 1}, UnknownColumn),
        ("values", ["m"], {"measure": "a", "frequency": 1}, UnknownColumn),
        ("values", "kind", {}, InvalidQuery),
        ("values", "m", {"practices": [1, 2, 3, 4]}, LimitExceeded),
        ("values", "m", {"frequency": "x"}, InvalidFilter),
        ("measures", None, {"practices": [1, 2, 3, 4]}, LimitExceeded),
        ("measures", None, {"providers": "5"}, InvalidQuery),
        ("measures", None, {"measure": 5}, InvalidFilter),
        ("measures", None, {"frequency": "x"}, InvalidFilter),
    ],
)
def test_what_is_wrong_is_refused(
    wanted: Any, column: Any, query: Any, error: type[Exception]
) -> None:
    """Under the same rules as any query."""
    with pytest.raises(error) as caught:
        asked(wanted, column, **query)
    assert type(caught.value) is error


NAMES = [
    PartitionName("b", "1"),
    PartitionName(None, "1"),
    PartitionName("a", None),
    PartitionName("a", "2"),
]


def _rows(prepared: PreparedQuery, datasource: Datasource = DATASOURCE) -> list[tuple[Any, ...]]:
    """The rows of the partitions' table."""
    table = partitions_table(NAMES, prepared, datasource)
    columns = []
    for name in prepared.columns:
        column = table.columns[name]
        assert column.type == SCHEMA[name].type
        values: list[Any] = column.values.tolist()
        if column.dictionary is not None:
            values = [column.dictionary[code] for code in values]
        valid = np.ones(len(values), np.bool_) if column.valid is None else column.valid
        columns.append(
            [value if is_valid else None for value, is_valid in zip(values, valid, strict=True)]
        )
    assert table.rows == (len(columns[0]) if columns else len(NAMES))
    return list(zip(*columns, strict=True))


def test_partitions_as_a_table() -> None:
    """One row each, in the columns' types, NULL where a partition has no name."""
    assert _rows(asked("measures")) == [("b", 1), (None, 1), ("a", None), ("a", 2)]
    assert _rows(asked("values", "m")) == [("b",), (None,), ("a",), ("a",)]
    assert _rows(asked("values", "f")) == [(1,), (1,), (None,), (2,)]


def test_only_the_partitions_that_were_asked_for() -> None:
    """Those that fit everything that was given."""
    assert _rows(asked("measures", measure="a")) == [("a", None), ("a", 2)]
    assert _rows(asked("measures", measure=NULL)) == [(None, 1)]
    assert _rows(asked("measures", measure="a", frequency=2)) == [("a", 2)]
    assert _rows(asked("measures", measure="b", frequency=2)) == []
    assert _rows(asked("measures", datasource=a_datasource()), a_datasource()) == []
