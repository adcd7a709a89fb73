"""From a user to a grant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.access import NOW, grant_of

from warmcube.access.decide import decide
from warmcube.access.directory import Directory, RoleAssignment, User
from warmcube.access.grant import Authority
from warmcube.access.permissions import Action
from warmcube.access.survey import build_directory, survey
from warmcube.errors import AccessDenied
from warmcube.model.scope import ALL, Box

ORGANIZATIONS = [
    {"id": "north", "practices": [101]},
    {"id": "closed", "practices": [104], "active": False},
]


def _records(known_roles: dict[str, Any], **user: Any) -> dict[str, Any]:
    return {
        "roles": known_roles,
        "organizations": ORGANIZATIONS,
        "users": [{"id": "ana", **user}],
    }


READER = {"reader": ["analytics:read:organization"]}


def _denial(records: dict[str, Any], user: Any) -> AccessDenied:
    found = survey(records, version="1")
    assert found.directory is not None
    with pytest.raises(AccessDenied) as error:
        decide(found.directory, user, NOW, authority=Authority())
    return error.value


def test_denials_sound_alike() -> None:
    """Whether a user is unknown, inactive, defective or without a right shows only in the audit."""
    denials = [
        _denial({}, "ana"),
        _denial(_records(READER, roles=["reader"], active=False), "ana"),
        _denial(_records(READER, roles=["reader"], organizations=["gone"]), "ana"),
        _denial(_records(READER), "ana"),
    ]
    assert {str(denial) for denial in denials} == {
        "user 'ana' may not read anything here; ask whoever keeps the directory"
    }
    assert [denial.reason for denial in denials] == [
        "unknown user",
        "inactive user",
        "defect in the directory",
        "no read permission in force",
    ]
    assert {denial.exit_status for denial in denials} == {3}


@pytest.mark.parametrize("user", [None, 5, "", "Ana", "ana ", ["ana"], b"ana"])
def test_a_user_is_named_exactly(user: Any) -> None:
    """Nothing that merely resembles a user's id is one, of whatever type."""
    assert _denial(_records(READER, roles=["reader"]), user).reason == "unknown user"


@pytest.mark.parametrize(
    "permissions",
    [
        [],
        ["analytics:export:all"],
        ["cache:read:all", "cache:manage:all", "directory:read:all", "directory:manage:all"],
        ["dashboards:embed:organization"],
        ["billing:read:all"],
    ],
)
def test_without_a_permission_to_read(permissions: list[str]) -> None:
    """No other permission lets anybody read."""
    denial = _denial(_records({"r": permissions}, roles=["r"], organizations=["north"]), "ana")
    assert denial.reason == "no read permission in force"


def test_the_end_of_a_grant() -> None:
    """It ends with its lifetime or with the first of its roles, whichever comes first."""
    soon, later = NOW + timedelta(seconds=5), NOW + timedelta(seconds=90)

    def until(*roles: Any, lifetime: float = 60) -> Any:
        directory = build_directory(
            _records({**READER, "key": [], "other": []}, roles=roles), version="1"
        )
        grant = decide(
            directory,
            "ana",
            NOW,
            authority=Authority(),
            lifetime=timedelta(seconds=lifetime),
        )
        return (grant.valid_until - NOW).total_seconds()

    assert until("reader") == 60
    assert until("reader", lifetime=10) == 10
    assert until({"role": "reader", "expires": later}) == 60
    assert until({"role": "reader", "expires": soon}) == 5
    assert until("reader", {"role": "key", "expires": soon}) == 5
    assert until("reader", {"role": "key", "expires": NOW}) == 60
    assert (
        until("reader", {"role": "key", "expires": soon}, {"role": "other", "expires": later}) == 5
    )


def test_expiry_is_judged_at_decision_time() -> None:
    """At its moment of expiry a role no longer counts, one tick before it does."""
    records = _records(READER, roles=[{"role": "reader", "expires": NOW}])
    assert grant_of(records, "ana", NOW - timedelta(microseconds=1)).valid_until == NOW
    with pytest.raises(AccessDenied):
        grant_of(records, "ana", NOW)


def test_global_permissions() -> None:
    """What isn't about rows is granted only by an assignment that isn't limited."""
    roles = {
        **READER,
        "keeper": ["cache:read:all", "directory:read:all"],
        "embedder": ["dashboards:embed:organization", "cache:manage:all"],
    }
    limited = grant_of(
        _records(
            roles,
            roles=[
                "reader",
                {"role": "keeper", "organization": "north"},
                {"role": "embedder", "organization": "north"},
            ],
            organizations=["north"],
        ),
        "ana",
    )
    assert limited.permissions == frozenset()
    embedding = [right for right in limited.rights if right.permission.action is Action.EMBED]
    assert [right.reach.boxes for right in embedding] == [(Box(frozenset({"101"}), ALL),)]
    unlimited = grant_of(_records(roles, roles=["reader", "keeper"]), "ana")
    assert {str(each) for each in unlimited.permissions} == {
        "cache:read:all",
        "directory:read:all",
    }


def test_what_a_grant_says_of_itself() -> None:
    """Who, at which version of the directory, from when, with which roles in force."""
    authority = Authority()
    directory = build_directory(
        _records(
            {**READER, "key": []},
            roles=[
                "reader",
                {"role": "key", "organization": "closed"},
                {"role": "reader", "organization": "north", "expires": NOW},
            ],
            organizations=["north"],
        ),
        version="v7",
    )
    grant = decide(directory, "ana", NOW, authority=authority)
    assert grant.actor == "library"
    assert decide(directory, "ana", NOW, authority=authority, actor="job").actor == "job"
    assert (grant.user.id, grant.version, grant.decided_at) == ("ana", "v7", NOW)
    assert grant.authority is authority
    assert [(held.role, held.organization, held.organizations) for held in grant.roles] == [
        ("reader", None, ALL),
        ("key", "closed", frozenset()),
    ]


def test_a_directory_that_nobody_checked() -> None:
    """Roles and organizations that there aren't grant nothing, whoever built the directory."""
    directory = Directory(
        version="1",
        roles={"reader": build_directory(_records(READER), version="1").roles["reader"]},
        organizations={},
        users={
            "ana": User(
                id="ana",
                roles=(RoleAssignment("gone"), RoleAssignment("reader", "gone")),
                organizations=("gone",),
            )
        },
    )
    grant = decide(directory, "ana", NOW, authority=Authority())
    assert [right.reach.boxes for right in grant.rights] == [()]
    assert grant.permissions == frozenset()
