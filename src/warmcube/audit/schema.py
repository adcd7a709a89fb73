"""The JSON Schema of an audit line, made from the declarations of the events."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import EnumType
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from warmcube.audit.events import EVENTS, AuditEvent
from warmcube.audit.line import SCHEMA_VERSION, Heading
from warmcube.audit.listed import MOST_LISTED, Listed
from warmcube.audit.request import Request
from warmcube.audit.text import ESCAPED, LONGEST

__all__ = ["schema", "schema_text"]

_LONGEST_ESCAPE: Final = len(r"\u{10ffff}")
_PLAIN: Final[dict[Any, dict[str, Any]]] = {
    str: {"$ref": "#/$defs/text"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NoneType: {"type": "null"},
    datetime: {
        "type": "string",
        "format": "date-time",
        "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
    },
}


def schema() -> dict[str, Any]:
    """The schema of one line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of warmcube's audit",
        "description": "See docs/how-to/audit.md.",
        "oneOf": [{"$ref": f"#/$defs/{event.name}"} for event in EVENTS],
        "$defs": {
            "text": {
                "type": "string",
                "maxLength": LONGEST * _LONGEST_ESCAPE,
                "not": {"pattern": ESCAPED},
            },
            **{event.name: _event(event) for event in EVENTS},
        },
    }


def schema_text() -> str:
    """The schema as it stands in docs/reference/audit.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=True) + "\n"


def _event(event: type[AuditEvent]) -> dict[str, Any]:
    heading = _properties(Heading) | {
        "event": {"description": "what happened", "const": event.name},
        "schema": {"description": "the version of this schema", "const": SCHEMA_VERSION},
    }
    own = _properties(event)
    if "request" in own:
        own |= _properties(Request)
        del own["request"]
    summary = str(event.__doc__).partition("\n")[0]
    return {"description": summary, **_object(heading | own)}


def _properties(record: Any) -> dict[str, Any]:
    hints = get_type_hints(record, include_extras=True)
    return {field.name: _of(hints[field.name]) for field in fields(record)}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _of(kind: Any) -> dict[str, Any]:
    """The schema of a type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return {"description": parts[1], **_of(parts[0])}
    if origin in (Union, UnionType):
        return {"anyOf": [_of(part) for part in parts]}
    if origin is Listed:
        first = {"type": "array", "items": _of(parts[0]), "maxItems": MOST_LISTED}
        count = {"type": "integer", "exclusiveMinimum": MOST_LISTED}
        return {"anyOf": [first, _object({"first": first, "count": count})]}
    if origin is Literal or isinstance(kind, EnumType):
        return {"enum": list(parts) or [member.value for member in kind]}
    return _object(_properties(kind)) if is_dataclass(kind) else _PLAIN[kind]
