"""What the document says of the directory's routes."""

from __future__ import annotations

from typing import Final

from warmcube.service.documents.shapes import (
    Schema,
    closed,
    json_answer,
    list_of,
    operation,
    or_null,
    parameter,
)

__all__ = ["ACCESS", "DEFECTS", "ORGANIZATIONS", "USERS"]

_TEXT: Final[Schema] = {"type": "string"}
_MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_MAYBE_INSTANT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_TEXTS: Final = list_of(_TEXT)
_NAME: Final[Schema] = {"type": "string", "minLength": 1}

_RIGHT: Final = closed(
    permission=_TEXT,
    organizations=or_null(list_of(closed(id=_TEXT, name=_TEXT, practices=_TEXTS))),
    providers=or_null(list_of(closed(practice=_MAYBE_TEXT, provider=_TEXT))),
    nothing={**_MAYBE_TEXT, "description": "why it comes to nothing, if it does"},
)
_EXPLAINED: Final = closed(
    user=_TEXT,
    name=_TEXT,
    directory_version=_TEXT,
    decided_at=_INSTANT,
    valid_until=_INSTANT,
    organization=_MAYBE_TEXT,
    roles=list_of(
        closed(
            role=_TEXT,
            organization=_MAYBE_TEXT,
            expires=_MAYBE_INSTANT,
            in_force=_FLAG,
            rights=list_of(_RIGHT),
            permissions=_TEXTS,
        )
    ),
    inactive_organizations=_TEXTS,
    lost_organizations=_TEXTS,
    datasources=list_of(closed(id=_COUNT, name=_TEXT, exists=_TEXT)),
)

ORGANIZATIONS: Final = operation(
    "All organizations",
    answers=json_answer(
        "The tree, as a list by id; `users` belong to the organization itself.",
        closed(
            organizations=list_of(
                closed(
                    id=_TEXT,
                    name=_TEXT,
                    parent=_MAYBE_TEXT,
                    active=_FLAG,
                    has_defect=_FLAG,
                    practices=_TEXTS,
                    users=_COUNT,
                )
            )
        ),
    ),
    problems_of=(401, 403, 422, 503),
)

USERS: Final = operation(
    "Users of the directory",
    answers=json_answer(
        "A page of at most 100, by id; `following` is the `after` of the next one.",
        closed(
            users=list_of(
                closed(
                    id=_TEXT,
                    name=_TEXT,
                    active=_FLAG,
                    has_defect=_FLAG,
                    roles=list_of(
                        closed(role=_TEXT, organization=_MAYBE_TEXT, expires=_MAYBE_INSTANT)
                    ),
                    organizations=_TEXTS,
                    is_provider=_FLAG,
                )
            ),
            total=_COUNT,
            following=_MAYBE_TEXT,
        ),
    ),
    problems_of=(401, 403, 422, 503),
    more={
        "parameters": [
            parameter("search", "what id or name contain, in whatever case", _NAME),
            parameter("organization", "that they belong to, by its id", _NAME),
            parameter("after", "the id after which the page begins", _NAME),
        ]
    },
)

ACCESS: Final = operation(
    "What a user may see, and why",
    answers=json_answer(
        "As `warmcube explain-access --json` prints it; or why they are denied.",
        closed(
            user=_TEXT,
            denied=or_null(closed(reason=_TEXT, message=_TEXT)),
            access=or_null(_EXPLAINED),
        ),
    ),
    problems_of=(401, 403, 422, 503),
    more={
        "parameters": [
            {
                "name": "user",
                "in": "path",
                "required": True,
                "description": "the user's id",
                "schema": _NAME,
            },
            parameter("organization", "only what a filter by this one leaves", _NAME),
        ]
    },
)

DEFECTS: Final = operation(
    "What is wrong with the directory",
    answers=json_answer(
        "As `warmcube directory check --without-data --json` prints it.",
        closed(findings=list_of(closed(place=_TEXT, problem=_TEXT, is_defect=_FLAG))),
    ),
    problems_of=(401, 403, 422, 503),
)
