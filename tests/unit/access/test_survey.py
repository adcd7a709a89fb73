"""All defects of a directory are found at once, each with its place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from warmcube.access.defects import Defect
from warmcube.access.directory import (
    Organization,
    ProviderBinding,
    RoleAssignment,
    User,
)
from warmcube.access.permissions import PERMISSIONS
from warmcube.access.survey import build_directory, survey
from warmcube.errors import DirectoryError

THEN = datetime(2027, 1, 1, tzinfo=UTC)

GOOD: dict[str, Any] = {
    "roles": {"admin": ["analytics:read:all", "billing:pay"], "key": []},
    "organizations": [
        {"id": "root"},
        {"id": "north", "name": "North", "parent": "root", "practices": [101, "102"]},
        {"id": "closed", "active": False},
    ],
    "users": [
        {"id": "ana"},
        {
            "id": "bob",
            "name": "Bob",
            "roles": ["key", {"role": "admin", "organization": "north", "expires": THEN}],
            "organizations": ["north", "closed"],
            "providers": [{"practice": 101, "provider": 5}, {"provider": "6"}, 7],
            "active": False,
        },
        {"id": "cy", "provider": 10105},
    ],
}


def test_a_good_directory() -> None:
    """Every field arrives, every absent one gets its default."""
    directory = build_directory(GOOD, version="7")
    assert directory.version == "7"
    assert dict(directory.roles) == {"admin": (PERMISSIONS["analytics:read:all"],), "key": ()}
    assert dict(directory.organizations) == {
        "root": Organization(id="root", name="root"),
        "north": Organization(
            id="north", name="North", parent="root", practices=frozenset({"101", "102"})
        ),
        "closed": Organization(id="closed", name="closed", active=False),
    }
    assert dict(directory.users) == {
        "ana": User(id="ana", name="ana"),
        "bob": User(
            id="bob",
            name="Bob",
            roles=(RoleAssignment("key"), RoleAssignment("admin", "north", THEN)),
            organizations=("north", "closed"),
            providers=(
                ProviderBinding("101", "5"),
                ProviderBinding(None, "6"),
                ProviderBinding(None, "7"),
            ),
            active=False,
        ),
        "cy": User(id="cy", name="cy", providers=(ProviderBinding(None, "10105"),)),
    }
    assert directory.defective == frozenset()


def test_nothing_at_all() -> None:
    """An empty directory is one in which nobody may do anything."""
    directory = build_directory({}, version="1")
    assert (len(directory.roles), len(directory.organizations), len(directory.users)) == (0, 0, 0)


def _user(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "users": [{"id": "ana"}, {"id": "bob", **fields}]}


def _organization(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "organizations": [*GOOD["organizations"], {"id": "new", **fields}]}


OF_USERS: list[tuple[dict[str, Any], str, str]] = [
    (
        _user(organisations=["north"]),
        "users[1].organisations",
        (
            "there is no such field; the fields are id, name, roles, organizations, "
            "provider, providers, active"
        ),
    ),
    (_user(name=""), "users[1].name", "'' isn't text, or is empty; write text"),
    (_user(active="yes"), "users[1].active", "'yes' isn't true or false; write one of the two"),
    (_user(active=1), "users[1].active", "1 isn't true or false; write one of the two"),
    (_user(roles="admin"), "users[1].roles", "'admin' isn't an array; write [ … ]"),
    (
        _user(roles=["admin", "admn"]),
        "users[1].roles[1]",
        "there is no role 'admn'; name one that the directory has",
    ),
    (_user(roles=[3]), "users[1].roles[0]", "3 isn't a role; write its name, or {role = …}"),
    (
        _user(roles=["admin", "admin"]),
        "users[1].roles[1]",
        "'admin' stands there twice; write it once",
    ),
    (
        _user(roles=[{"role": "admin"}, {"role": "admin", "expires": THEN}]),
        "users[1].roles[1]",
        "a dict stands there twice; write it once",
    ),
    (
        _user(roles=[{}]),
        "users[1].roles[0].role",
        "there is no role None; name one that the directory has",
    ),
    (
        _user(roles=[{"role": "x"}]),
        "users[1].roles[0].role",
        "there is no role 'x'; name one that the directory has",
    ),
    (
        _user(roles=[{"role": "admin", "until": 1}]),
        "users[1].roles[0].until",
        "there is no such field; the fields are role, organization, expires",
    ),
    (
        _user(roles=[{"role": "admin", "organization": "nort"}]),
        "users[1].roles[0].organization",
        "there is no organization 'nort'; name one that the directory has",
    ),
    (
        _user(roles=[{"role": "admin", "organization": None}]),
        "users[1].roles[0].organization",
        "there is no organization None; name one that the directory has",
    ),
    *(
        (
            _user(roles=[{"role": "admin", "expires": value}]),
            "users[1].roles[0].expires",
            f"{shown} isn't a date and time with an offset; write 2027-01-01T00:00:00Z",
        )
        for value, shown in (
            ("2027-01-01", "'2027-01-01'"),
            (THEN.replace(tzinfo=None), "a datetime"),
            (date(2027, 1, 1), "a date"),
            (5, "5"),
            (None, "None"),
        )
    ),
    (
        _user(organizations=["gone"]),
        "users[1].organizations[0]",
        "there is no organization 'gone'; name one that the directory has",
    ),
    (
        _user(organizations=[1]),
        "users[1].organizations[0]",
        "there is no organization 1; name one that the directory has",
    ),
    (
        _user(organizations=["north", "north"]),
        "users[1].organizations[1]",
        "'north' stands there twice; write it once",
    ),
    (
        _user(provider=1.5),
        "users[1].provider",
        "1.5 can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        _user(provider=""),
        "users[1].provider",
        "'' can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        _user(provider=1, providers=[]),
        "users[1].provider",
        "stands beside providers; write one of the two",
    ),
    (
        _user(providers=[True]),
        "users[1].providers[0]",
        "True can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (_user(providers=5), "users[1].providers", "5 isn't an array; write [ … ]"),
    (
        _user(providers=[{"practice": 1}]),
        "users[1].providers[0].provider",
        "None can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        _user(providers=[{"practice": None, "provider": 1}]),
        "users[1].providers[0].practice",
        "None can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (
        _user(providers=[{"practise": 1, "provider": 1}]),
        "users[1].providers[0].practise",
        "there is no such field; the fields are practice, provider",
    ),
    (
        _user(providers=[5, {"provider": "5"}]),
        "users[1].providers[1]",
        "a dict stands there twice; write it once",
    ),
    (
        {**GOOD, "users": [{"id": "bob"}, {"id": "bob"}]},
        "users[1].id",
        "'bob' is already the id of users[0]",
    ),
]

OF_NOBODY: list[tuple[dict[str, Any], str, str]] = [
    (
        {**GOOD, "users": [{"id": "bob"}, {"name": "x"}]},
        "users[1].id",
        "is missing; write text that isn't empty",
    ),
    ({**GOOD, "users": [{"id": 5}]}, "users[0].id", "5 isn't text, or is empty; write text"),
    ({**GOOD, "users": [{"id": ""}]}, "users[0].id", "'' isn't text, or is empty; write text"),
    (
        {**GOOD, "users": [{"id": "a\x00"}]},
        "users[0].id",
        "'a\\x00' isn't text, or is empty; write text",
    ),
    (
        {"users": [], "organizations": [{}]},
        "organizations[0].id",
        "is missing; write text that isn't empty",
    ),
    ({"users": [], "roles": {"": []}}, "roles", "'' can't be the name of a role; write text"),
]

OF_ALL: list[tuple[dict[str, Any], str, str]] = [
    (
        {**GOOD, "user": []},
        "user",
        "there is no such field; the fields are roles, organizations, users",
    ),
    (
        {**GOOD, cast("str", 5): []},
        "5",
        "there is no such field; the fields are roles, organizations, users",
    ),
    ({"users": [], "roles": []}, "roles", "a list isn't a table; write [roles]"),
    ({**GOOD, "users": {}}, "users", "a dict isn't an array; write [ … ]"),
    ({**GOOD, "users": ["bob"]}, "users[0]", "'bob' isn't a table; write [[users]]"),
    ({"users": [], "organizations": {}}, "organizations", "a dict isn't an array; write [ … ]"),
    (
        {"users": [], "organizations": ["x"]},
        "organizations[0]",
        "'x' isn't a table; write [[organizations]]",
    ),
]

OF_ORGANIZATIONS: list[tuple[dict[str, Any], str, str]] = [
    (
        _organization(id="north"),
        "organizations[3].id",
        "'north' is already the id of organizations[1]",
    ),
    (
        _organization(practises=[1]),
        "organizations[3].practises",
        "there is no such field; the fields are id, name, parent, practices, active",
    ),
    (_organization(name=3), "organizations[3].name", "3 isn't text, or is empty; write text"),
    (
        _organization(active=0),
        "organizations[3].active",
        "0 isn't true or false; write one of the two",
    ),
    (
        _organization(practices=[1, "1"]),
        "organizations[3].practices[1]",
        "'1' stands there twice; write it once",
    ),
    (
        _organization(practices=[""]),
        "organizations[3].practices[0]",
        "'' can't be an id; write an integer of 64 bits, or text that isn't empty",
    ),
    (_organization(practices=1), "organizations[3].practices", "1 isn't an array; write [ … ]"),
    (_organization(parent=""), "organizations[3].parent", "'' isn't text, or is empty; write text"),
    (
        _organization(parent="gone"),
        "organizations[3].parent",
        "there is no organization 'gone'; name one that the directory has, or leave it out",
    ),
    (
        _organization(parent="new"),
        "organizations[3].parent",
        "new → new is a loop; an organization lies below one other",
    ),
]


@pytest.mark.parametrize(
    ("records", "place", "problem"), [*OF_USERS, *OF_NOBODY, *OF_ORGANIZATIONS, *OF_ALL]
)
def test_each_defect(records: dict[str, Any], place: str, problem: str) -> None:
    """Each mistake is one defect, with its place and what is wrong."""
    found = survey(records, version="1").defects
    assert [defect.place for defect in found] == [place]
    assert found[0].problem == problem
    with pytest.raises(DirectoryError) as error:
        build_directory(records, version="1", source="access.toml")
    assert str(error.value) == f"access.toml: {found[0]}"


@pytest.mark.parametrize(("records", "place", "problem"), OF_USERS)
def test_a_users_defect_touches_that_user(
    records: dict[str, Any], place: str, problem: str
) -> None:
    """Whoever's record is wrong is denied, and the others aren't."""
    found = survey(records, version="1")
    assert found.directory is not None
    assert found.directory.defective == {"bob"}
    assert f"{place} (user 'bob'): " in str(found.defects[0])


@pytest.mark.parametrize(("records", "place", "problem"), OF_NOBODY)
def test_a_user_without_id_is_nobody(records: dict[str, Any], place: str, problem: str) -> None:
    """A record that can't be told whose it is makes nobody a user."""
    found = survey(records, version="1")
    assert found.directory is not None
    assert found.directory.defective == frozenset()
    assert set(found.directory.users) <= {"bob"}


