"""A directory in a database is written as a file that grants the same, or not at all."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from warmcube.directory.exported import export_rows
from warmcube.directory.rows import DirectoryRows
from warmcube.errors import DirectoryError

THEN = datetime(2027, 1, 1, 12, 30, 0, 250_000, tzinfo=UTC)

ROWS = DirectoryRows(
    organizations=[
        ("north", 'N "x" \x07\x7f', None, True, False),
        ("c", "", "north", False, False),
    ],
    organization_practices=[("north", "101"), ("north", "0101"), ("north", "p:1")],
    roles=[("analyst", "analyst", True, False), ("bare role", "", True, False)],
    role_permissions=[("analyst", "analytics:read:organization"), ("analyst", "billing:pay")],
    users=[("ana", "", True, False), ("bob", "Bob", False, False), ("cy", "", True, False)],
    user_organizations=[("ana", "north")],
    user_roles=[("ana", "analyst", None, None), ("ana", "bare role", "north", THEN)],
    user_providers=[("ana", None, "5"), ("ana", "101", "-6"), ("bob", None, "9" * 19)],
)


def test_all_that_a_file_has_words_for() -> None:
    """Ids that print as numbers are numbers, defaults are left out, names are escaped."""
    assert tomllib.loads(export_rows(ROWS)) == {
        "roles": {"analyst": ["analytics:read:organization", "billing:pay"], "bare role": []},
        "organizations": [
            {"id": "north", "name": 'N "x" \x07\x7f', "practices": [101, "0101", "p:1"]},
            {"id": "c", "parent": "north", "practices": [], "active": False},
        ],
        "users": [
            {
                "id": "ana",
                "roles": [
                    "analyst",
                    {"role": "bare role", "organization": "north", "expires": THEN},
                ],
                "organizations": ["north"],
                "providers": [{"provider": 5}, {"practice": 101, "provider": -6}],
            },
            {"id": "bob", "name": "Bob", "provider": "9" * 19, "active": False},
            {"id": "cy"},
        ],
    }


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (
            replace(ROWS, organizations=[*ROWS.organizations, ("old", "", None, True, True)]),
            (
                "organization 'old' is deleted, which a file has no word for; remove it, or leave "
                "it out with --without-deleted"
            ),
        ),
        (
            replace(ROWS, roles=[*ROWS.roles, ("old", "", True, True)]),
            (
                "role 'old' is deleted, which a file has no word for; remove it, or leave it out "
                "with --without-deleted"
            ),
        ),
        (
            replace(ROWS, users=[*ROWS.users, ("old", "", True, True)]),
            (
                "user 'old' is deleted, which a file has no word for; remove it, or leave it out "
                "with --without-deleted"
            ),
        ),
        (
            replace(ROWS, roles=[*ROWS.roles, ("idle", "", False, False)]),
            "role 'idle' is inactive, which a file has no word for; activate it, or delete it",
        ),
        (
            replace(ROWS, roles=[*ROWS.roles, ("named", "Name", True, False)]),
            "role 'named' has the name 'Name'; in a file it has only its id",
        ),
        (
            replace(ROWS, user_organizations=[("ana", "nil")]),
            (
                "users['ana'].organizations[0] (user 'ana'): there is no organization 'nil'; name "
                "one that the directory has"
            ),
        ),
    ],
)
def test_what_it_has_no_words_for(rows: DirectoryRows, line: str) -> None:
    """It is refused and named, rather than dropped."""
    with pytest.raises(DirectoryError) as error:
        export_rows(rows)
    assert str(error.value) == (
        f"access.toml can't hold this directory; mend it in the database first:\n  {line}"
    )


DELETED = replace(
    ROWS,
    organizations=[("north", "", None, True, True), ("c", "", "north", True, False)],
    roles=[("analyst", "", True, False), ("bare role", "", True, True)],
    users=[("ana", "", True, False), ("bob", "", True, True)],
)


def test_without_what_is_deleted() -> None:
    """Asked to, it leaves that out and what names it; an organization below becomes a root."""
    assert tomllib.loads(export_rows(DELETED, without_deleted=True)) == {
        "roles": {"analyst": ["analytics:read:organization", "billing:pay"]},
        "organizations": [{"id": "c", "practices": []}],
        "users": [
            {
                "id": "ana",
                "roles": ["analyst"],
                "providers": [{"provider": 5}, {"practice": 101, "provider": -6}],
            }
        ],
    }


def test_a_role_in_a_deleted_organization() -> None:
    """Without it the user might be denied instead of seeing nothing, so it isn't left out."""
    rows = replace(DELETED, user_roles=[("ana", "analyst", "north", None)])
    with pytest.raises(DirectoryError, match="'ana' has the role 'analyst' in 'north', which is"):
        export_rows(rows, without_deleted=True)
    for gone in (
        [("bob", "analyst", "north", None)],  # of a user who is deleted
        [("ana", "bare role", "north", None)],  # a role that is
    ):
        assert export_rows(replace(DELETED, user_roles=gone), without_deleted=True)
