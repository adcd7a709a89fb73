"""Lists of values: immutable sequences that say where they come from."""

from __future__ import annotations

import numpy as np
import pytest

from warmcube import NULL
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Datasource, Kind, Roles
from warmcube.query.listing import MeasureName, Measures, Values
from warmcube.query.result import Meta, Result

META = Meta(origin="store", rows=9)


def values(*given: int | None) -> Values:
    """The values of an integer column."""
    valid = np.array([each is not None for each in given], np.bool_)
    numbers = np.array([each or 0 for each in given], np.int32)
    column = ColumnData(ColumnType(Kind.INTEGER), numbers, None if all(valid) else valid)
    count = ColumnData(ColumnType(Kind.BIGINT), np.ones(len(given), np.int64))
    return Values(Result(Table({"n": column, "count": count}, len(given)), META))


def test_values_are_a_sequence() -> None:
    """Equal to lists, tuples and themselves, hashable, sliceable, and not to be changed."""
    found = values(3, 5, 8)
    assert found == [3, 5, 8] == found
    assert found == (3, 5, 8)
    assert found == values(3, 5, 8)
    assert hash(found) == hash((3, 5, 8))
    assert found != [3, 5]
    assert found != "358"
    assert (len(found), found[0], found[-1], found[1:]) == (3, 3, 8, (5, 8))
    assert 5 in found
    assert list(reversed(found)) == [8, 5, 3]
    assert not hasattr(found, "append")
    with pytest.raises(AttributeError):
        found.other = 1  # type: ignore[attr-defined]


def test_null_is_told_apart() -> None:
    """It is no value, and counts for none."""
    assert not values(1).has_null
    found = values(1, None)
    assert found.has_null
    assert (list(found), found.meta.rows) == ([1], 1)
    assert found.result.rows() == [{"n": 1}]
    nothing = values(None)
    assert (list(nothing), nothing.has_null, nothing.meta.rows) == ([], True, 0)
    assert (list(values()), values().has_null) == ([], False)


def test_repr_shows_the_first() -> None:
    """And how many there are."""
    assert repr(values()) == "<Values: [] from the store>"
    assert repr(values(1, 2)) == "<Values: [1, 2] from the store>"
    assert repr(values(*range(7))) == "<Values: [0, 1, 2, 3, 4, … 7 in all] from the store>"


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (Roles(), [("A", "M"), (NULL, "M")]),
        (Roles(frequency=None), [("A", None), (NULL, None)]),
        (Roles(measure=None), [(None, "M"), (None, "M")]),
        (Roles(measure=None, frequency=None), [(None, None), (None, None)]),
    ],
)
def test_measures_are_named_as_a_query_names_them(
    roles: Roles, expected: list[tuple[object, object]]
) -> None:
    """NULL where it is NULL, None where there is no such column."""
    text = ColumnType(Kind.TEXT)
    table = Table(
        {
            "measure": ColumnData(text, np.array([0, 0]), np.array([True, False]), ["A"]),
            "frequency": ColumnData(text, np.array([0, 0]), None, ["M"]),
        },
        2,
    )
    datasource = Datasource(id=1, name="n", source="s", table="t", roles=roles)
    found = Measures(Result(table, META), datasource)
    assert found == expected
    assert found[0] == MeasureName(*expected[0])
    assert (found.meta, found.explanation) == (META, None)