@pytest.mark.parametrize(("records", "place", "problem"), OF_ALL)
def test_a_defect_of_what_all_share(records: dict[str, Any], place: str, problem: str) -> None:
    """Where nothing can be made of the records, there is no directory."""
    assert survey(records, version="1").directory is None


@pytest.mark.parametrize(("records", "place", "problem"), OF_ORGANIZATIONS)
def test_an_organizations_defect_touches_it_and_its_users(
    records: dict[str, Any], place: str, problem: str
) -> None:
    """It counts as inactive; whoever is named for it is denied; the others aren't."""
    of = "north" if "already" in problem else "new"
    users = [
        {"id": "ana", "organizations": ["root"]},
        {"id": "member", "organizations": ["root", of]},
        {"id": "held", "roles": ["admin", {"role": "key", "organization": of}]},
    ]
    directory = survey({**records, "users": users}, version="1").directory
    assert directory is not None
    assert directory.defective_organizations == {of}
    assert of not in directory.active_organizations
    assert directory.defective == {"member", "held"}


def test_a_loop_touches_those_on_it() -> None:
    """Whatever hangs on the loop stays what it is for its own users."""
    records = {
        "organizations": [
            {"id": "a", "parent": "b"},
            {"id": "b", "parent": "a"},
            {"id": "below", "parent": "b", "practices": [1]},
            {"id": "apart"},
        ],
        "users": [
            {"id": "ana", "organizations": ["a"]},
            {"id": "bob", "organizations": ["below", "apart"]},
        ],
    }
    directory = survey(records, version="1").directory
    assert directory is not None
    assert directory.defective_organizations == {"a", "b"}
    assert directory.defective == {"ana"}
    assert directory.subtree(["a", "b", "below"]) == {"below"}


