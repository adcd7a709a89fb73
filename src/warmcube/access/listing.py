"""What one user may choose from: data sources and organizations. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from warmcube.access.grant import Grant
from warmcube.access.permissions import Action
from warmcube.access.standing import KeyTypes, stand
from warmcube.errors import AccessDenied, UnknownDatasource
from warmcube.model.schema import ColumnType, Datasource, Kind
from warmcube.model.scope import All

__all__ = ["OrganizationName", "open_datasources", "organizations"]

_ANY = ColumnType(Kind.TEXT)
"""Whether anything may be read doesn't hang on the types of the columns, only on their being."""


class OrganizationName(NamedTuple):
    """An organization that somebody may filter by.

    Attributes:
        id: what a query names.
        name: what people call it.
        parent: the id of the one above it; None if that isn't theirs to name.
    """

    id: str
    name: str
    parent: str | None


def open_datasources(grant: Grant, datasources: Iterable[Datasource]) -> tuple[Datasource, ...]:
    """Those that exist for a grant and of which it lets something be read."""
    return tuple(each for each in datasources if _is_open(grant, each))


def _is_open(grant: Grant, datasource: Datasource) -> bool:
    roles = datasource.roles
    types = KeyTypes(
        None if roles.practice is None else _ANY, None if roles.provider is None else _ANY
    )
    try:
        stand(grant, datasource, types, "read")
    except (AccessDenied, UnknownDatasource):
        return False
    return True


def organizations(grant: Grant) -> tuple[OrganizationName, ...]:
    """Those that a grant lets be named in a query, by id."""
    allowed: frozenset[str] = frozenset()
    for right in grant.rights:
        if right.permission.action is not Action.READ:
            continue
        reach = right.reach.organizations
        if isinstance(reach, All):
            allowed = grant.directory.active_organizations
            break
        allowed |= reach
    found = (grant.directory.organizations[each] for each in sorted(allowed))
    return tuple(
        OrganizationName(each.id, each.name, each.parent if each.parent in allowed else None)
        for each in found
    )
