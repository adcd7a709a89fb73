"""Everything that can be asked by anybody, against rules written a second time.

See `tests.support.access` for the other way of writing them.
"""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.access import ACTIONS, NOW, Oracle, Request, grant_of, outcome_of

from warmcube.access.permissions import PERMISSIONS
from warmcube.errors import AccessDenied

SOON = NOW + timedelta(hours=1)
PAST = NOW - timedelta(seconds=1)

ROLES = {
    "admin": ["analytics:read:all", "analytics:export:all", "cache:manage:all"],
    "auditor": ["analytics:read:all", "dashboards:embed:organization"],
    "analyst": ["analytics:read:organization", "analytics:export:organization"],
    "reader": ["analytics:read:organization", "dashboards:embed:organization"],
    "provider": ["analytics:read:own", "analytics:export:own"],
    "exporter": ["analytics:export:all"],
    "embedder": ["dashboards:embed:organization"],
    "key": [],
}
ORGANIZATIONS: list[dict[str, Any]] = [
    {"id": "root"},
    {"id": "north", "parent": "root", "practices": [101, 102]},
    {"id": "east", "parent": "north", "practices": ["103"]},
    {"id": "closed", "parent": "root", "practices": [104], "active": False},
    {"id": "under", "parent": "closed", "practices": [105]},
    {"id": "south", "practices": [106]},
    {"id": "empty"},
]


def _user(*roles: Any, organizations: Any = (), **more: Any) -> dict[str, Any]:
    return {"roles": list(roles), "organizations": list(organizations), **more}


def _in(role: str, organization: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "organization": organization, **more}


USERS: dict[str, dict[str, Any]] = {
    "inactive": _user("admin", active=False),
    "without_role": _user(organizations=["north"]),
    "without_reading": _user("exporter", "key"),
    "expired": _user({"role": "admin", "expires": NOW}),
    "admin": _user("admin"),
    "admin_for_now": _user({"role": "admin", "expires": SOON}),
    "auditor": _user("auditor", "analyst", organizations=["north"]),
    "admin_in_north": _user(_in("admin", "north"), "key"),
    "admin_in_closed": _user(_in("admin", "closed"), _in("key", "closed")),
    "admin_under": _user(_in("auditor", "under")),
    "analyst": _user("analyst", organizations=["north"]),
    "analyst_of_root": _user("analyst", organizations=["root"], provider=1),
    "analyst_of_two": _user("reader", "exporter", organizations=["east", "south"]),
    "analyst_of_closed": _user("analyst", organizations=["closed", "empty"]),
    "analyst_under": _user("analyst", _in("key", "under"), organizations=["under"]),
    "analyst_of_none": _user("analyst"),
    "analyst_elsewhere": _user(_in("analyst", "south"), organizations=["north"]),
    "analyst_within": _user(_in("analyst", "east"), _in("key", "east"), organizations=["root"]),
    "analyst_above": _user(_in("analyst", "root"), organizations=["east"]),
    "provider": _user("provider", organizations=["north"], provider=1),
    "provider_of_two": _user(
        "provider", organizations=["north"], providers=[{"provider": 1}, {"provider": "2"}]
    ),
    "provider_bound": _user(
        "provider",
        organizations=["north", "south"],
        providers=[
            {"practice": 101, "provider": 1},
            {"practice": 106, "provider": 2},
            {"practice": 104, "provider": 3},
        ],
    ),
    "provider_lost": _user("provider", organizations=["north"]),
    "provider_of_none": _user("provider", provider=1),
    "mixed": _user(
        _in("analyst", "north"),
        _in("provider", "south"),
        _in("key", "south"),
        organizations=["north", "south"],
        provider=2,
    ),
    "mixed_expired": _user(
        _in("analyst", "north", expires=PAST),
        _in("provider", "south", expires=SOON),
        organizations=["north", "south"],
        provider=2,
    ),
    "embedding_elsewhere": _user(
        "analyst", "provider", _in("embedder", "south"), organizations=["north"], provider=1
    ),
    "embedding_within": _user(
        "provider", _in("embedder", "east"), "key", organizations=["root"], provider=1
    ),
    "reader_exporting_own": _user(
        "reader", _in("provider", "north"), organizations=["north"], provider=1
    ),
}
RECORDS: dict[str, Any] = {
    "roles": ROLES,
    "organizations": ORGANIZATIONS,
    "users": [{"id": name, **user} for name, user in USERS.items()],
}

ROWS = list(
    itertools.product(
        [None, "101", "102", "103", "104", "105", "106", "107"], [None, "1", "2", "3"]
    )
)
ORGANIZATION_FILTERS = [None, *(each["id"] for each in ORGANIZATIONS), "gone"]
PRACTICE_FILTERS: list[list[Any] | None] = [
    None,
    [],
    [101],
    ["103", 103],
    [104],
    [105, 106],
    [106],
    [101, 106],
    [999],
]
PROVIDER_FILTERS: list[list[Any] | None] = [None, [], [1], ["2", 2], [1, 2], [999]]
SOURCES: list[dict[str, Any]] = [
    {},
    {"has_practice": False},
    {"has_provider": False},
    {"has_practice": False, "has_provider": False},
    {"door": frozenset({"key"})},
    {"door": frozenset({"analyst", "provider"})},
    {"door": frozenset({"key"}), "has_practice": False},
]