def test_what_a_defect_hides_below() -> None:
    """Whoever reads an organization is told which ones below it don't count for a defect."""
    records = {
        "organizations": [
            {"id": "top"},
            {"id": "odd", "parent": "top", "practices": [""]},
            {"id": "closed", "parent": "top", "practices": [""], "active": False},
            {"id": "under", "parent": "odd"},
            {"id": "apart", "practices": [""]},
        ]
    }
    directory = survey(records, version="1").directory
    assert directory is not None
    assert directory.subtree(["top"]) == {"top"}
    assert directory.lost_below(frozenset({"top"})) == {"odd"}
    assert directory.lost_below(frozenset({"under"})) == frozenset()


def test_places_by_id() -> None:
    """Records without an order are named by their ids, and what is known already comes first."""
    known = Defect(place="user_roles", problem="is odd", user="ana")
    records = {
        "organizations": [{"id": "o", "parent": "p"}],
        "users": [{"id": "ana"}, {"id": "bob", "roles": ["s"]}, {"name": "x"}],
    }
    found = survey(records, version="1", known_defects=[known], by_id=True)
    assert [each.place for each in found.defects] == [
        "user_roles",
        "organizations['o'].parent",
        "users['bob'].roles[0]",
        "users[None].id",
    ]
    assert found.directory is not None
    assert found.directory.defective == {"ana", "bob"}


