"""A grant can be explained whole: from each role to permissions, organizations and practices."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.support.access import NOW, grant_of

from warmcube.access.decide import decide
from warmcube.access.directory import Directory, RoleAssignment, User
from warmcube.access.explained import explain_grant
from warmcube.access.grant import Authority, Grant
from warmcube.access.survey import survey
from warmcube.errors import AccessDenied
from warmcube.model.schema import Datasource

LATER = NOW + timedelta(days=1)
EARLIER = NOW - timedelta(days=1)

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all", "cache:manage:all"],
        "analyst": ["analytics:read:organization", "analytics:export:organization"],
        "provider": ["analytics:read:own"],
        "key": [],
        "keeper": ["directory:read:all"],
    },
    "organizations": [
        {"id": "north", "name": "North", "practices": [102, 101]},
        {"id": "coast", "parent": "north", "practices": [103]},
        {"id": "empty", "parent": "north"},
        {"id": "closed", "practices": [104], "active": False},
        {"id": "south", "practices": [201]},
    ],
    "users": [
        {"id": "root", "name": "Root", "roles": ["admin"]},
        {
            "id": "ana",
            "roles": [
                {"role": "analyst", "organization": "north", "expires": LATER},
                {"role": "admin", "expires": EARLIER},
                "key",
                {"role": "keeper", "organization": "north"},
            ],
            "organizations": ["north", "closed"],
        },
        {"id": "pat", "roles": ["provider"], "organizations": ["coast"], "provider": 7},
        {"id": "bea", "roles": ["provider"], "organizations": ["coast"],
         "providers": [{"practice": 103, "provider": 1}, {"practice": 201, "provider": 2}]},
        {"id": "out", "roles": ["provider"], "organizations": ["coast"],
         "providers": [{"practice": 201, "provider": 2}]},
        {"id": "lost", "roles": ["provider"], "organizations": ["coast"]},
        {"id": "bare", "roles": ["analyst"], "organizations": ["empty"]},
        {"id": "gone", "roles": ["analyst"], "organizations": ["closed"]},
        {"id": "cut", "roles": [{"role": "admin", "organization": "south"}]},
    ],
}  # fmt: skip

DATASOURCES = [
    Datasource(id=1, name="Open", source="s", table="t"),
    Datasource(id=2, name="Doors", source="s", table="t", door=frozenset({"admin", "keeper"})),
]


def _explained(user: str, organization: str | None = None) -> dict[str, Any]:
    found = explain_grant(grant_of(RECORDS, user), DATASOURCES, organization).as_json()
    assert json.loads(json.dumps(found)) == found
    return found


def _rights(user: str, organization: str | None = None) -> list[dict[str, Any]]:
    return [right for role in _explained(user, organization)["roles"] for right in role["rights"]]


def _holding(id: str, *practices: str, name: str | None = None) -> dict[str, Any]:
    return {"id": id, "name": name or id, "practices": list(practices)}


def test_everything() -> None:
    """A right to everything has no organizations; what doesn't speak of rows stands apart."""
    assert _explained("root") == {
        "user": "root",
        "name": "Root",
        "directory_version": "1",
        "decided_at": "2026-01-01T12:00:00+00:00",
        "valid_until": "2026-01-01T12:01:00+00:00",
        "organization": None,
        "roles": [
            {
                "role": "admin",
                "organization": None,
                "expires": None,
                "in_force": True,
                "rights": [
                    {
                        "permission": "analytics:read:all",
                        "organizations": None,
                        "providers": None,
                        "nothing": None,
                    }
                ],
                "permissions": ["cache:manage:all"],
            }
        ],
        "inactive_organizations": [],
        "lost_organizations": [],
        "datasources": [
            {"id": 1, "name": "Open", "exists": "for everybody"},
            {"id": 2, "name": "Doors", "exists": "by admin"},
        ],
    }


def test_roles_that_are_limited_over_or_give_nothing() -> None:
    """Each is listed; only those in force have rights, and a limited one opens doors below it."""
    found = _explained("ana")
    assert [
        (each["role"], each["organization"], each["expires"], each["in_force"], each["permissions"])
        for each in found["roles"]
    ] == [
        ("analyst", "north", LATER.isoformat(), True, []),
        ("admin", None, EARLIER.isoformat(), False, []),
        ("key", None, None, True, []),
        ("keeper", "north", None, True, []),
    ]
    assert [len(each["rights"]) for each in found["roles"]] == [2, 0, 0, 0]
    assert found["inactive_organizations"] == ["closed"]
    assert found["datasources"][1]["exists"] == "in north and below"
    assert found["roles"][0]["rights"][0] == {
        "permission": "analytics:read:organization",
        "organizations": [
            _holding("coast", "103"),
            _holding("empty"),
            _holding("north", "101", "102", name="North"),
        ],
        "providers": None,
        "nothing": None,
    }


def test_a_door_that_is_closed() -> None:
    """A data source that none of the user's roles opens is said not to exist."""
    assert _explained("pat")["datasources"][1]["exists"] == "not for this user"


@pytest.mark.parametrize(
    ("user", "nothing"),
    [
        ("pat", None),
        ("bea", None),
        ("lost", "the user is no provider"),
        ("out", "none of these practices is one that the user's providers are bound to"),
        ("bare", "these organizations hold no practice"),
        ("gone", "it holds in no active organization of the user's"),
        ("cut", None),
    ],
)
def test_what_comes_to_nothing(user: str, nothing: str | None) -> None:
    """A right without rows says why."""
    assert {right["nothing"] for right in _rights(user)} == {nothing}


