"""What the document says of queries, batches and exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from warmcube.model.request import AGGREGATES, OPERATORS
from warmcube.service.documents.shapes import (
    PROBLEM,
    Schema,
    body_of,
    json_answer,
    list_of,
    operation,
    or_null,
    schema_object,
)
from warmcube.service.forms import FILE_FORMATS, FORMATS, MEDIA_TYPES

__all__ = [
    "ANSWER",
    "BATCH",
    "COLUMN",
    "EXPORT",
    "FORM",
    "META",
    "NAME",
    "QUERY",
    "QUERY_FIELDS",
    "QUERY_GET",
]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_ID: Final[Schema] = {"anyOf": [{"type": "integer"}, _TEXT]}
NAME: Final[Schema] = {
    "anyOf": [
        {"type": "integer"},
        _TEXT,
        {
            "type": "object",
            "properties": {"null": {"const": True}},
            "required": ["null"],
            "additionalProperties": False,
            "description": "the rows whose measure (or frequency) is NULL",
        },
    ]
}

_FILTER: Final = schema_object(
    {
        "column": _TEXT,
        "op": {"type": "string", "enum": list(OPERATORS)},
        "value": {"description": "as the operator needs it: a value, a list, two, or none"},
    },
    required=("column", "op"),
)

_ORDER: Final[Schema] = {
    "anyOf": [
        {**_TEXT, "description": 'a column; "-name" for descending'},
        schema_object({"column": _TEXT, "descending": {"type": "boolean"}}, required=("column",)),
    ]
}

QUERY_FIELDS: Final[Mapping[str, Schema]] = {
    "datasource": {"type": "integer", "description": "the id of a data source"},
    "measure": or_null(NAME),
    "frequency": or_null(NAME),
    "organization": or_null(_TEXT),
    "practices": or_null({**list_of(_ID), "description": "[] is none of them"}),
    "providers": or_null({**list_of(_ID), "description": "[] is none of them"}),
    "start": or_null({**_TEXT, "description": "the first day, inclusive, as YYYY-MM-DD"}),
    "end": or_null({**_TEXT, "description": "the last day, inclusive"}),
    "where": or_null(list_of(_FILTER)),
    "group_by": or_null(list_of(_TEXT)),
    "aggregate": or_null({"type": "string", "enum": list(AGGREGATES)}),
    "order_by": or_null(list_of(_ORDER)),
    "limit": or_null({"type": "integer"}),
}

FORM: Final[Mapping[str, Schema]] = {
    "format": or_null({"type": "string", "enum": list(FORMATS), "default": "rows"}),
    "decimals": or_null({"type": "string", "enum": ["string", "number"], "default": "string"}),
    "explain": or_null({"type": "boolean", "default": False}),
}

_ASKED: Final = schema_object({**QUERY_FIELDS, **FORM}, required=("datasource",))
_EXAMPLE: Final = {
    "datasource": 1,
    "measure": "Charges",
    "frequency": "Monthly",
    "practices": [101],
    "start": "2024-01-01",
    "end": "2024-12-31",
    "format": "columns",
}

META: Final = schema_object(
    {
        "origin": {"type": "string", "enum": ["store", "resident", "database"]},
        "snapshot": or_null({"type": "string"}),
        "as_of": or_null({"type": "string", "format": "date-time"}),
        "entries": {"type": "integer"},
        "rows_fetched": {"type": "integer"},
        "rows": {"type": "integer"},
        "stale": {"type": "boolean"},
        "notes": list_of({"type": "string"}),
        "timings": {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "milliseconds by step",
        },
    },
    required=("origin", "rows", "timings"),
)

COLUMN: Final = schema_object(
    {"name": {"type": "string"}, "type": {"type": "string", "description": "as Postgres names it"}},
    required=("name", "type"),
)

ANSWER: Final[Schema] = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"type": "object"}},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
        "schema": list_of(COLUMN),
        "meta": META,
        "explain": {"type": "object"},
    },
    "required": ["schema", "meta"],
    "additionalProperties": False,
}


def _answers() -> dict[int | str, dict[str, Any]]:
    files = {MEDIA_TYPES[name]: {"schema": {"type": "string"}} for name in FORMATS[2:]}
    content = {"application/json": {"schema": ANSWER}, **files}
    return {200: {"description": "The rows that the caller may see.", "content": content}}


_QUERY_PROBLEMS: Final = (400, 401, 403, 404, 422, 503)
QUERY: Final = operation(
    "Ask one question",
    answers=_answers(),
    problems_of=(*_QUERY_PROBLEMS, 413, 415),
    more=body_of(_ASKED, _EXAMPLE),
)

QUERY_GET: Final = operation(
    "Ask one question, for whoever keeps answers",
    answers={
        **_answers(),
        304: {"description": "What the caller has, by If-None-Match, is what they would get."},
    },
    problems_of=_QUERY_PROBLEMS,
    more={
        "parameters": [
            {
                "name": "q",
                "in": "query",
                "required": True,
                "description": "the same object as the body of the POST",
                "content": {"application/json": {"schema": _ASKED, "example": _EXAMPLE}},
            }
        ]
    },
)

BATCH: Final = operation(
    "Ask many questions in one read",
    answers=json_answer(
        "For each, in their order, its answer or its problem; all of one data source are of one "
        "snapshot.",
        schema_object(
            {
                "answers": list_of(
                    {
                        "anyOf": [
                            ANSWER,
                            schema_object({"problem": PROBLEM}, required=("problem",)),
                        ]
                    }
                )
            },
            required=("answers",),
        ),
    ),
    problems_of=(400, 401, 403, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                "queries": {
                    "type": "array",
                    "items": {
                        "anyOf": [
                            schema_object(QUERY_FIELDS, required=("datasource",)),
                            {"description": "anything else has a problem in its place"},
                        ]
                    },
                },
                **FORM,
                "format": or_null(
                    {"type": "string", "enum": ["rows", "columns"], "default": "rows"}
                ),
            },
            required=("queries",),
        ),
        {
            "queries": [
                {"datasource": 1, "measure": "Charges", "frequency": "Monthly"},
                {
                    "datasource": 1,
                    "measure": "Charges",
                    "frequency": "Monthly",
                    "group_by": ["date_index"],
                    "aggregate": "sum",
                },
            ],
            "format": "columns",
        },
    ),
)

EXPORT: Final = operation(
    "Take an answer of any size as a file",
    answers={
        200: {
            "description": "The file, as it is read. One that breaks off isn't the answer.",
            "content": {MEDIA_TYPES[name]: {"schema": {"type": "string"}} for name in FILE_FORMATS},
        }
    },
    problems_of=(400, 401, 403, 404, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                **QUERY_FIELDS,
                "format": or_null({"type": "string", "enum": list(FILE_FORMATS), "default": "csv"}),
                "spreadsheet": or_null(
                    {
                        "type": "boolean",
                        "default": True,
                        "description": "of CSV: an apostrophe before texts that a spreadsheet "
                        "would compute",
                    }
                ),
            },
            required=("datasource",),
        ),
        {"datasource": 1, "measure": "Charges", "frequency": "Monthly", "format": "csv"},
    ),
)
