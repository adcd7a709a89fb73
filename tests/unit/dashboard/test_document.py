"""What goes out as JSON: exact numbers, keys that come back as filters, and any text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from warmcube import NULL, Filter, Query
from warmcube.dashboard.definition import DateRange, Drill, Format
from warmcube.dashboard.document import plain, query_document, rendered_json
from warmcube.dashboard.rendered import (
    Change,
    Dropped,
    Facet,
    Label,
    Progress,
    RenderedChart,
    RenderedDashboard,
    RenderedSeries,
    RenderMeta,
    UniversalFilters,
)
from warmcube.errors import InvalidQuery
from warmcube.model.request import Order
from warmcube.query.parse import query_from_dict

META = RenderMeta(
    origin="store",
    snapshot="7-abc",
    as_of=datetime(2026, 3, 1, 12, tzinfo=UTC),
    rows_fetched=10,
    rows=2,
    ms=1.23456,
)
META_JSON = {
    "origin": "store",
    "snapshot": "7-abc",
    "as_of": "2026-03-01T12:00:00+00:00",
    "stale": False,
    "rows_fetched": 10,
    "rows": 2,
    "ms": 1.235,
}


def rendered(title: str = "Title") -> RenderedDashboard:
    """A dashboard of two charts, of which one is broken."""
    series = RenderedSeries(
        id="s",
        name="S",
        kind="comparison",
        values=(Decimal("1E+3"), None, Decimal("-0.50")),
        total=Decimal("999.5"),
        format=Format(kind="currency", currency="EUR", decimals=2),
        colour="#336699",
        of="x",
        keys=(date(2024, 1, 1), None, "infinity"),
        split=UUID(int=1),
    )
    facet = Facet(
        key=Decimal("1.50"),
        title="F",
        labels=(Label(key=2**60, text="big"), Label(key=None, text="rest", is_other=True)),
        series=(series,),
    )
    whole = RenderedChart(
        id="a",
        title=title,
        type="number",
        drill=Drill(dashboard="d"),
        column="c",
        column_type="integer",
        compared=DateRange(start=date(2023, 1, 1)),
        facets=(facet,),
        change=Change(before=None, difference=Decimal(1), share=None),
        progress=Progress(target=Decimal(2), share=Decimal("0.5")),
        hidden=3,
        notes=("a note",),
        meta=META,
    )
    broken = RenderedChart(id="b", title="B", type="line", error=InvalidQuery("wrong"))
    return RenderedDashboard(
        id="x",
        title="X",
        description=None,
        dates=DateRange(start=date(2024, 1, 1), preset="p"),
        filters=UniversalFilters(
            start=date(2024, 1, 1), practices=(1, "2"), where={"r": ("Bay", None)}
        ),
        dropped=(Dropped(filter="practices", value=3, why="because"),),
        charts=(whole, broken),
        meta=META,
    )


def told(dashboard: RenderedDashboard) -> Any:
    """Its document."""
    return json.loads(rendered_json(dashboard, lambda error: {"detail": str(error)}))


def test_the_whole_document() -> None:
    """Every field, in JSON's forms."""
    document = told(rendered())
    charts = document.pop("charts")
    assert document == {
        "id": "x",
        "title": "X",
        "description": None,
        "dates": {"start": "2024-01-01", "end": None, "preset": "p"},
        "filters": {
            "preset": None,
            "start": "2024-01-01",
            "end": None,
            "organization": None,
            "practices": [1, "2"],
            "providers": None,
            "where": {"r": ["Bay", None]},
            "time_zone": None,
        },
        "dropped": [{"filter": "practices", "value": 3, "why": "because"}],
        "meta": {**META_JSON, "charts": None, "queries": None},
    }
    whole, broken = charts
    assert whole == {
        "id": "a",
        "title": "Title",
        "description": None,
        "type": "number",
        "format": {"kind": "number", "currency": None, "decimals": None},
        "is_percent": False,
        "drill": {"dashboard": "d"},
        "width": 6,
        "height": 2,
        "column": "c",
        "column_type": "integer",
        "dates": {"start": None, "end": None, "preset": None},
        "compared": {"start": "2023-01-01", "end": None, "preset": None},
        "facets": [
            {
                "key": "1.50",
                "title": "F",
                "labels": [
                    {"key": str(2**60), "text": "big", "is_other": False},
                    {"key": None, "text": "rest", "is_other": True},
                ],
                "series": [
                    {
                        "id": "s",
                        "name": "S",
                        "kind": "comparison",
                        "values": ["1000", None, "-0.50"],
                        "total": "999.5",
                        "format": {"kind": "currency", "currency": "EUR", "decimals": 2},
                        "colour": "#336699",
                        "axis": "left",
                        "draw": None,
                        "of": "x",
                        "keys": ["2024-01-01", None, "infinity"],
                        "split": str(UUID(int=1)),
                    }
                ],
            }
        ],
        "change": {"before": None, "difference": "1", "share": None},
        "progress": {"target": "2", "share": "0.5"},
        "hidden": 3,
        "notes": ["a note"],
        "meta": META_JSON,
        "error": None,
    }
    assert (broken["error"], broken["facets"], broken["change"]) == ({"detail": "wrong"}, [], None)


def test_any_text_can_be_told() -> None:
    """Half of a surrogate pair too, which UTF-8 can't hold."""
    assert told(rendered("\ud800"))["charts"][0]["title"] == "\ud800"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (-(2**53), str(-(2**53))),
        (1.5, "1.5"),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
        ("x", "x"),
    ],
)
def test_keys(value: Any, expected: Any) -> None:
    """In a form that a filter reads as the same value."""
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_a_query_comes_back_from_its_document() -> None:
    """What ``/api/query`` reads is what was asked."""
    query = Query(
        datasource=1,
        measure=NULL,
        frequency="Monthly",
        practices=[],
        start=date(2024, 1, 1),
        where=[Filter("r", "in", ["Bay", NULL]), Filter("r", "not_null")],
        order_by=["-x", Order("y", descending=True)],
        limit=5,
    )
    again = query_from_dict(json.loads(json.dumps(query_document(query))))
    assert again == Query(
        datasource=1,
        measure=NULL,
        frequency="Monthly",
        practices=[],
        start="2024-01-01",
        where=[Filter("r", "in", ["Bay", NULL]), Filter("r", "not_null")],
        order_by=["-x", Order("y", descending=True)],
        limit=5,
    )


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("1E+60", "1" + "0" * 60),
        ("-1.5E-60", "-0." + "0" * 59 + "15"),
        ("1E+999999999", "1E+999999999"),
        ("-2E-999999999", "-2E-999999999"),
        ("0E-999999999", "0E-999999999"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_a_few_letters_never_become_a_gigabyte(number: str, written: str) -> None:
    """What a request writes short is told short; figures of a table are written out."""
    assert plain(Decimal(number)) == written
