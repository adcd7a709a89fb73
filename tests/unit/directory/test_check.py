"""What is odd about a directory beside the data is found, and what is in order isn't."""

from __future__ import annotations

from typing import Any

import pytest

from warmcube.access.survey import survey
from warmcube.directory.check import DatasourceKeys, Finding, check_directory
from warmcube.model.schema import ColumnType, Datasource, Kind

INTEGER = ColumnType(Kind.INTEGER)
DATASOURCE = Datasource(id=1, name="D", source="s", table="t", door=frozenset({"analyst", "own"}))

GOOD: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all"],
        "analyst": ["analytics:read:organization"],
        "own": ["analytics:read:own"],
    },
    "organizations": [
        {"id": "north", "practices": [101]},
        {"id": "coast", "parent": "north", "practices": [102]},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "pat", "roles": ["own"], "organizations": ["coast"], "provider": 5},
        {"id": "bea", "roles": ["own"], "organizations": ["north"],
         "providers": [{"practice": 101, "provider": 7}]},
    ],
}  # fmt: skip
PAIRS = frozenset({("101", "7"), ("102", "5"), ("102", "7"), ("101", None), (None, "5")})
KEYS = DatasourceKeys(practice_type=INTEGER, provider_type=INTEGER, pairs=PAIRS)


def _found(
    records: dict[str, Any], keys: DatasourceKeys | None = KEYS, datasource: Datasource = DATASOURCE
) -> list[Finding]:
    read = {} if keys is None else {1: keys}
    return check_directory(survey(records, version="1"), [datasource], read)


def _with_user(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "users": [*GOOD["users"], {"id": "odd", **fields}]}


def _with_organization(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "organizations": [*GOOD["organizations"], {"id": "o", **fields}]}


def test_in_order() -> None:
    """Nothing is found where nothing is odd, with the data or without."""
    assert _found(GOOD) == []
    assert _found(GOOD, None) == []


def test_defects_come_first() -> None:
    """Each with its place and whom it denies; nothing more where there is no directory."""
    records = _with_user(roles=["admn"])
    first, *rest = _found(records)
    assert first == Finding(
        "users[4].roles[0]",
        "there is no role 'admn'; name one that the directory has (denies user 'odd')",
        True,
    )
    assert [each.is_defect for each in rest] == [False]
    assert _found({"roles": 5}) == [Finding("roles", "5 isn't a table; write [roles]", True)]


@pytest.mark.parametrize(
    ("records", "place", "problem"),
    [
        (
            {**GOOD, "roles": {**GOOD["roles"], "spare": []}},
            "roles['spare']",
            "nobody has this role",
        ),
        (
            _with_user(),
            "users['odd']",
            "has no role that lets them read anything, and is denied",
        ),
        (
            _with_user(roles=["analyst"]),
            "users['odd']",
            "belongs to no active organization, so that some of their rights reach nothing",
        ),
        (
            _with_user(roles=["own"], organizations=["north"]),
            "users['odd']",
            "may read only their own rows, and is no provider: sees nothing",
        ),
        (
            _with_user(
                roles=["own"],
                organizations=["coast"],
                providers=[{"practice": 101, "provider": 1}, {"practice": 102, "provider": 1}],
            ),
            "users['odd']",
            "is a provider in practice 101, outside their organizations",
        ),
        (
            _with_user(roles=["own"], organizations=["north"], provider=7),
            "users['odd']",
            (
                "is provider '7' in whatever practice; data source 1 has that id in practices 101, "
                "102: if these are different people, bind it to one with "
                "{practice = …, provider = …}"
            ),
        ),
        (
            _with_user(roles=["own"], organizations=["north"], provider="x"),
            "users['odd']",
            (
                "is provider 'x', which the provider column of data source 1 can't hold (integer): "
                "it grants nothing there"
            ),
        ),
        (
            _with_organization(practices=[103, "p1"]),
            "data source 1",
            (
                "can't hold practice p1 of the directory in its practice column, which is integer: "
                "they grant nothing there"
            ),
        ),
        (
            _with_organization(practices=[103]),
            "data source 1",
            "has no rows of practice 103 of the directory",
        ),
    ],
)
def test_each_oddity(records: dict[str, Any], place: str, problem: str) -> None:
    """Each is found, and told for what it is."""
    assert Finding(place, problem) in _found(records)
    assert not any(each.is_defect for each in _found(records))


def test_bound_providers_that_a_column_cant_hold() -> None:
    """They grant nothing there either, and are listed."""
    records = _with_user(
        roles=["own"], organizations=["north"], providers=[{"practice": 101, "provider": "x"}]
    )
    assert [each.problem for each in _found(records)] == [
        (
            "is provider 'x', which the provider column of data source 1 can't hold (integer): it "
            "grants nothing there"
        )
    ]


def test_practices_in_no_organization() -> None:
    """Rows that nobody's organization has; an inactive organization doesn't count."""
    pairs = PAIRS | {(str(practice), "1") for practice in range(200, 213)}
    keys = DatasourceKeys(practice_type=INTEGER, provider_type=INTEGER, pairs=pairs)
    records = _with_organization(practices=[200], active=False)
    assert _found(records, keys) == [
        Finding(
            "data source 1",
            "has rows of practices 200, 201, 202, 203, 204, 205, 206, 207, 208, 209 and 3 more in "
            "no active organization: only those who read everything see them",
        )
    ]


def test_a_door_for_roles_that_there_arent() -> None:
    """A typo there would keep out those who were meant."""
    door = Datasource(id=1, name="D", source="s", table="t", door=frozenset({"analist", "own"}))
    assert _found(GOOD, datasource=door) == [
        Finding(
            "data source 1", "lists role analist in its roles, which the directory doesn't have"
        )
    ]


def test_columns_that_there_arent() -> None:
    """Without a practice column there is nothing to compare; without providers, only practices."""
    none = DatasourceKeys(practice_type=None, provider_type=None, pairs=frozenset({(None, None)}))
    assert _found(GOOD, none) == []
    some = DatasourceKeys(
        practice_type=INTEGER, provider_type=None, pairs=frozenset({("101", None), ("102", None)})
    )
    assert _found(_with_user(roles=["own"], organizations=["north"], provider="x"), some) == []
