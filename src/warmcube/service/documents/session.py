"""What the document says of ``/api/session``."""

from __future__ import annotations

from typing import Any, Final

from warmcube.service.documents.shapes import (
    body_of,
    json_answer,
    operation,
    parameter,
    schema_object,
)

__all__ = ["OIDC", "OIDC_CALLBACK", "SIGN_IN", "SIGN_OUT", "WHO"]

_OPEN: Final[dict[str, Any]] = {"security": []}
_WHO: Final = schema_object(
    {
        "user": {"type": "string", "description": "the id in the directory"},
        "method": {"type": "string", "enum": ["session", "token", "embedded"]},
        "csrf_token": {
            "type": ["string", "null"],
            "description": "to send as X-CSRF-Token with whatever isn't a GET; null without a "
            "session",
        },
    },
    required=("user", "method", "csrf_token"),
)

_KNOWN: Final = json_answer("Who is signed in.", _WHO)
_CSRF: Final[dict[str, Any]] = {
    "name": "X-CSRF-Token",
    "in": "header",
    "required": False,
    "description": "the csrf_token of the session",
    "schema": {"type": "string"},
}

SIGN_IN: Final = operation(
    "Sign in with a password",
    answers=_KNOWN,
    problems_of=(400, 401, 403, 404, 413, 415, 422, 429, 503),
    more={
        **_OPEN,
        **body_of(
            schema_object(
                {
                    "user": {"type": "string", "minLength": 1},
                    "password": {"type": "string", "minLength": 1},
                },
                required=("user", "password"),
            )
        ),
    },
)

WHO: Final = operation("Who is signed in", answers=_KNOWN, problems_of=(401, 403, 422, 503))
SIGN_OUT: Final = operation(
    "Sign out",
    answers={204: {"description": "The session is over."}},
    problems_of=(401, 403, 404, 422, 503),
    more={
        "parameters": [
            parameter(
                "everywhere",
                "whether all sessions of the user end",
                {"type": "string", "enum": ["true", "false"]},
            ),
            _CSRF,
        ]
    },
)

OIDC: Final = operation(
    "Sign in at the identity provider",
    answers={303: {"description": "To the provider."}},
    problems_of=(404, 422, 429, 503),
    more={
        **_OPEN,
        "parameters": [
            parameter("next", "a path of this service to go to afterwards", {"type": "string"})
        ],
    },
)

OIDC_CALLBACK: Final = operation(
    "Where the identity provider sends the browser back to",
    answers={303: {"description": "Signed in: to where the user wanted to go."}},
    problems_of=(401, 404, 422, 429, 503),
    more={
        **_OPEN,
        "parameters": [
            parameter(name, description, {"type": "string"})
            for name, description in (
                ("state", "of the login"),
                ("code", "to exchange for an ID token"),
                ("error", "why the provider refuses"),
                ("iss", "the provider"),
            )
        ],
    },
)
