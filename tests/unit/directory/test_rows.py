"""Rows of a directory in a database become records, and nothing gets lost on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from warmcube.access.defects import Defect
from warmcube.directory.rows import DirectoryRows, records_of, survey_rows, version_of

THEN = datetime(2027, 1, 1, tzinfo=UTC)

ROWS = DirectoryRows(
    organizations=[
        ("north", "North", None, True, False),
        ("coast", "", "north", False, False),
        ("gone", None, "north", True, True),
    ],
    organization_practices=[("coast", "103"), ("north", "101"), ("north", "102")],
    roles=[
        ("analyst", "", True, False),
        ("idle", "", False, False),
        ("old", "", True, True),
        ("bare", "", True, False),
    ],
    role_permissions=[("analyst", "analytics:read:organization"), ("old", "analytics:read:all")],
    users=[("ana", "Ana", True, False), ("bob", "", False, False), ("cy", "", True, True)],
    user_organizations=[("ana", "north"), ("cy", "north")],
    user_roles=[
        ("ana", "analyst", None, None),
        ("ana", "analyst", "north", THEN),
        ("ana", "idle", None, None),
        ("ana", "old", None, None),
        ("cy", "analyst", None, None),
    ],
    user_providers=[("ana", None, "5"), ("ana", "101", "6"), ("cy", None, "7")],
)


def test_records() -> None:
    """What is deleted is gone, an organization inactive; roles that don't count aren't held."""
    defects: list[Defect] = []
    assert records_of(ROWS, defects) == {
        "roles": {"analyst": ["analytics:read:organization"], "bare": []},
        "organizations": [
            {"id": "north", "name": "North", "practices": ["101", "102"], "active": True},
            {"id": "coast", "parent": "north", "practices": ["103"], "active": False},
            {"id": "gone", "parent": "north", "practices": [], "active": False},
        ],
        "users": [
            {
                "id": "ana",
                "name": "Ana",
                "roles": [
                    {"role": "analyst"},
                    {"role": "analyst", "organization": "north", "expires": THEN},
                ],
                "organizations": ["north"],
                "providers": [{"provider": "5"}, {"practice": "101", "provider": "6"}],
                "active": True,
            },
            {"id": "bob", "roles": [], "organizations": [], "providers": [], "active": False},
        ],
    }
    assert defects == []
    found = survey_rows(ROWS, version="v")
    assert found.defects == ()
    assert found.directory is not None
    assert found.directory.version == "v"


@pytest.mark.parametrize(
    ("table", "row", "place", "problem"),
    [
        (
            "organization_practices",
            ("nil", "1"),
            "organization_practices['nil']",
            "no organization",
        ),
        ("role_permissions", ("nil", "cache:read:all"), "role_permissions['nil']", "no role 'nil'"),
        ("user_organizations", ("nil", "north"), "user_organizations['nil']", "no user 'nil'"),
        ("user_roles", ("nil", "analyst", None, None), "user_roles['nil']", "no user 'nil'"),
        ("user_providers", (None, None, "5"), "user_providers[None]", "no user None"),
        ("roles", ("analyst", "", True, False), "roles['analyst']", "stands there twice"),
        ("roles", ("old", "", True, False), "roles['old']", "stands there twice"),
        ("roles", (None, "", True, False), "roles[None]", "has no id"),
    ],
)
def test_what_would_get_lost(table: str, row: tuple[Any, ...], place: str, problem: str) -> None:
    """Rows of nobody, and roles that stand twice, are defects."""
    rows = replace(ROWS, **{table: [*getattr(ROWS, table), row]})
    found = survey_rows(rows, version="1")
    assert [each.place for each in found.defects] == [place]
    assert problem in found.defects[0].problem


def test_a_role_that_stands_twice_denies_those_who_have_it() -> None:
    """Which of the two was meant can't be known."""
    rows = replace(ROWS, roles=[*ROWS.roles, ("analyst", "", True, False)])
    directory = survey_rows(rows, version="1").directory
    assert directory is not None
    assert directory.defective == {"ana"}


def test_places_are_named_by_ids() -> None:
    """Rows have no order in which to count them."""
    rows = replace(ROWS, users=[*ROWS.users, ("odd", "", None, False)])
    (defect,) = survey_rows(rows, version="1").defects
    assert str(defect) == (
        "users['odd'].active (user 'odd'): None isn't true or false; write one of the two"
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(ROWS, users=ROWS.users[:2]),
        replace(ROWS, user_roles=[("ana", "analyst", None, THEN)]),
        replace(ROWS, user_providers=[("ana", "None", "5")]),
        replace(ROWS, organizations=[("north", "North", None, None, False)]),
        replace(ROWS, role_permissions=ROWS.user_organizations, user_organizations=[]),
    ],
)
def test_versions_differ(other: DirectoryRows) -> None:
    """Whatever differs makes another version, and the same rows make the same one."""
    assert version_of(ROWS) == version_of(replace(ROWS))
    assert version_of(other) != version_of(ROWS)
