"""A whole grant, explained: from each role to permissions, organizations and practices. Pure.

For whoever keeps the directory, who may see all of it; never for the user.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from warmcube.access.directory import Directory, ProviderBinding, RoleAssignment
from warmcube.access.grant import Grant, Right
from warmcube.access.permissions import Action
from warmcube.errors import AccessDenied
from warmcube.model.schema import Datasource
from warmcube.model.scope import All

__all__ = ["ExplainedGrant", "ExplainedRight", "ExplainedRole", "Holding", "explain_grant"]


@dataclass(frozen=True, slots=True)
class Holding:
    """One organization that a right reaches, and the practices that it holds itself."""

    organization: str
    name: str
    practices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplainedRight:
    """What one permission comes to.

    Attributes:
        permission: its text.
        holdings: where it holds; None where that is everywhere, rows of no practice included.
        providers: the user's own, each bound to a practice or not; None where whole practices are
            meant.
        nothing: why it comes to nothing, if it does.
    """

    permission: str
    holdings: tuple[Holding, ...] | None
    providers: tuple[ProviderBinding, ...] | None
    nothing: str | None


@dataclass(frozen=True, slots=True)
class ExplainedRole:
    """A role that the user has.

    Attributes:
        role: its name.
        organization: the one that it is held for; None for everywhere.
        expires: when it ends, or ended.
        in_force: whether it counts now.
        rights: what it gives, where it counts.
        permissions: those that don't speak of rows.
    """

    role: str
    organization: str | None
    expires: datetime | None
    in_force: bool
    rights: tuple[ExplainedRight, ...] = ()
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedGrant:
    """Why a grant is what it is.

    Attributes:
        user: the user's id.
        name: the user's name.
        directory_version: of the directory that decided.
        decided_at: when.
        valid_until: until when it counts at most.
        organization: that the explanation is narrowed to, if it is.
        roles: all that the user has.
        inactive_organizations: of the user's own, those that count for nothing.
        lost_organizations: those below them that a defect keeps from counting.
        datasources: id, name, and for whom each configured one exists.
    """

    user: str
    name: str
    directory_version: str
    decided_at: datetime
    valid_until: datetime
    organization: str | None
    roles: tuple[ExplainedRole, ...]
    inactive_organizations: tuple[str, ...]
    lost_organizations: tuple[str, ...]
    datasources: tuple[tuple[int, str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """All of it, as what JSON can hold; None where nothing is restricted."""
        return {
            "user": self.user,
            "name": self.name,
            "directory_version": self.directory_version,
            "decided_at": self.decided_at.isoformat(),
            "valid_until": self.valid_until.isoformat(),
            "organization": self.organization,
            "roles": [_role_json(role) for role in self.roles],
            "inactive_organizations": list(self.inactive_organizations),
            "lost_organizations": list(self.lost_organizations),
            "datasources": [
                {"id": number, "name": name, "exists": exists}
                for number, name, exists in self.datasources
            ],
        }


def explain_grant(
    grant: Grant, datasources: Iterable[Datasource], organization: str | None = None
) -> ExplainedGrant:
    """Explain a grant.

    Args:
        grant: from the authoriser.
        datasources: the configured ones.
        organization: narrow it to this one and those below, as a filter would.

    Raises:
        AccessDenied: the organization isn't one that the user may filter by.
    """
    directory, user = grant.directory, grant.user
    within = None if organization is None else _within(grant, organization)
    reached = frozenset[str]().union(
        *(
            right.reach.organizations
            for right in grant.rights
            if not isinstance(right.reach.organizations, All)
        )
    )
    return ExplainedGrant(
        user=user.id,
        name=user.name,
        directory_version=grant.version,
        decided_at=grant.decided_at,
        valid_until=grant.valid_until,
        organization=organization,
        roles=tuple(_role(grant, assignment, within) for assignment in user.roles),
        inactive_organizations=tuple(
            each for each in user.organizations if each not in directory.active_organizations
        ),
        lost_organizations=tuple(sorted(directory.lost_below(within or reached))),
        datasources=tuple((each.id, each.name, _door(grant, each)) for each in datasources),
    )


def _within(grant: Grant, organization: str) -> frozenset[str]:
    directory = grant.directory
    allowed = (
        right.reach.organizations
        for right in grant.rights
        if right.permission.action is Action.READ
    )
    if organization in directory.active_organizations and any(
        isinstance(each, All) or organization in each for each in allowed
    ):
        return directory.subtree([organization])
    raise AccessDenied(
        f"user {grant.user.id!r} may not filter by organization {organization!r}: it is unknown, "
        "inactive, or outside what the user may read",
        reason="organization outside the scope",
    )


def _role(grant: Grant, assignment: RoleAssignment, within: frozenset[str] | None) -> ExplainedRole:
    name = (assignment.role, assignment.organization)
    in_force = any(name == (held.role, held.organization) for held in grant.roles)
    return ExplainedRole(
        role=assignment.role,
        organization=assignment.organization,
        expires=assignment.expires,
        in_force=in_force,
        rights=tuple(
            _right(grant, right, within)
            for right in grant.rights
            if name == (right.held.role, right.held.organization)
        ),
        permissions=tuple(
            str(permission)
            for permission in grant.directory.roles.get(assignment.role, ())
            if in_force and assignment.organization is None and not permission.has_rows
        ),
    )


def _right(grant: Grant, right: Right, within: frozenset[str] | None) -> ExplainedRight:
    reached = right.reach.organizations
    if isinstance(reached, All):
        reached = within if within is not None else reached
    elif within is not None:
        reached &= within
    holdings = None if isinstance(reached, All) else _holdings(grant.directory, reached)
    providers = grant.user.providers if right.reach.is_own else None
    return ExplainedRight(str(right.permission), holdings, providers, _nothing(holdings, providers))


def _holdings(directory: Directory, organizations: Iterable[str]) -> tuple[Holding, ...]:
    found = (directory.organizations[each] for each in sorted(organizations))
    return tuple(Holding(each.id, each.name, tuple(sorted(each.practices))) for each in found)


def _nothing(
    holdings: tuple[Holding, ...] | None, providers: tuple[ProviderBinding, ...] | None
) -> str | None:
    """Why a right comes to nothing."""
    if providers == ():
        return "the user is no provider"
    if holdings is None:
        return None
    if not holdings:
        return "it holds in no active organization of the user's"
    practices = {practice for holding in holdings for practice in holding.practices}
    if not practices:
        return "these organizations hold no practice"
    bound = {binding.practice for binding in providers or ()}
    if providers is not None and None not in bound and practices.isdisjoint(bound - {None}):
        return "none of these practices is one that the user's providers are bound to"
    return None


def _door(grant: Grant, datasource: Datasource) -> str:
    """For whom of the user's roles a data source exists."""
    if datasource.door is None:
        return "for everybody"
    opening = [held for held in grant.roles if held.role in datasource.door]
    if any(isinstance(held.organizations, All) for held in opening):
        return "by " + ", ".join(sorted({held.role for held in opening}))
    inside = sorted({str(held.organization) for held in opening if held.organizations})
    return f"in {', '.join(inside)} and below" if inside else "not for this user"


def _role_json(role: ExplainedRole) -> dict[str, Any]:
    return {
        "role": role.role,
        "organization": role.organization,
        "expires": role.expires and role.expires.isoformat(),
        "in_force": role.in_force,
        "rights": [_right_json(right) for right in role.rights],
        "permissions": list(role.permissions),
    }


def _right_json(right: ExplainedRight) -> dict[str, Any]:
    return {
        "permission": right.permission,
        "organizations": None
        if right.holdings is None
        else [
            {"id": each.organization, "name": each.name, "practices": list(each.practices)}
            for each in right.holdings
        ],
        "providers": None
        if right.providers is None
        else [{"practice": each.practice, "provider": each.provider} for each in right.providers],
        "nothing": right.nothing,
    }