@pytest.mark.parametrize("user", ["unknown", *USERS])
def test_everything_that_one_may_ask(user: str) -> None:
    """Each combination of user, filters, data source and purpose gives what it should."""
    oracle = Oracle(RECORDS, user)
    try:
        grant = grant_of(RECORDS, user)
    except AccessDenied:
        grant = None
    for source, purpose, organization, practices, providers in itertools.product(
        SOURCES, ACTIONS, ORGANIZATION_FILTERS, PRACTICE_FILTERS, PROVIDER_FILTERS
    ):
        request = Request(
            organization=organization,
            practices=practices,
            providers=providers,
            purpose=purpose,
            **source,
        )
        assert outcome_of(grant, request, ROWS) == oracle.outcome(request, ROWS), request


def test_the_oracle_itself() -> None:
    """The second set of rules says by hand-counted examples what the design says."""
    whole = frozenset(ROWS)
    north = frozenset(row for row in ROWS if row[0] in {"101", "102", "103"})
    expected = {
        "unknown": AccessDenied,
        "inactive": AccessDenied,
        "expired": AccessDenied,
        "admin": whole,
        "analyst": north,
        "analyst_of_root": north,
        "admin_in_north": north,
        "analyst_of_none": frozenset[Any](),
        "analyst_elsewhere": frozenset[Any](),
        "provider_lost": frozenset[Any](),
        "provider": frozenset({("101", "1"), ("102", "1"), ("103", "1")}),
        "provider_bound": frozenset({("101", "1"), ("106", "2")}),
        "mixed": north | {("106", "2")},
        "mixed_expired": frozenset({("106", "2")}),
    }
    assert {user: Oracle(RECORDS, user).outcome(Request(), ROWS) for user in expected} == expected


NAMES = ["a", "b", "c", "d", "e", "f"]
PRACTICES = ["1", "2", "3", "4", "5"]
PROVIDERS = ["7", "8", "9"]
SMALL_ROWS = list(itertools.product([None, *PRACTICES, "6"], [None, *PROVIDERS]))


@st.composite
def _worlds(draw: st.DrawFn) -> dict[str, Any]:
    """Records of any tree, with one user, whom any mixture of roles may be given."""
    count = draw(st.integers(1, len(NAMES)))
    names = NAMES[:count]
    organizations = []
    for position, name in enumerate(names):
        each: dict[str, Any] = {
            "id": name,
            "practices": draw(st.lists(st.sampled_from(PRACTICES), unique=True, max_size=3)),
            "active": draw(st.sampled_from([True, True, True, False])),
        }
        if position and draw(st.booleans()):
            each["parent"] = draw(st.sampled_from(names[:position]))
        organizations.append(each)
    roles = {
        role: draw(st.lists(st.sampled_from([*PERMISSIONS, "billing:x"]), unique=True, max_size=4))
        for role in ("r", "s", "t")
    }
    assignments = []
    for role in draw(st.lists(st.sampled_from(list(roles)), unique=True)):
        assignment: dict[str, Any] = {"role": role}
        if draw(st.booleans()):
            assignment["organization"] = draw(st.sampled_from(names))
        if draw(st.booleans()):
            assignment["expires"] = draw(st.sampled_from([PAST, NOW, SOON]))
        assignments.append(assignment)
    bindings = draw(
        st.lists(
            st.tuples(st.sampled_from([None, *PRACTICES]), st.sampled_from(PROVIDERS)),
            unique=True,
            max_size=3,
        )
    )
    user = {
        "id": "u",
        "roles": assignments,
        "organizations": draw(st.lists(st.sampled_from(names), unique=True, max_size=3)),
        "providers": [
            {"provider": provider}
            if practice is None
            else {"practice": practice, "provider": provider}
            for practice, provider in bindings
        ],
    }
    return {"roles": roles, "organizations": organizations, "users": [user]}


def _lists_of(ids: list[str]) -> st.SearchStrategy[list[str] | None]:
    return st.none() | st.lists(st.sampled_from([*ids, "99"]), max_size=3)


_REQUESTS = st.builds(
    Request,
    organization=st.none() | st.sampled_from([*NAMES, "gone"]),
    practices=_lists_of(PRACTICES),
    providers=_lists_of(PROVIDERS),
    purpose=st.sampled_from(list(ACTIONS)),
    door=st.none() | st.frozensets(st.sampled_from(["r", "s", "t"])),
    has_practice=st.sampled_from([True, True, True, False]),
    has_provider=st.sampled_from([True, True, True, False]),
)


@settings(max_examples=300, deadline=None)
@given(_worlds(), st.lists(_REQUESTS, min_size=1, max_size=8))
def test_any_world(records: dict[str, Any], requests: list[Request]) -> None:
    """In any tree, for any mixture of roles and any filters, exactly the allowed rows are given."""
    oracle = Oracle(records, "u")
    try:
        grant = grant_of(records, "u")
    except AccessDenied:
        grant = None
    for request in requests:
        assert outcome_of(grant, request, SMALL_ROWS) == oracle.outcome(request, SMALL_ROWS)
