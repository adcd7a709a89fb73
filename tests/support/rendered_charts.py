"""Rendered charts as the service tells of them, made up: what the demo's data don't have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["chart_json", "facet_json", "series_json"]

_META = {
    "origin": "resident",
    "snapshot": "1-0",
    "as_of": "2026-01-01T00:00:00+00:00",
    "stale": False,
    "rows_fetched": 1,
    "rows": 1,
    "ms": 0.1,
}
_FORMAT = {"kind": "number", "currency": None, "decimals": None}


def series_json(values: Sequence[str | None], name: str = "Charges", **more: Any) -> dict[str, Any]:
    """One series."""
    return {
        "id": "charges",
        "name": name,
        "kind": "measure",
        "values": list(values),
        "total": None,
        "format": _FORMAT,
        "colour": None,
        "axis": "left",
        "draw": None,
        "of": None,
        "keys": None,
        "split": None,
        **more,
    }


def facet_json(
    labels: Sequence[str | None], *series: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """One picture; a label of None is one for rows without a value."""
    told = [
        {"key": each, "text": "no value" if each is None else each, "is_other": False}
        for each in labels
    ]
    return {"key": None, "title": None, "labels": told, "series": list(series), **more}


def chart_json(type: str, *facets: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One chart, over text unless said otherwise."""
    return {
        "id": "payments-by-month",
        "title": "Chart",
        "description": None,
        "type": type,
        "format": _FORMAT,
        "is_percent": False,
        "drill": {"dashboard": None},
        "width": 6,
        "height": 2,
        "column": "region",
        "column_type": "text",
        "dates": {"start": None, "end": None, "preset": None},
        "compared": None,
        "facets": list(facets),
        "change": None,
        "progress": None,
        "hidden": 0,
        "notes": [],
        "meta": _META,
        "error": None,
        **more,
    }
