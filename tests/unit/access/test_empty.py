"""Empty is nothing: every way in which a filter or a right can come to no rows, never to all.

This is the defect for which the system that this one replaces is remembered. Each test is one way
in which it could come back.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.access import INTEGER, TEXT, Request, ask, grant_of, outcome_of

from warmcube.access.reach import EVERYTHING, Reach, unite_boxes
from warmcube.model.scope import ALL, NOTHING, Box, Scope

RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all", "analytics:export:all"],
        "analyst": ["analytics:read:organization"],
        "exporter": ["analytics:export:organization"],
        "provider": ["analytics:read:own"],
        "finance": [],
    },
    "organizations": [
        {"id": "root"},
        {"id": "north", "parent": "root", "practices": [101, 102]},
        {"id": "empty", "parent": "north", "practices": []},
        {"id": "south", "parent": "root", "practices": [201]},
        {"id": "odd", "parent": "root", "practices": ["x1", "0101"]},
        {"id": "closed", "parent": "root", "practices": [301], "active": False},
        {"id": "shell", "parent": "root"},
        {"id": "inner", "parent": "shell", "practices": [401], "active": False},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "nia", "roles": ["analyst"], "organizations": ["empty"]},
        {"id": "oda", "roles": ["analyst"], "organizations": ["odd"]},
        {"id": "shel", "roles": ["analyst"], "organizations": ["shell"]},
        {"id": "free", "roles": ["analyst"], "organizations": []},
        {"id": "clo", "roles": ["analyst"], "organizations": ["closed"]},
        {"id": "lim", "roles": [{"role": "analyst", "organization": "empty"}]},
        {"id": "far", "roles": [{"role": "analyst", "organization": "south"}]},
        {"id": "limited", "roles": [{"role": "admin", "organization": "empty"}]},
        {"id": "pat", "roles": ["provider"], "organizations": ["north"], "provider": 5},
        {"id": "lost", "roles": ["provider"], "organizations": ["north"]},
        {"id": "nil", "roles": ["provider"], "organizations": ["empty"], "provider": 5},
        {
            "id": "bound",
            "roles": ["provider"],
            "organizations": ["north"],
            "providers": [{"practice": 201, "provider": 5}],
        },
        {
            "id": "apart",
            "roles": [
                {"role": "analyst", "organization": "north"},
                {"role": "exporter", "organization": "south"},
            ],
            "organizations": ["north", "south"],
        },
        {
            "id": "fin",
            "roles": ["analyst", {"role": "finance", "organization": "empty"}],
            "organizations": ["north"],
        },
        {
            "id": "fins",
            "roles": ["admin", {"role": "finance", "organization": "empty"}],
        },
    ],
}
for _user in RECORDS["users"]:
    if _user["id"] in ("lim", "far"):
        _user["organizations"] = ["north"]

ROWS = [
    (practice, provider)
    for practice in ("101", "102", "201", "301", "401", None)
    for provider in ("5", "6", None)
]
NO_ROWS: frozenset[Any] = frozenset()


def rows(user: str, **asked: Any) -> Any:
    """What comes out of all rows, or the error."""
    return outcome_of(grant_of(RECORDS, user), Request(**asked), ROWS)


@pytest.mark.parametrize("empty", [[], (), set(), frozenset()])
def test_no_practices_of_a_super_admin(empty: Any) -> None:
    """Somebody who may read everything and asks for no practice gets no row."""
    assert rows("root", practices=empty) == NO_ROWS
    assert len(rows("root")) == len(ROWS)


@pytest.mark.parametrize("empty", [[], (), set(), frozenset()])
def test_no_providers_of_a_super_admin(empty: Any) -> None:
    """Nor by asking for no provider."""
    assert rows("root", providers=empty) == NO_ROWS


def test_no_practices_of_an_analyst() -> None:
    """No practice of one's own is not every practice of one's own."""
    assert rows("ana", practices=[]) == NO_ROWS
    assert len(rows("ana")) == 6


def test_no_providers_of_an_analyst() -> None:
    """Likewise of providers, which an analyst may name freely."""
    assert rows("ana", providers=[]) == NO_ROWS
    assert rows("ana", providers=[9]) == NO_ROWS


def test_no_practices_of_ones_own() -> None:
    """Who reads only their own rows and asks for no practice."""
    assert rows("pat", practices=[]) == NO_ROWS
    assert rows("pat") == {("101", "5"), ("102", "5")}


def test_no_providers_of_ones_own() -> None:
    """Naming nobody is allowed, and is nobody."""
    assert rows("pat", providers=[]) == NO_ROWS


def test_no_practices_of_an_organization() -> None:
    """An organization filter doesn't fill an empty list of practices."""
    for user in ("root", "ana", "pat"):
        assert rows(user, organization="north", practices=[]) == NO_ROWS


def test_no_providers_of_an_organization() -> None:
    """Nor one of providers."""
    for user in ("root", "ana", "pat"):
        assert rows(user, organization="north", providers=[]) == NO_ROWS