def test_own_rows() -> None:
    """They are those of the user's providers, bound or not."""
    assert _rights("pat")[0]["providers"] == [{"practice": None, "provider": "7"}]
    assert _rights("bea")[0]["providers"] == [
        {"practice": "103", "provider": "1"},
        {"practice": "201", "provider": "2"},
    ]


@pytest.mark.parametrize(
    ("user", "organization", "holdings"),
    [
        ("root", "coast", [_holding("coast", "103")]),
        ("ana", "coast", [_holding("coast", "103")]),
        ("pat", "coast", [_holding("coast", "103")]),
        ("cut", "south", [_holding("south", "201")]),
    ],
)
def test_within_an_organization(
    user: str, organization: str, holdings: list[dict[str, Any]]
) -> None:
    """A filter leaves what lies in it, of a right to everything too."""
    assert _rights(user, organization)[0]["organizations"] == holdings
    assert _explained(user, organization)["organization"] == organization


@pytest.mark.parametrize(
    ("user", "organization"),
    [("root", "closed"), ("root", "nowhere"), ("ana", "south"), ("pat", "north"), ("cut", "north")],
)
def test_an_organization_outside(user: str, organization: str) -> None:
    """What can't be filtered by can't be explained either."""
    with pytest.raises(AccessDenied, match=f"may not filter by organization '{organization}'"):
        _explained(user, organization)


def test_an_export_alone_lets_nobody_filter() -> None:
    """What may be filtered by is what may be read."""
    records = {
        **RECORDS,
        "roles": {**RECORDS["roles"], "analyst": ["analytics:export:all", "analytics:read:own"]},
    }
    with pytest.raises(AccessDenied):
        explain_grant(grant_of(records, "bare"), (), "south")


def _with_a_defect() -> Grant:
    records = {
        **RECORDS,
        "organizations": [
            *RECORDS["organizations"],
            {"id": "odd", "parent": "north", "practices": [""]},
        ],
    }
    directory = survey(records, version="1").directory
    assert directory is not None
    return decide(directory, "ana", NOW, authority=Authority())


def test_what_a_defect_takes_away() -> None:
    """An organization below one's own that doesn't count is named, also within another."""
    assert explain_grant(_with_a_defect(), ()).lost_organizations == ("odd",)
    assert explain_grant(_with_a_defect(), (), "north").lost_organizations == ("odd",)
    assert explain_grant(_with_a_defect(), (), "coast").lost_organizations == ()


def test_a_refusal_word_for_word() -> None:
    """It is for whoever keeps the directory, and may say more than a user is told."""
    with pytest.raises(AccessDenied) as caught:
        _explained("ana", "south")
    assert str(caught.value) == (
        "user 'ana' may not filter by organization 'south': it is unknown, inactive, or outside "
        "what the user may read"
    )
    assert caught.value.reason == "organization outside the scope"


def test_a_role_that_there_isnt() -> None:
    """In a directory that nobody checked it gives nothing, and breaks nothing."""
    reader = grant_of(RECORDS, "root").directory.roles["admin"]
    directory = Directory(
        version="1",
        roles={"admin": reader},
        organizations={},
        users={"ana": User(id="ana", roles=(RoleAssignment("admin"), RoleAssignment("gone")))},
    )
    grant = decide(directory, "ana", NOW, authority=Authority())
    admin, gone = explain_grant(grant, ()).roles
    assert admin.permissions == ("cache:manage:all",)
    assert (gone.role, gone.in_force, gone.rights, gone.permissions) == ("gone", True, (), ())


def test_a_filter_takes_from_each_right_what_lies_elsewhere() -> None:
    """A right that reaches less than the filter names keeps its own reach."""
    records = {
        **RECORDS,
        "users": [
            {
                "id": "two",
                "roles": ["provider", {"role": "analyst", "organization": "coast"}],
                "organizations": ["north"],
                "provider": 7,
            }
        ],
    }
    own, *limited = [
        right
        for role in explain_grant(grant_of(records, "two"), (), "north").roles
        for right in role.rights
    ]
    assert own.holdings is not None
    assert [each.organization for each in own.holdings] == ["coast", "empty", "north"]
    for right in limited:
        assert right.holdings is not None
        assert [each.organization for each in right.holdings] == ["coast"]


def test_doors_that_several_roles_open() -> None:
    """By all of them, or in all the organizations that they are held for."""
    doors = frozenset({"keeper", "key"})
    datasources = [Datasource(id=1, name="Doors", source="s", table="t", door=doors)]

    def exists(*roles: Any) -> str:
        users = [{"id": "x", "roles": ["analyst", *roles], "organizations": ["north"]}]
        grant = grant_of({**RECORDS, "users": users}, "x")
        return explain_grant(grant, datasources).datasources[0][2]

    north, south, closed = (
        {"role": "keeper", "organization": name} for name in ("north", "south", "closed")
    )
    assert exists("key", "keeper") == "by keeper, key"
    assert exists(south, north) == "in north, south and below"
    assert exists(south, closed) == "in south and below"
    assert exists(closed) == "not for this user"
    assert exists("key", north) == "by keeper, key"