@pytest.mark.parametrize(
    ("permissions", "place", "problem"),
    [
        (
            ["analytics:read:al"],
            "roles.faulty[0]",
            (
                "there is no permission 'analytics:read:al'; write one of analytics:read:all, "
                "analytics:read:organization, analytics:read:own, analytics:export:all, "
                "analytics:export:organization, analytics:export:own, cache:read:all, "
                "cache:manage:all, directory:read:all, directory:manage:all, "
                "dashboards:embed:organization"
            ),
        ),
        (["x:y", "x:y"], "roles.faulty[1]", "'x:y' stands there twice; write it once"),
        ("analytics:read:all", "roles.faulty", "'analytics:read:all' isn't an array; write [ … ]"),
        ([3], "roles.faulty[0]", "3 can't be a permission; write text that isn't empty"),
    ],
)
def test_a_roles_defect_touches_those_who_have_it(
    permissions: Any, place: str, problem: str
) -> None:
    """Whoever has a role that is wrong is denied, though they have others too."""
    records = {
        "roles": {"fine": ["analytics:read:all"], "faulty": permissions},
        "users": [
            {"id": "ana", "roles": ["fine"]},
            {"id": "bob", "roles": ["fine", {"role": "faulty"}]},
        ],
    }
    found = survey(records, version="1")
    assert [(each.place, each.role) for each in found.defects] == [(place, "faulty")]
    assert found.defects[0].problem == problem
    assert found.directory is not None
    assert found.directory.defective == {"bob"}


def test_what_cant_be_read_grants_nothing() -> None:
    """A role whose limit is wrong isn't taken for an unlimited one, nor an odd flag for true."""
    found = survey(
        _user(
            roles=[{"role": "admin", "organization": "nort"}, {"role": "key", "expires": "soon"}],
            providers=[{"practice": 1.5, "provider": 5}],
            active="no",
        ),
        version="1",
    )
    assert found.directory is not None
    bob = found.directory.users["bob"]
    assert bob.roles == (RoleAssignment("key"),)
    assert (bob.providers, bob.active) == ((), False)
    assert "bob" in found.directory.defective


def test_loops_and_parents() -> None:
    """Each loop is reported once, with its way round; what hangs on it isn't."""
    records = {
        "organizations": [
            {"id": "x", "parent": "a"},
            {"id": "a", "parent": "b"},
            {"id": "b", "parent": "c"},
            {"id": "c", "parent": "a"},
            {"id": "self", "parent": "self"},
            {"id": "top"},
            {"id": "leaf", "parent": "top"},
            {"id": "lost", "parent": "gone"},
        ]
    }
    assert [(each.place, each.problem) for each in survey(records, version="1").defects] == [
        (
            "organizations[1].parent",
            "a → b → c → a is a loop; an organization lies below one other",
        ),
        (
            "organizations[4].parent",
            "self → self is a loop; an organization lies below one other",
        ),
        (
            "organizations[7].parent",
            "there is no organization 'gone'; name one that the directory has, or leave it out",
        ),
    ]


