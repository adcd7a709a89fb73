"""Decoded columns, made when they are asked for."""

import numpy as np
import pytest

from warmcube.model.columns import ColumnData, LazyColumns, Table
from warmcube.model.schema import ColumnType, Kind

NUMBERS = ColumnData(ColumnType(Kind.BIGINT), np.arange(5))
HOLED = ColumnData(ColumnType(Kind.BIGINT), np.arange(5), np.array([1, 0, 1, 0, 1], np.bool_))


def make_table(made: list[str]) -> Table:
    """Two columns that note when they are made."""

    def make(name: str) -> ColumnData:
        made.append(name)
        return {"a": NUMBERS, "b": HOLED}[name]

    return Table(LazyColumns(["a", "b"], make), 5)


def test_a_column_is_made_once_and_only_when_it_is_asked_for() -> None:
    """Its name, its place and how many there are don't take it."""
    made: list[str] = []
    columns = make_table(made).columns
    assert list(columns) == ["a", "b"]
    assert len(columns) == 2
    assert "a" in columns
    assert "c" not in columns
    with pytest.raises(KeyError):
        columns["c"]
    assert not made
    assert columns["b"] is columns["b"]
    assert made == ["b"]


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        (np.array([4, 0]), [4, 0]),
        (np.array([], np.int64), []),
        (np.array([False, True, True, False, False]), [1, 2]),
    ],
)
def test_taking_rows_and_columns_makes_nothing_yet(rows: np.ndarray, numbers: list[int]) -> None:
    """By position or by mask, NULLs included."""
    made: list[str] = []
    taken = make_table(made).take(rows).select(["b"])
    assert taken.rows == len(numbers)
    assert not made
    assert taken.columns["b"].values.tolist() == numbers
    assert taken.columns["b"].valid is not None
    assert taken.columns["b"].valid.tolist() == [number % 2 == 0 for number in numbers]
    assert made == ["b"]


def test_the_first_rows() -> None:
    """NULLs included."""
    first = HOLED.first(2)
    assert first.values.tolist() == [0, 1]
    assert first.valid is not None
    assert first.valid.tolist() == [True, False]
    assert NUMBERS.first(2).valid is None
