"""What the document says of ``/api/dashboards`` and of rendering."""

from __future__ import annotations

from typing import Final

from warmcube.service.documents.query import ANSWER, FORM
from warmcube.service.documents.shapes import (
    PROBLEM,
    Schema,
    body_of,
    closed,
    json_answer,
    list_of,
    operation,
    or_null,
    schema_object,
)
from warmcube.service.forms import MEDIA_TYPES

__all__ = ["DASHBOARD", "DASHBOARDS", "DATA", "FILTERS", "RENDER", "ROWS", "SNAPSHOT"]

_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_OPTIONAL: Final = or_null(_TEXT)
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_DAY: Final = or_null({"type": "string", "format": "date"})
_ID: Final[Schema] = {"anyOf": [_NAME, {"type": "integer"}]}
_NUMBER: Final = or_null({"type": "string", "description": "an exact decimal"})
_KEY: Final[Schema] = {"description": "a value of the column; null for none"}

FILTERS: Final = schema_object(
    {
        "preset": or_null({**_NAME, "description": "of dates; null for the dashboard's own"}),
        "start": _DAY,
        "end": _DAY,
        "organization": or_null(_NAME),
        "practices": or_null(list_of(_ID)),
        "providers": or_null(list_of(_ID)),
        "where": or_null(
            {
                "type": "object",
                "additionalProperties": {
                    "type": "array",
                    "description": "the values that the column may have; null for rows without",
                },
            }
        ),
        "time_zone": or_null(_NAME),
    }
)

_DATES: Final = closed(start=_DAY, end=_DAY, preset=_OPTIONAL)
_FORMAT: Final = closed(kind=_TEXT, currency=_OPTIONAL, decimals=or_null(_COUNT))
_META_FIELDS: Final = {
    "origin": or_null({"type": "string", "enum": ["store", "resident", "database"]}),
    "snapshot": _OPTIONAL,
    "as_of": or_null({"type": "string", "format": "date-time"}),
    "stale": {"type": "boolean"},
    "rows_fetched": _COUNT,
    "rows": _COUNT,
    "ms": {"type": "number"},
}
_SERIES: Final = closed(
    id=_TEXT,
    name=_TEXT,
    kind={"type": "string", "enum": ["measure", "comparison", "calculation"]},
    values=list_of(_NUMBER),
    total=_NUMBER,
    format=_FORMAT,
    colour=_OPTIONAL,
    axis={"type": "string", "enum": ["left", "right"]},
    draw=or_null({"type": "string", "enum": ["line", "bar", "area"]}),
    of=_OPTIONAL,
    keys=or_null(list_of(_KEY)),
    split=_KEY,
)
_FACET: Final = closed(
    key=_KEY,
    title=_OPTIONAL,
    labels=list_of(closed(key=_KEY, text=_TEXT, is_other={"type": "boolean"})),
    series=list_of(_SERIES),
)
_CHART: Final = closed(
    id=_TEXT,
    title=_TEXT,
    description=_OPTIONAL,
    type=_TEXT,
    format=_FORMAT,
    is_percent={"type": "boolean"},
    drill=closed(dashboard=_OPTIONAL),
    width=_COUNT,
    height=_COUNT,
    column=_OPTIONAL,
    column_type=_OPTIONAL,
    dates=_DATES,
    compared=or_null(_DATES),
    facets=list_of(_FACET),
    change=or_null(closed(before=_NUMBER, difference=_NUMBER, share=_NUMBER)),
    progress=or_null(closed(target=_NUMBER, share=_NUMBER)),
    hidden=_COUNT,
    notes=list_of(_TEXT),
    meta=closed(**_META_FIELDS),
    error=or_null(PROBLEM),
)

_DROPPED: Final = closed(filter=_TEXT, value=_KEY, why=_TEXT)

DASHBOARDS: Final = operation(
    "The dashboards that the caller may see",
    answers=json_answer(
        "Those whose data source the caller may read, and whose roles they have.",
        closed(
            dashboards=list_of(
                closed(
                    id=_TEXT,
                    title=_TEXT,
                    description=_OPTIONAL,
                    datasource={"type": "integer"},
                    charts=_COUNT,
                )
            )
        ),
    ),
    problems_of=(401, 403, 422, 503),
)

_CONDITION: Final = closed(
    column=_TEXT, op=_TEXT, value={"description": "null or shorter where it names what isn't yours"}
)
_OFFERED: Final = closed(column=_TEXT, names=_OPTIONAL, type=_TEXT)
_NAMED: Final[Schema] = {"description": 'a measure or frequency; {"null": true} for rows without'}

