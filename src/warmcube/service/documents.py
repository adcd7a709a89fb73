"""The OpenAPI document: what every route takes and answers, with examples that the tests run.

Requests are read by our own strict parsers, so FastAPI is told here what they accept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from warmcube.model.request import AGGREGATES, OPERATORS
from warmcube.service.forms import FILE_FORMATS, FORMATS, MEDIA_TYPES
from warmcube.service.problems import MEDIA_TYPE

__all__ = [
    "BATCH",
    "DATASOURCES",
    "EXPORT",
    "MEASURES",
    "META",
    "ORGANIZATIONS",
    "QUERY",
    "QUERY_FIELDS",
    "QUERY_GET",
    "VALUES",
    "VERSION",
    "body_of",
    "describe",
    "operation",
    "problems",
    "schema_object",
]

VERSION: Final = "1.0.0"
"""Of the API; its first number changes when a client that was right may go wrong."""

Schema = Mapping[str, Any]

_WHY: Final[Mapping[int, str]] = {
    400: "The request isn't JSON, or isn't UTF-8.",
    401: "Nobody knows who asks: no token, or one that doesn't count.",
    403: "The caller may not ask for this.",
    404: "There is no such data source, for this caller.",
    409: "Something else is under way.",
    413: "The body is larger than `[limits] body`.",
    415: "The body isn't `application/json`.",
    422: "The request asks for what can't be, or for more than a limit allows.",
    429: "Too many attempts.",
    503: "Neither the cache nor the database could answer, or too much is asked at once.",
}


_ABOUT: Final = """\
Whole tables of measures, answered for each caller with exactly the rows that they may see.

Only an absent field or a null means "not given": `[]` is an empty list and stays one. What isn't
known, stands twice or would have to be guessed is an error. Every error is problem details
(RFC 9457); its `type` says which kind it is.
"""
_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "a token of one of the configured issuers",
    }
}


def describe(app: FastAPI) -> None:
    """Give an application its document: FastAPI's, with what FastAPI can't know."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=_ABOUT, routes=app.routes
            )
            made.setdefault("components", {})["securitySchemes"] = _SCHEMES
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def schema_object(properties: Mapping[str, Schema], *, required: Iterable[str] = ()) -> Schema:
    """An object that has these members and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_ID: Final[Schema] = {"anyOf": [{"type": "integer"}, _TEXT]}
_NAME: Final[Schema] = {
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
    "measure": _or_null(_NAME),
    "frequency": _or_null(_NAME),
    "organization": _or_null(_TEXT),
    "practices": _or_null({**_list_of(_ID), "description": "[] is none of them"}),
    "providers": _or_null({**_list_of(_ID), "description": "[] is none of them"}),
    "start": _or_null({**_TEXT, "description": "the first day, inclusive, as YYYY-MM-DD"}),
    "end": _or_null({**_TEXT, "description": "the last day, inclusive"}),
    "where": _or_null(_list_of(_FILTER)),
    "group_by": _or_null(_list_of(_TEXT)),
    "aggregate": _or_null({"type": "string", "enum": list(AGGREGATES)}),
    "order_by": _or_null(_list_of(_ORDER)),
    "limit": _or_null({"type": "integer"}),
}
_FORM: Final[Mapping[str, Schema]] = {
    "format": _or_null({"type": "string", "enum": list(FORMATS), "default": "rows"}),
    "decimals": _or_null({"type": "string", "enum": ["string", "number"], "default": "string"}),
    "explain": _or_null({"type": "boolean", "default": False}),
}
_ASKED: Final = schema_object({**QUERY_FIELDS, **_FORM}, required=("datasource",))
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
        "snapshot": _or_null({"type": "string"}),
        "as_of": _or_null({"type": "string", "format": "date-time"}),
        "entries": {"type": "integer"},
        "rows_fetched": {"type": "integer"},
        "rows": {"type": "integer"},
        "stale": {"type": "boolean"},
        "notes": _list_of({"type": "string"}),
        "timings": {
            "type": "object",
            "additionalProperties": {"type": "number"},
            "description": "milliseconds by step",
        },
    },
    required=("origin", "rows", "timings"),
)
_COLUMN: Final = schema_object(
    {"name": {"type": "string"}, "type": {"type": "string", "description": "as Postgres names it"}},
    required=("name", "type"),
)
_ANSWER: Final[Schema] = {
    "type": "object",
    "properties": {
        "rows": {"type": "array", "items": {"type": "object"}},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
        "schema": _list_of(_COLUMN),
        "meta": META,
        "explain": {"type": "object"},
    },
    "required": ["schema", "meta"],
    "additionalProperties": False,
}
_PROBLEM: Final[Schema] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers instead, for FastAPI's ``responses``."""
    return {
        status: {"description": _WHY[status], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}
        for status in statuses
    }


