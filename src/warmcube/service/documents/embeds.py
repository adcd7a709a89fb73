"""What the document says of dashboards in other sites."""

from __future__ import annotations

from typing import Any, Final

from warmcube.authn.embed_token import LONGEST_LIFE
from warmcube.service.documents.dashboards import FILTERS, RENDER
from warmcube.service.documents.shapes import (
    Schema,
    body_of,
    closed,
    json_answer,
    list_of,
    operation,
    or_null,
    parameter,
    schema_object,
)

__all__ = ["EMBEDS", "MINT", "RENDER_EMBEDDED", "REVOKE"]

_TEXT: Final[Schema] = {"type": "string"}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}

MINT: Final = operation(
    "Make a token that shows a dashboard in another site",
    answers=json_answer(
        "The token is told this once. It has the rights of whoever made it, as they are whenever "
        "it is used, within the filters.",
        closed(id=_TEXT, token=_TEXT, expires_at=_INSTANT, url=_TEXT),
        201,
    ),
    problems_of=(400, 401, 403, 404, 413, 415, 422, 503),
    more=body_of(
        schema_object(
            {
                "filters": {**or_null(FILTERS), "description": "that its viewers can't leave"},
                "seconds": {
                    "type": ["integer", "null"],
                    "minimum": 1,
                    "maximum": LONGEST_LIFE,
                    "default": LONGEST_LIFE,
                    "description": "how long it counts",
                },
            }
        ),
        {"filters": {"organization": "north"}, "seconds": 900},
    ),
)

EMBEDS: Final = operation(
    "Tokens of embedded dashboards that count",
    answers=json_answer(
        "One's own, or everybody's; at most a thousand, those first that end first. Never the "
        "tokens themselves.",
        closed(
            embeds=list_of(
                closed(
                    id=_TEXT,
                    user={**_TEXT, "description": "who made it"},
                    dashboard=_TEXT,
                    filters=FILTERS,
                    issued_at=_INSTANT,
                    expires_at=_INSTANT,
                )
            )
        ),
    ),
    problems_of=(401, 403, 422, 503),
    more={
        "parameters": [
            parameter(
                "everyone",
                "whether those of others are listed too, which needs cache:manage:all or "
                "directory:manage:all",
                {"type": "string", "enum": ["true", "false"]},
            )
        ]
    },
)

REVOKE: Final = operation(
    "Revoke a token of an embedded dashboard",
    answers={204: {"description": "It counts no longer, anywhere."}},
    problems_of=(401, 403, 404, 422, 503),
)

_EMBED_TOKEN: Final[dict[str, Any]] = {"security": [{"embed": []}]}

RENDER_EMBEDDED: Final = operation(
    "The figures of an embedded dashboard",
    answers={
        200: {
            **RENDER["responses"][200],
            "description": "As those of a render; of the filters only the dates are told, and no "
            "chart leads anywhere.",
        }
    },
    problems_of=(400, 401, 403, 413, 415, 422, 503),
    more={
        **_EMBED_TOKEN,
        **body_of(
            schema_object(
                {
                    "filters": {
                        **or_null(FILTERS),
                        "description": "that narrow what is fixed further; what is fixed can't be "
                        "asked for otherwise",
                    },
                    "charts": {
                        "type": ["array", "null"],
                        "items": _TEXT,
                        "description": "the ids of those that are wanted; all of them without it",
                    },
                }
            ),
            {"filters": {"preset": "last_30_days"}},
        ),
    },
)