SNAPSHOT: Final = operation(
    "Which snapshot a dashboard's figures would be of",
    answers=json_answer(
        "The snapshot's name, null where the database answers; another name is news.",
        closed(snapshot=_OPTIONAL),
    ),
    problems_of=(401, 403, 404, 422, 503),
)

DASHBOARD: Final = operation(
    "What a dashboard defines, as far as the caller may see it",
    answers=json_answer(
        "The definition, and what its filter bar offers. `partitions` are the measures and "
        "frequencies of which `/api/datasources/{id}/values/{column}` has the values.",
        {
            "type": "object",
            "properties": {
                "id": _TEXT,
                "title": _TEXT,
                "description": _OPTIONAL,
                "datasource": {"type": "integer"},
                "filters": list_of(_TEXT),
                "names": {"type": "object", "additionalProperties": _TEXT},
                "charts": list_of(
                    {
                        "type": "object",
                        "properties": {"id": _TEXT, "title": _TEXT, "where": list_of(_CONDITION)},
                        "required": ["id", "title", "type", "series", "where"],
                    }
                ),
                "offers": closed(
                    presets=list_of(_TEXT),
                    date=_OPTIONAL,
                    time_zone=_TEXT,
                    organizations=list_of(closed(id=_TEXT, name=_TEXT, parent=_OPTIONAL)),
                    practices=or_null(_OFFERED),
                    providers=or_null(_OFFERED),
                    columns=list_of(_OFFERED),
                    partitions=list_of(closed(measure=_NAMED, frequency=_NAMED)),
                ),
            },
            "required": ["id", "title", "datasource", "charts", "offers"],
        },
    ),
    problems_of=(401, 403, 404, 422, 503),
)

_PROBLEMS: Final = (400, 401, 403, 404, 413, 415, 422, 503)

RENDER: Final = operation(
    "The figures of a dashboard's charts",
    answers=json_answer(
        "All charts, from one picture of the data; one that can't be made has its problem in its "
        "place.",
        closed(
            id=_TEXT,
            title=_TEXT,
            description=_OPTIONAL,
            dates=_DATES,
            filters=FILTERS,
            dropped=list_of(_DROPPED),
            charts=list_of(_CHART),
            meta=closed(**_META_FIELDS, charts=_COUNT, queries=_COUNT),
        ),
    ),
    problems_of=_PROBLEMS,
    more=body_of(
        schema_object(
            {"filters": or_null(FILTERS), "charts": or_null(list_of(_TEXT))},
        ),
        {"filters": {"preset": "last_12_full_months", "practices": [101]}},
    ),
)

DATA: Final = operation(
    "A chart's figures as a file",
    answers={
        200: {
            "description": "A row for each label, a column for each series; of rows alone that the "
            "caller may export.",
            "content": {
                MEDIA_TYPES[name]: {"schema": {"type": "string"}} for name in ("csv", "parquet")
            },
        }
    },
    problems_of=_PROBLEMS,
    more=body_of(
        schema_object(
            {
                "filters": or_null(FILTERS),
                "format": or_null({"type": "string", "enum": ["csv", "parquet"]}),
                "spreadsheet": or_null(
                    {
                        "type": "boolean",
                        "default": True,
                        "description": "of CSV: an apostrophe before texts that a spreadsheet "
                        "would compute",
                    }
                ),
            }
        ),
        {"filters": {"preset": "last_12_full_months"}, "format": "csv"},
    ),
)

_PLACE: Final = or_null(
    {"anyOf": [closed(key=_KEY), closed(keys={"type": "array"})], "description": "all, if absent"}
)

ROWS: Final = operation(
    "The rows behind a chart, or behind one mark of it",
    answers=json_answer(
        "Rows, as of `/api/query`, with the query that they answer.",
        {
            **ANSWER,
            "properties": {
                **ANSWER["properties"],
                "query": or_null(
                    {
                        "type": "object",
                        "description": "null where the definition compares with what isn't yours "
                        "to see",
                    }
                ),
                "dropped": list_of(_DROPPED),
            },
            "required": [*ANSWER["required"], "query", "dropped"],
        },
    ),
    problems_of=_PROBLEMS,
    more=body_of(
        schema_object(
            {
                "filters": or_null(FILTERS),
                "series": or_null(_TEXT),
                "period": or_null({"type": "string", "enum": ["current", "compared"]}),
                "label": _PLACE,
                "split": _PLACE,
                "multiple": _PLACE,
                "order_by": or_null(list_of(_NAME)),
                "limit": or_null(_COUNT),
                **FORM,
                "format": or_null({"type": "string", "enum": ["rows", "columns"]}),
            }
        ),
        {"filters": {"preset": "all"}, "limit": 100, "format": "columns"},
    ),
)