def test_no_providers_of_some_practices() -> None:
    """One filter doesn't stand in for the other."""
    assert rows("root", practices=[101], providers=[]) == NO_ROWS
    assert rows("root", practices=[], providers=[5]) == NO_ROWS
    assert rows("root", practices=[], providers=[]) == NO_ROWS


def test_a_super_admins_filter_by_an_organization_without_practices() -> None:
    """The bug that was: the filter came to no practices, and so to no filter."""
    assert rows("root", organization="empty") == NO_ROWS
    assert rows("root", organization="shell") == NO_ROWS


def test_an_analysts_filter_by_an_organization_without_practices() -> None:
    """Below one's own, so that it may be named."""
    assert rows("ana", organization="empty") == NO_ROWS


def test_a_providers_filter_by_an_organization_without_practices() -> None:
    """The provider's id alone opens nothing."""
    assert rows("pat", organization="empty") == NO_ROWS


def test_a_filter_by_an_organization_whose_practices_no_column_holds() -> None:
    """Ids that aren't ids of the column's type grant nothing, and leave no filter behind."""
    assert rows("root", organization="odd") == NO_ROWS
    grant = grant_of(RECORDS, "root")
    assert not ask(grant, Request(organization="odd"), TEXT).scope.is_empty


def test_disjoint_filters() -> None:
    """Practices of one organization asked for under another."""
    assert rows("root", organization="north", practices=[201]) == NO_ROWS


def test_an_analyst_of_an_organization_without_practices() -> None:
    """Reads nothing, and is no super admin."""
    assert rows("nia") == NO_ROWS
    assert rows("nia", practices=[]) == NO_ROWS
    assert rows("nia", organization="empty") == NO_ROWS


def test_an_analyst_of_practices_that_no_column_holds() -> None:
    """A grant of ids that aren't ids here is an empty one."""
    assert rows("oda") == NO_ROWS
    assert ask(grant_of(RECORDS, "oda"), Request(), INTEGER).scope == NOTHING


def test_an_analyst_of_inactive_organizations_only() -> None:
    """Nothing active, nothing to read: directly and from above."""
    assert rows("clo") == NO_ROWS
    assert rows("shel") == NO_ROWS


def test_an_analyst_of_no_organization() -> None:
    """The right to read organizations of somebody who belongs to none."""
    assert rows("free") == NO_ROWS


def test_a_role_for_an_organization_without_practices() -> None:
    """Limited to nothing is not unlimited, for an analyst and for an admin."""
    assert rows("lim") == NO_ROWS
    assert rows("limited") == NO_ROWS


def test_a_role_for_an_organization_that_isnt_ones_own() -> None:
    """The role's organizations and the user's have nothing in common."""
    assert rows("far") == NO_ROWS


def test_one_without_a_provider() -> None:
    """No provider is not every provider."""
    assert rows("lost") == NO_ROWS
    assert rows("lost", practices=[101]) == NO_ROWS
    assert rows("lost", organization="north") == NO_ROWS


def test_a_provider_in_an_organization_without_practices() -> None:
    """No practice is not every practice in which the provider's id occurs."""
    assert rows("nil") == NO_ROWS


def test_a_provider_bound_to_somebody_elses_practice() -> None:
    """Neither there, which isn't theirs to read, nor here, where they are nobody."""
    assert rows("bound") == NO_ROWS


def test_an_export_of_what_may_not_be_read() -> None:
    """A right to export here and one to read there are no right to export anything."""
    assert rows("apart", purpose="export") == NO_ROWS
    assert len(rows("apart")) == 6


def test_a_door_that_opens_onto_nothing() -> None:
    """A role that opens a data source within an organization without practices."""
    door = frozenset({"finance"})
    assert rows("fin", door=door) == NO_ROWS
    assert rows("fins", door=door) == NO_ROWS
    assert len(rows("fin")) == 6


def test_what_lies_in_nothing() -> None:
    """A reach cut down to no organization is none, even everybody's."""
    nothing = Reach(frozenset(), frozenset(), ())
    assert EVERYTHING.cut(frozenset(), frozenset()) == nothing
    assert EVERYTHING.meet(nothing) == nothing
    assert nothing.meet(EVERYTHING) == nothing


def test_boxes_of_nothing() -> None:
    """They vanish, and widen no other."""
    none: frozenset[str] = frozenset()
    one = Box(frozenset({"1"}), frozenset({"5"}))
    assert unite_boxes([Box(none, ALL), Box(ALL, none), Box(none, none)]) == ()
    assert unite_boxes([Box(none, ALL), one, Box(ALL, none)]) == (one,)
    assert Scope((one,)).intersect(none, ALL) == NOTHING
    assert Scope((one,)).intersect(ALL, none) == NOTHING
    assert Scope((Box(ALL, ALL),)).intersect(none, ALL) == NOTHING
