"""What every part of the document is made of: schemas, parameters, answers, problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from warmcube.service.problems import MEDIA_TYPE

__all__ = [
    "PROBLEM",
    "Schema",
    "body_of",
    "closed",
    "json_answer",
    "list_of",
    "operation",
    "or_null",
    "parameter",
    "problems",
    "schema_object",
]

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

PROBLEM: Final[Schema] = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}


def schema_object(properties: Mapping[str, Schema], *, required: Iterable[str] = ()) -> Schema:
    """An object that has these members and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def closed(**properties: Schema) -> Schema:
    """An object that has all of these members."""
    return schema_object(properties, required=properties)


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(schema: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": schema}


def parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    """What may stand in the URL, once."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": schema,
    }


def json_answer(
    description: str, schema: Schema, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """An answer in JSON, for FastAPI's ``responses``."""
    content = {"application/json": {"schema": schema}}
    return {status: {"description": description, "content": content}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route answers instead, for FastAPI's ``responses``."""
    return {
        status: {"description": _WHY[status], "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
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
