"""What one user may choose from."""

from __future__ import annotations

from tests.support.access import Request, grant_of

from warmcube.access.listing import OrganizationName, open_datasources, organizations
from warmcube.model.schema import Datasource

RECORDS = {
    "roles": {
        "analyst": ["analytics:read:organization"],
        "provider": ["analytics:read:own"],
        "exporter": ["analytics:export:all"],
        "reader": ["analytics:read:all"],
    },
    "organizations": [
        {"id": "root", "practices": [1]},
        {"id": "north", "name": "North Group", "parent": "root", "practices": [101]},
        {"id": "lab", "parent": "north", "practices": [103]},
        {"id": "closed", "parent": "north", "practices": [104], "active": False},
    ],
    "users": [
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "pat", "roles": ["provider"], "organizations": ["north"], "provider": 5},
        {"id": "eva", "roles": ["analyst", "exporter"], "organizations": ["lab"]},
        {"id": "kim", "roles": ["reader"]},
    ],
}
PLAIN = Request().datasource
GUARDED = Request(door=frozenset({"finance"})).datasource
WITHOUT_PROVIDERS = Request(has_provider=False).datasource
WITHOUT_PRACTICES = Request(has_practice=False).datasource


def _open(user: str) -> list[Datasource]:
    every = (PLAIN, GUARDED, WITHOUT_PROVIDERS, WITHOUT_PRACTICES)
    return list(open_datasources(grant_of(RECORDS, user), every))


def test_data_sources() -> None:
    """A closed door and a table without the role that a right hangs on are left out."""
    assert _open("ana") == [PLAIN, WITHOUT_PROVIDERS]
    assert _open("pat") == [PLAIN]


def test_organizations_are_those_of_the_subtree() -> None:
    """One's own and those below it that are active; what lies above has no name."""
    assert organizations(grant_of(RECORDS, "ana")) == (
        OrganizationName("lab", "lab", "north"),
        OrganizationName("north", "North Group", None),
    )


def test_only_rights_to_read_open_organizations() -> None:
    """Who may export everything may choose from what they read."""
    assert organizations(grant_of(RECORDS, "eva")) == (OrganizationName("lab", "lab", None),)


def test_who_reads_everything_may_name_every_active_organization() -> None:
    """Also those that they don't belong to."""
    assert organizations(grant_of(RECORDS, "kim")) == (
        OrganizationName("lab", "lab", "north"),
        OrganizationName("north", "North Group", "root"),
        OrganizationName("root", "root", None),
    )
