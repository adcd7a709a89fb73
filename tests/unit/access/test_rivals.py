"""Defects of the system that this one replaces (``rivals.md``), which must never come back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access import Outcome, Request, grant_of, outcome_of

from warmcube.errors import AccessDenied, InvalidFilter

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all"],
        "analyst": ["analytics:read:organization"],
        "provider": ["analytics:read:own"],
    },
    "organizations": [
        {"id": "north", "practices": [101, 102]},
        {"id": "empty", "practices": []},
        {"id": "closed", "practices": [103], "active": False},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "north", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "nobody", "roles": ["analyst"], "organizations": ["empty"]},
        {"id": "provider", "roles": ["provider"], "organizations": ["north"], "provider": 7},
        {"id": "lost", "roles": ["provider"], "organizations": ["north"]},
    ],
}
ROWS = [("101", "7"), ("102", "8"), ("103", None), (None, None)]


def _rows(user: str, **asked: Any) -> Outcome:
    return outcome_of(grant_of(RECORDS, user), Request(**asked), ROWS)


@pytest.mark.parametrize("user", ["root", "north", "provider"])
def test_line_1_an_empty_list_is_not_no_filter(user: str) -> None:
    """Asking for no practices gives no rows, and so does having none."""
    assert _rows(user, practices=[]) == frozenset()
    assert _rows("nobody") == frozenset()
    assert _rows("nobody", organization="empty") == frozenset()


def test_line_2_own_without_a_provider_sees_nothing() -> None:
    """A user who is no provider has no rows of their own, not the whole organization's."""
    assert _rows("lost") == frozenset()
    assert _rows("lost", practices=[101]) == frozenset()
    assert _rows("provider") == frozenset({("101", "7")})


@pytest.mark.parametrize("user", ["root", "north", "provider", "lost", "nobody"])
def test_line_3_an_organization_filter_is_never_dropped(user: str) -> None:
    """One that is invalid is an error, one without practices is empty, the super admin's too."""
    for organization in ("gone", "closed", "NORTH"):
        assert _rows(user, organization=organization) is AccessDenied
    assert _rows(user, organization="") is InvalidFilter
    assert _rows("root", organization="empty") == frozenset()
    assert _rows("root", organization="north") == frozenset({("101", "7"), ("102", "8")})


def test_line_20_a_string_id_is_the_same_practice() -> None:
    """``"101"`` is 101 in request and directory; what isn't canonical is an error, not no rows."""
    for practice in (101, "101"):
        assert _rows("north", practices=[practice]) == frozenset({("101", "7")})
    for other in ("0101", " 101", "101.0", 101.0):
        assert _rows("north", practices=[other]) is InvalidFilter
    quoted = {**RECORDS, "organizations": [{"id": "north", "practices": ["101", "102"]}]}
    quoted["users"] = RECORDS["users"][:2]
    assert outcome_of(grant_of(quoted, "north"), Request(), ROWS) == _rows("north")
