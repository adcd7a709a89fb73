"""Answers put into cells: keys of every type, in their order, with their texts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.support.columns import MONEY, a_column

from warmcube.dashboard.amounts import Amount
from warmcube.dashboard.cells import OTHER, Cell, Values, key_text, read_cells, regroup
from warmcube.dashboard.plan import Axis
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind

BERLIN = ZoneInfo("Europe/Berlin")
U1, U2 = UUID(int=1), UUID(int=2)
WINTER, SUMMER = datetime(2024, 1, 31, 23, tzinfo=UTC), datetime(2024, 5, 31, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values", "ordered", "texts"),
    [
        (Kind.INTEGER, [3, None, -1], [-1, 3, None], ["-1", "3", "no x y"]),
        (Kind.TEXT, ["b", "", None, "B"], ["", "B", "b", None], ["", "B", "b", "no x y"]),
        (Kind.BOOLEAN, [True, False], [False, True], ["false", "true"]),
        (Kind.UUID, [U2, U1], [U1, U2], [str(U1), str(U2)]),
        (
            Kind.DATE,
            [date(2024, 2, 1), None, date(2023, 1, 1)],
            [date(2023, 1, 1), date(2024, 2, 1), None],
            ["2023-01-01", "2024-02-01", "no date"],
        ),
        (Kind.DOUBLE, [0.5, float("nan"), -2.0], [-2.0, 0.5, "NaN"], ["-2.0", "0.5", "NaN"]),
        (
            Kind.TIMESTAMP,
            [datetime(2024, 1, 2, 3)],  # noqa: DTZ001
            [datetime(2024, 1, 2, 3)],  # noqa: DTZ001
            ["2024-01-02 03:00:00"],
        ),
        (
            Kind.TIMESTAMPTZ,
            [SUMMER, WINTER],
            [WINTER, SUMMER],
            ["2024-02-01", "2024-06-01 00:30:00+02:00"],
        ),
    ],
)
def test_keys_of_every_type(
    kind: Kind, values: list[Any], ordered: list[Any], texts: list[str]
) -> None:
    """Ascending, NULL last; instants by the data source's clock, midnights as days."""
    axis = Values(Axis("x_y", ColumnType(kind), None), BERLIN)
    table = Table({"x_y": a_column(ColumnType(kind), values)}, len(values))
    axis.read(table)
    assert axis.ordered == ordered
    assert [axis.text(key) for key in axis.ordered] == texts


def test_several_answers_share_an_axis() -> None:
    """Its values are those of all, whatever else each of them has."""
    axis = Values(Axis("x", MONEY, None), BERLIN)
    for values in ([Decimal("2.50"), Decimal("1.25")], [Decimal("NaN"), Decimal("1.25")], [None]):
        axis.read(Table({"x": a_column(MONEY, values)}, len(values)))
    assert axis.ordered == [Decimal("1.25"), Decimal("2.50"), "NaN", None]
    assert axis.text(Decimal("2.50")) == "2.50"


def test_a_chart_without_an_axis_has_one_value() -> None:
    """Which stands for all rows."""
    axis = Values(None, BERLIN)
    assert (axis.read(Table({}, 2)), axis.ordered, axis.text(None)) == (
        [None, None],
        [None],
        "Total",
    )


def test_of_several_names_the_first_by_code_point_is_shown() -> None:
    """Whatever comes first; a NULL is no name."""
    axis = Values(Axis("x", ColumnType(Kind.INTEGER), "n"), BERLIN)
    for names in (["Zed", None, "Abe"], ["Bob", "Cy", None]):
        keys = a_column(ColumnType(Kind.INTEGER), [1, 2, None])
        axis.read(Table({"x": keys, "n": a_column(ColumnType(Kind.TEXT), names)}, 3))
    assert [axis.text(key) for key in (1, 2, None)] == ["Bob", "Cy", "no x"]


def test_reals_are_the_shortest_decimals() -> None:
    """And not what a double makes of them, as values and as labels."""
    column = ColumnData(
        ColumnType(Kind.REAL), np.array([0.1, 7], np.float32), np.array([True, False])
    )
    axes = (Values(None, BERLIN), Values(None, BERLIN), Values(None, BERLIN))
    cells = read_cells("min", [Table({"min": column}, 2)], axes)
    assert cells == {Cell(None, None, None): Amount(0.1)}
    labels = Values(Axis("x", ColumnType(Kind.REAL), None), BERLIN)
    assert labels.read(Table({"x": column}, 2)) == [0.1, None]
    whole = ColumnData(ColumnType(Kind.REAL), np.array([0.1], np.float32))
    assert read_cells("max", [Table({"max": whole}, 1)], axes) == {
        Cell(None, None, None): Amount(0.1)
    }


def test_sums_and_averages_of_reals_are_made_of_averages() -> None:
    """Which are doubles; a group without values has none."""
    averages = ColumnData(ColumnType(Kind.DOUBLE), np.array([1.5, 0]), np.array([True, False]))
    counts = ColumnData(ColumnType(Kind.BIGINT), np.array([4, 0]))
    axes = (Values(None, BERLIN), Values(None, BERLIN), Values(None, BERLIN))
    tables = [Table({"avg": averages}, 2), Table({"count": counts}, 2)]
    for aggregate in ("sum", "avg"):
        cells = read_cells(aggregate, tables, axes)
        assert cells == {Cell(None, None, None): Amount(6.0, 4)}


def test_cells_become_others() -> None:
    """Several that become one are put together."""
    cells = {
        Cell(None, None, key): Amount(number) for key, number in (("a", 1), ("b", 2), ("c", 4))
    }

    def new(cell: Cell) -> Cell:
        return cell if cell.label == "a" else cell._replace(label=OTHER)

    assert regroup("sum", cells, new) == {
        Cell(None, None, "a"): Amount(1),
        Cell(None, None, OTHER): Amount(6),
    }


def test_dates_beyond_the_calendar_are_texts() -> None:
    """In their place, before and after all others."""
    column = ColumnData(
        ColumnType(Kind.DATE), np.array([2**31 - 1, 0, -(2**31), -800_000], np.int32)
    )
    axis = Values(Axis("d", ColumnType(Kind.DATE), None), BERLIN)
    axis.read(Table({"d": column}, 4))
    assert [axis.text(key) for key in axis.ordered] == [
        "-infinity",
        "0222-09-04 BC",
        "1970-01-01",
        "infinity",
    ]


@pytest.mark.parametrize(
    ("key", "text"), [(True, "true"), (Decimal("1E+3"), "1000"), (1.5, "1.5"), ("x", "x")]
)
def test_texts_of_keys(key: Any, text: str) -> None:
    """As one would write them."""
    assert key_text(key) == text
