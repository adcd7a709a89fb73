"""What a viewer gets of a dashboard as JSON: exact numbers as text, dates as ISO text. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import orjson

from warmcube.dashboard.definition import Format
from warmcube.dashboard.rendered import (
    DateRange,
    Dropped,
    Facet,
    RenderedChart,
    RenderedDashboard,
    RenderedSeries,
    RenderMeta,
    UniversalFilters,
)
from warmcube.errors import WarmcubeError
from warmcube.model.request import NULL, Filter, Order, Query

__all__ = [
    "Describe",
    "dropped_document",
    "filters_document",
    "plain",
    "query_document",
    "rendered_json",
]

Describe: TypeAlias = Callable[[WarmcubeError], Mapping[str, Any]]
"""Problem details of an error."""

_EXACT_DOUBLE: Final = (1 << 53) - 1
_WRITTEN_OUT: Final = 60
"""Digits before or behind the point; 1e999999999, which anybody can send, would be a gigabyte."""


def rendered_json(rendered: RenderedDashboard, describe: Describe) -> bytes:
    """A rendered dashboard as one JSON object.

    Args:
        rendered: the figures.
        describe: what is told of a chart's error.
    """
    return _dumps(
        {
            "id": rendered.id,
            "title": rendered.title,
            "description": rendered.description,
            "dates": _dates(rendered.dates),
            "filters": filters_document(rendered.filters),
            "dropped": dropped_document(rendered.dropped),
            "charts": [_chart(each, describe) for each in rendered.charts],
            "meta": {
                **_meta(rendered.meta),
                "charts": rendered.meta.charts,
                "queries": rendered.meta.queries,
            },
        }
    )


def _dumps(document: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(document)
    except TypeError:  # half of a surrogate pair in a name
        return json.dumps(document).encode()


def dropped_document(dropped: Iterable[Dropped]) -> list[dict[str, Any]]:
    """What of some filters doesn't hold."""
    return [
        {"filter": each.filter, "value": plain(each.value), "why": each.why} for each in dropped
    ]


def query_document(query: Query) -> dict[str, Any]:
    """A query as ``/api/query`` takes it; what is not given is left out."""
    found: dict[str, Any] = {}
    for each in fields(Query):
        value = getattr(query, each.name)
        if value is not None and not (value == () and each.default == ()):
            found[each.name] = _asked(value)
    return found


def _asked(value: Any) -> Any:
    if value is NULL:
        return {"null": True}
    if isinstance(value, Filter | Order):
        return {each.name: _asked(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_asked(each) for each in value]
    return plain(value)


def filters_document(filters: UniversalFilters) -> dict[str, Any]:
    """Filters as a request gives them."""
    return {
        "preset": filters.preset,
        "start": _day(filters.start),
        "end": _day(filters.end),
        "organization": filters.organization,
        "practices": _list(filters.practices),
        "providers": _list(filters.providers),
        "where": {column: _list(values) for column, values in filters.where.items()},
        "time_zone": filters.time_zone,
    }


def _list(values: tuple[Any, ...] | None) -> list[Any] | None:
    return None if values is None else [plain(each) for each in values]


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _dates(dates: DateRange) -> dict[str, Any]:
    return {"start": _day(dates.start), "end": _day(dates.end), "preset": dates.preset}


def _chart(chart: RenderedChart, describe: Describe) -> dict[str, Any]:
    change, progress = chart.change, chart.progress
    return {
        "id": chart.id,
        "title": chart.title,
        "description": chart.description,
        "type": chart.type,
        "format": _format(chart.format),
        "is_percent": chart.is_percent,
        "drill": {"dashboard": chart.drill.dashboard},
        "width": chart.width,
        "height": chart.height,
        "column": chart.column,
        "column_type": chart.column_type,
        "dates": _dates(chart.dates),
        "compared": None if chart.compared is None else _dates(chart.compared),
        "facets": [_facet(each) for each in chart.facets],
        "change": None
        if change is None
        else {
            "before": _number(change.before),
            "difference": _number(change.difference),
            "share": _number(change.share),
        },
        "progress": None
        if progress is None
        else {"target": _number(progress.target), "share": _number(progress.share)},
        "hidden": chart.hidden,
        "notes": chart.notes,
        "meta": _meta(chart.meta),
        "error": None if chart.error is None else describe(chart.error),
    }


def _facet(facet: Facet) -> dict[str, Any]:
    return {
        "key": plain(facet.key),
        "title": facet.title,
        "labels": [
            {"key": plain(label.key), "text": label.text, "is_other": label.is_other}
            for label in facet.labels
        ],
        "series": [_series(each) for each in facet.series],
    }


def _series(series: RenderedSeries) -> dict[str, Any]:
    return {
        "id": series.id,
        "name": series.name,
        "kind": series.kind,
        "values": [None if value is None else f"{value:f}" for value in series.values],
        "total": _number(series.total),
        "format": _format(series.format),
        "colour": series.colour,
        "axis": series.axis,
        "draw": series.draw,
        "of": series.of,
        "keys": None if series.keys is None else [plain(key) for key in series.keys],
        "split": plain(series.split),
    }


def _format(format: Format) -> dict[str, Any]:
    return {"kind": format.kind, "currency": format.currency, "decimals": format.decimals}


def _meta(meta: RenderMeta) -> dict[str, Any]:
    return {
        "origin": meta.origin,
        "snapshot": meta.snapshot,
        "as_of": None if meta.as_of is None else meta.as_of.isoformat(),
        "stale": meta.stale,
        "rows_fetched": meta.rows_fetched,
        "rows": meta.rows,
        "ms": round(meta.ms, 3),
    }


def _number(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:f}"


def plain(value: Any) -> Any:
    """A key or a filter's value in JSON; such a value comes back as a filter's."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_EXACT_DOUBLE <= value <= _EXACT_DOUBLE else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}" if abs(value.adjusted()) <= _WRITTEN_OUT else str(value)
    if isinstance(value, float | UUID):
        return str(value)
    return value
