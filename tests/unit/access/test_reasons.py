"""A grant can say why it is what it is."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from tests.support.access import NOW, Request, ask, grant_of

LATER = NOW + timedelta(days=1)

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all", "cache:manage:all"],
        "analyst": ["analytics:read:organization", "analytics:export:organization"],
        "provider": ["analytics:read:own"],
    },
    "organizations": [
        {"id": "north", "practices": [101, 102, 103, 104, 105, 106, 107]},
        {"id": "empty", "parent": "north"},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {
            "id": "ana",
            "roles": [{"role": "analyst", "organization": "north", "expires": LATER}],
            "organizations": ["north"],
        },
        {"id": "pat", "roles": ["provider"], "organizations": ["empty"], "providers": [2, 1]},
    ],
}


def test_sentences() -> None:
    """One line per reason; long lists are counted."""
    (ana,) = ask(grant_of(RECORDS, "ana"), Request()).reasons
    assert str(ana) == (
        "role analyst in north until 2026-01-02T12:00:00+00:00 gives analytics:read:organization; "
        "organizations: empty, north; practices: 101, 102, 103, 104, 105 and 2 more; providers: all"
    )
    five = {**RECORDS, "organizations": [{"id": "north", "practices": [1, 2, 3, 4, 5]}]}
    five["users"] = RECORDS["users"][:2]
    (ana,) = ask(grant_of(five, "ana"), Request()).reasons
    assert str(ana).endswith("; practices: 1, 2, 3, 4, 5; providers: all")
    (pat,) = ask(grant_of(RECORDS, "pat"), Request()).reasons
    assert str(pat) == (
        "role provider gives analytics:read:own; organizations: empty; practices: none; "
        "providers: 1, 2"
    )
    (root,) = ask(grant_of(RECORDS, "root"), Request()).reasons
    assert str(root) == (
        "role admin gives analytics:read:all; organizations: all; practices: all; providers: all"
    )


def test_an_export_has_two() -> None:
    """Exported is what may be exported and read; both rights are named."""
    (reason,) = ask(grant_of(RECORDS, "ana"), Request(purpose="export")).reasons
    assert [each["permission"] for each in reason.as_json()["because"]] == [
        "analytics:export:organization",
        "analytics:read:organization",
    ]


def test_a_reason_as_json() -> None:
    """All of it, whatever is limited and whatever isn't."""
    ((ana,), (pat,), (root,)) = (
        ask(grant_of(RECORDS, user), Request()).reasons for user in ("ana", "pat", "root")
    )
    assert json.loads(json.dumps([ana.as_json(), pat.as_json(), root.as_json()])) == [
        {
            "because": [
                {
                    "role": "analyst",
                    "permission": "analytics:read:organization",
                    "organization": "north",
                    "expires": "2026-01-02T12:00:00+00:00",
                }
            ],
            "organizations": ["empty", "north"],
            "practices": ["101", "102", "103", "104", "105", "106", "107"],
            "providers": "all",
        },
        {
            "because": [
                {
                    "role": "provider",
                    "permission": "analytics:read:own",
                    "organization": None,
                    "expires": None,
                }
            ],
            "organizations": ["empty"],
            "practices": [],
            "providers": ["1", "2"],
        },
        {
            "because": [
                {
                    "role": "admin",
                    "permission": "analytics:read:all",
                    "organization": None,
                    "expires": None,
                }
            ],
            "organizations": "all",
            "practices": "all",
            "providers": "all",
        },
    ]