def body_of(schema: Schema, example: Any = None) -> dict[str, Any]:
    """A body of JSON, for FastAPI's ``openapi_extra``."""
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def operation(
    summary: str,
    *,
    answers: Mapping[int | str, dict[str, Any]],
    problems_of: Iterable[int],
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What FastAPI's decorators are told of a route."""
    return {
        "summary": summary,
        "response_model": None,
        "responses": {**answers, **problems(*problems_of)},
        "openapi_extra": {"security": [{"bearer": []}], **(more or {})},
    }


def _json(description: str, schema: Schema) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": schema}}
    return {200: {"description": description, "content": content}}


def _answers() -> dict[int | str, dict[str, Any]]:
    files = {MEDIA_TYPES[name]: {"schema": {"type": "string"}} for name in FORMATS[2:]}
    content = {"application/json": {"schema": _ANSWER}, **files}
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
    answers=_json(
        "For each, in their order, its answer or its problem; all of one data source are of one "
        "snapshot.",
        schema_object(
            {
                "answers": _list_of(
                    {
                        "anyOf": [
                            _ANSWER,
                            schema_object({"problem": _PROBLEM}, required=("problem",)),
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
                **_FORM,
                "format": _or_null(
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
                "format": _or_null(
                    {"type": "string", "enum": list(FILE_FORMATS), "default": "csv"}
                ),
                "spreadsheet": _or_null(
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
DATASOURCES: Final = operation(
    "The data sources that exist for the caller",
    answers=_json(
        "Each, and which column plays which role.",
        schema_object(
            {
                "datasources": _list_of(
                    schema_object(
                        {
                            "id": {"type": "integer"},
                            "name": {"type": "string"},
                            "time_zone": {"type": "string"},
                            "roles": {
                                "type": "object",
                                "additionalProperties": _or_null({"type": "string"}),
                            },
                        }
                    )
                )
            },
            required=("datasources",),
        ),
    ),
    problems_of=(401, 403, 422, 503),
)
MEASURES: Final = operation(
    "The measures of which the caller has rows",
    answers=_json(
        "Each with one frequency.",
        schema_object(
            {
                "measures": _list_of(
                    schema_object({"measure": _or_null(_NAME), "frequency": _or_null(_NAME)})
                ),
                "schema": schema_object(
                    {"measure": _or_null(_COLUMN), "frequency": _or_null(_COLUMN)},
                    required=("measure", "frequency"),
                ),
                "meta": META,
            },
            required=("measures", "schema", "meta"),
        ),
    ),
    problems_of=(401, 403, 404, 422, 503),
)
VALUES: Final = operation(
    "The values of a column that the caller may filter by",
    answers=_json(
        "Each once, in the column's order; those of the caller's rows only.",
        schema_object(
            {
                "values": {"type": "array"},
                "has_null": {"type": "boolean"},
                "schema": _COLUMN,
                "meta": META,
            },
            required=("values", "has_null", "schema", "meta"),
        ),
    ),
    problems_of=(400, 401, 403, 404, 422, 503),
    more={
        "parameters": [
            {
                "name": "q",
                "in": "query",
                "required": False,
                "description": "the fields of a query that narrow, without its datasource",
                "content": {
                    "application/json": {
                        "schema": schema_object(
                            {
                                name: schema
                                for name, schema in QUERY_FIELDS.items()
                                if name
                                not in ("datasource", "group_by", "aggregate", "order_by", "limit")
                            }
                        ),
                        "example": {"measure": "Charges", "frequency": "Monthly"},
                    }
                },
            }
        ]
    },
)
ORGANIZATIONS: Final = operation(
    "The organizations that the caller may filter by",
    answers=_json(
        "Each, by id; the parent only where the caller may name it too.",
        schema_object(
            {
                "organizations": _list_of(
                    schema_object(
                        {
                            "id": {"type": "string"},
                            "name": {"type": "string"},
                            "parent": _or_null({"type": "string"}),
                        }
                    )
                )
            },
            required=("organizations",),
        ),
    ),
    problems_of=(401, 403, 422, 503),
)
