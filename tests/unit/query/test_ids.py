"""What is known of entries' ids and dates changes how rows are grouped, and not what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.columns import a_schema

from warmcube.entry.codec import NULL_CODE
from warmcube.model.columns import ColumnData, Factor, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.query.evaluate import evaluate
from warmcube.query.factors import repeating_factor
from warmcube.query.ids import EntryIds, Role
from warmcube.query.prepared import Aggregation, Limits, PreparedQuery
from warmcube.query.pythonform import python_values

BIGINT = ColumnType(Kind.BIGINT)
INTEGER = ColumnType(Kind.INTEGER)
DATE = ColumnType(Kind.DATE)
TEXT = ColumnType(Kind.TEXT)

numbers = st.integers(-(1 << 63), (1 << 63) - 1)


def summed(table: Table, by: str, function: str) -> dict[object, object]:
    """An aggregate by one column."""
    kind = {"count": BIGINT, "min": BIGINT, "max": BIGINT}
    result = kind.get(function, ColumnType(Kind.NUMERIC, 38, 0))
    aggregation = Aggregation(function, "n", "found", result)
    query = PreparedQuery(
        datasource=1,
        measure="Charges",
        frequency="Monthly",
        conditions=(),
        dates=None,
        columns=(by, "n"),
        group_by=(by,),
        aggregate=aggregation,
        order=(),
        limit=None,
        output=a_schema(n=BIGINT),
        limits=Limits(),
    )
    found = evaluate(table, query)
    keys, values = (python_values(found.columns[name]) for name in (by, "found"))
    return dict(zip(keys, values, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize("function", ["sum", "avg", "count", "min", "max"])
def test_groups_are_those_of_the_columns(function: str, data: st.DataObject) -> None:
    """Of dates that repeat, and of ids that are told by the entry: with NULL values and without."""
    entries, size = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 4))
    rows = entries * size
    ids = data.draw(st.lists(st.integers(-3, 3), min_size=2 * entries, max_size=2 * entries))
    days = data.draw(st.lists(st.integers(-9, 9), min_size=size, max_size=size, unique=True))
    values = data.draw(st.lists(numbers, min_size=rows, max_size=rows))
    marks = data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    valid = None if all(marks) else np.array(marks)
    of_entries = EntryIds(np.array(ids, "<i8").tobytes())
    practice = of_entries.column("practice", np.full(entries, size), INTEGER)
    provider = of_entries.column("provider", np.full(entries, size), INTEGER)
    assert practice is not None
    assert provider is not None
    assert practice.values.tolist() == np.repeat(ids[::2], size).tolist()
    assert provider.values.tolist() == np.repeat(ids[1::2], size).tolist()
    dates = ColumnData(DATE, np.tile(np.array(sorted(days), np.int32), entries))
    plain = Table(
        {
            "practice": practice,
            "provider": provider,
            "date": dates,
            "n": ColumnData(BIGINT, np.array(values, np.int64), valid),
        },
        rows,
    )

    def factor(name: str) -> Factor | None:
        if name == "date":
            return repeating_factor(dates, size)
        role: Role = "practice" if name == "practice" else "provider"
        return of_entries.factor(role, size, INTEGER)

    known = plain._replace(factors=factor)
    some = np.array(data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    for by in ("practice", "provider", "date"):
        for _ in range(2):  # what was made for the first is used for the second
            assert summed(known, by, function) == summed(plain, by, function)
        assert summed(known.take(some), by, function) == summed(plain.take(some), by, function)


def test_ids_that_may_be_null_or_are_text_are_left_to_the_members() -> None:
    """The least bigint stands for NULL, and may be an id; texts are known by a hash only."""
    of_null = EntryIds(np.array([1, NULL_CODE], "<i8").tobytes())
    assert of_null.column("provider", np.ones(1, np.int64), BIGINT) is None
    assert of_null.factor("provider", 1, BIGINT) is None
    assert of_null.column("practice", np.ones(1, np.int64), BIGINT) is not None
    assert of_null.column("practice", np.ones(1, np.int64), TEXT) is None
    assert EntryIds(b"").factor("practice", 1, INTEGER) is None


@pytest.mark.parametrize(
    ("values", "size"), [([1, 2, 1, 3], 2), ([2, 1, 2, 1], 2), ([1, 1], 2), ([1, 2], 0), ([], 2)]
)
def test_other_dates_have_no_repeating_factor(values: list[int], size: int) -> None:
    """Those that differ between entries, that don't ascend, or that come twice."""
    assert repeating_factor(ColumnData(DATE, np.array(values, np.int32)), size) is None
    nulls = ColumnData(DATE, np.array([1, 2], np.int32), np.array([True, False]))
    assert repeating_factor(nulls, 2) is None
