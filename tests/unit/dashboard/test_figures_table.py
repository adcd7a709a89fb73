"""Figures as a table: typed labels, exact numbers, no column twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from warmcube.dashboard.definition import Format
from warmcube.dashboard.figures import figures_table
from warmcube.dashboard.rendered import Facet, Label, RenderedChart, RenderedSeries
from warmcube.query.csvform import csv_header, csv_lines
from warmcube.query.result import Meta, Result


def series(name: str, *values: Any) -> RenderedSeries:
    """A row of figures."""
    return RenderedSeries(
        id=name,
        name=name,
        kind="measure",
        values=tuple(None if value is None else Decimal(value) for value in values),
        total=None,
        format=Format(),
    )


def labels(*keys: Any) -> tuple[Label, ...]:
    """Labels whose texts are their keys'."""
    return tuple(Label(key=key, text="no date" if key is None else str(key)) for key in keys)


def chart(*facets: Facet, column: str | None = "d") -> RenderedChart:
    """A chart of some pictures."""
    return RenderedChart(id="c", title="C", type="line", column=column, facets=facets)


def rows_of(found: RenderedChart) -> list[dict[str, Any]]:
    """What the table has."""
    return Result(figures_table(found), Meta(origin="store")).rows()


def test_dates_are_dates_and_numbers_exact() -> None:
    """With the scale of the longest, NaN and the infinities beside them."""
    facet = Facet(
        labels=labels(date(2024, 1, 1), date(2024, 2, 1)),
        series=(series("A", "1.5", "-2.25"), series("B", "NaN", "Infinity"), series("C", None, 7)),
    )
    first, second = rows_of(chart(facet))
    assert (first["d"], first["A"], first["C"]) == (date(2024, 1, 1), Decimal("1.50"), None)
    assert (second["d"], second["A"], second["C"]) == (date(2024, 2, 1), Decimal("-2.25"), 7)
    assert first["B"].is_nan()
    assert second["B"] == Decimal("Infinity")
    lowest = rows_of(chart(Facet(labels=labels("x"), series=(series("A", "-Infinity"),))))
    assert lowest == [{"d": "x", "A": Decimal("-Infinity")}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([7, None], [{"d": "7", "label": "7"}, {"d": None, "label": "rest"}]),
        ([datetime(2024, 1, 1)], [{"d": "2024-01-01 00:00:00"}]),  # noqa: DTZ001
        (["-infinity", date(2024, 1, 1)], [{"d": "-infinity"}, {"d": "2024-01-01"}]),
        ([], []),
    ],
)
def test_other_labels_are_texts(given: Sequence[Any], expected: list[dict[str, Any]]) -> None:
    """And one that isn't a value has its text in a column of its own."""
    found = tuple(
        Label(key=key, text="rest" if key is None else str(key), is_other=key is None)
        for key in given
    )
    assert rows_of(chart(Facet(labels=found, series=()))) == expected


def test_names_have_a_column_beside_their_values() -> None:
    """As it is shown, and as it is told apart."""
    facet = Facet(labels=(Label(key=101, text="North"),), series=(series("A", 1),))
    assert rows_of(chart(facet)) == [{"d": "101", "label": "North", "A": 1}]


def test_small_multiples_stand_one_below_the_other() -> None:
    """Each row says whose it is."""
    facets = [
        Facet(key=key, title=f"P{key}", labels=labels("x", "y"), series=(series("A", key, 2),))
        for key in (1, 3)
    ]
    assert rows_of(chart(*facets)) == [
        {"multiple": "P1", "d": "x", "A": 1},
        {"multiple": "P1", "d": "y", "A": 2},
        {"multiple": "P3", "d": "x", "A": 3},
        {"multiple": "P3", "d": "y", "A": 2},
    ]


def test_a_figure_without_labels_is_one_row() -> None:
    """And without pictures there is none."""
    facet = Facet(labels=(Label(key=None, text="Total"),), series=(series("A", 5),))
    assert rows_of(chart(facet, column=None)) == [{"A": 5}]
    assert rows_of(chart(column=None)) == []


def test_no_column_stands_twice() -> None:
    """Names that are alike are told apart, those of the labels too."""
    facet = Facet(labels=labels("x"), series=(series("A", 1), series("A", 2), series("d", 3)))
    assert rows_of(chart(facet)) == [{"d": "x", "A": 1, "A (2)": 2, "d (2)": 3}]


def test_spreadsheets_compute_no_names() -> None:
    """Neither labels nor the names of series."""
    facet = Facet(labels=labels("=1+1"), series=(series("@A", "-1.5"),))
    table = figures_table(chart(facet))
    text = csv_header(table.columns, spreadsheet=True) + csv_lines(table, spreadsheet=True)
    assert text == "d,'@A\r\n'=1+1,-1.5\r\n"