def test_all_defects_come_at_once() -> None:
    """One error lists them all, in the order of the file."""
    records = {
        "roles": {"r": ["cache:red:all"]},
        "organizations": [{"id": "o", "parent": "p"}],
        "users": [{"id": "ana", "roles": ["s"], "organizations": ["q"]}, {}],
        "sers": 1,
    }
    with pytest.raises(DirectoryError) as error:
        build_directory(records, version="1", source="access.toml")
    lines = str(error.value).splitlines()
    assert lines[0] == "access.toml has 6 defects:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "sers",
        "roles.r[0]",
        "organizations[0].parent",
        "users[0].roles[0] (user 'ana')",
        "users[0].organizations[0] (user 'ana')",
        "users[1].id",
    ]


def test_what_is_nameless_or_odd_hides_nothing_behind_it() -> None:
    """The roles, organizations and users that follow are read, and so are their defects."""
    records = {
        "roles": {"": [], "fine": ["analytics:read:all"], "odd": [5]},
        "organizations": [{}, {"id": "north"}, {"name": "x"}, {"id": "south", "active": 3}],
        "users": [{}, {"id": "ana", "roles": ["fine"]}, {"id": 5}, {"id": "bob", "active": 3}],
    }
    found = survey(records, version="1")
    assert [each.place for each in found.defects] == [
        *("roles", "roles.odd[0]"),
        *("organizations[0].id", "organizations[2].id", "organizations[3].active"),
        *("users[0].id", "users[2].id", "users[3].active"),
    ]
    assert found.directory is not None
    assert list(found.directory.roles) == ["fine", "odd"]
    assert list(found.directory.organizations) == ["north", "south"]
    assert list(found.directory.users) == ["ana", "bob"]
    assert found.directory.defective == {"bob"}


def test_what_is_refused_isnt_there() -> None:
    """A user has no role, organization or provider that couldn't be read, in any of its forms."""
    for fields in (
        {"roles": ["gone"]},
        {"roles": [{"role": "gone"}]},
        {"roles": [{"role": None}]},
        {"roles": [5]},
        {"organizations": ["gone"]},
        {"provider": 1.5},
        {"providers": [1.5]},
        {"providers": [{"practice": 1}]},
        {"providers": [{"practice": 1.5, "provider": 1}]},
        {"providers": [{"practice": None, "provider": 1}]},
    ):
        directory = survey(_user(**fields), version="1").directory
        assert directory is not None
        assert directory.users["bob"] == User(id="bob", name="bob")


@pytest.mark.parametrize("given", [5, "", None, ["bob"], {"id": "bob"}, "a\x00"])
def test_a_defect_is_of_a_user_only_by_a_readable_id(given: Any) -> None:
    """Whatever stands there instead names nobody, and nothing breaks on it."""
    (defect,) = survey({**GOOD, "users": [{"id": given}]}, version="1").defects
    assert (defect.place, defect.user) == ("users[0].id", None)
    (defect,) = survey({"organizations": [{"id": given}]}, version="1").defects
    assert (defect.place, defect.organizations) == ("organizations[0].id", frozenset())


def test_a_directory_without_a_name() -> None:
    """What it is called where nobody says."""
    with pytest.raises(DirectoryError) as error:
        build_directory({"user": []}, version="1")
    assert str(error.value) == (
        "the directory: user: there is no such field; the fields are roles, organizations, users"
    )


def test_a_repeated_id_hides_nothing_behind_it() -> None:
    """The first of two counts, as one with a defect, and those after them are read."""
    records = {
        "organizations": [{"id": "a"}, {"id": "a", "practices": [1]}, {"id": "b"}],
        "users": [{"id": "ana"}, {"id": "ana", "provider": 1}, {"id": "bob"}],
    }
    directory = survey(records, version="1").directory
    assert directory is not None
    assert dict(directory.organizations) == {
        "a": Organization(id="a", name="a"),
        "b": Organization(id="b", name="b"),
    }
    assert dict(directory.users) == {
        "ana": User(id="ana", name="ana"),
        "bob": User(id="bob", name="bob"),
    }
    assert directory.defective_organizations == {"a"}
    assert directory.defective == {"ana"}
