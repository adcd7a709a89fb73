"""From the directory, a user and a moment to a grant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from warmcube.access.directory import Directory, RoleAssignment, User
from warmcube.access.grant import Authority, Grant, HeldRole, Right, issue_grant
from warmcube.access.ids import show
from warmcube.access.permissions import Action, ScopeKind
from warmcube.access.reach import EVERYTHING, Reach, unite_boxes
from warmcube.errors import AccessDenied
from warmcube.model.scope import ALL, All, Box

__all__ = ["LIFETIME", "Grant", "decide"]

LIFETIME: Final = timedelta(seconds=60)
"""A grant is worth nothing after so long, whatever else."""


def decide(
    directory: Directory,
    user: str,
    now: datetime,
    *,
    authority: Authority,
    actor: str = "library",
    lifetime: timedelta = LIFETIME,
) -> Grant:
    """What a user may read.

    Args:
        directory: at its version in force.
        user: the user's id.
        now: aware; role assignments that have expired by then don't count.
        authority: of the authoriser that decides.
        actor: who asks for it, for the audit.
        lifetime: the grant ends after so long, or with the first of its roles.

    Raises:
        AccessDenied: the user is unknown or inactive, is touched by a defect of the directory, or
            has no permission to read. The words are the same.
    """
    found = directory.users.get(user) if isinstance(user, str) else None
    if found is None:
        raise _denied(user, "unknown user")
    if not found.active:
        raise _denied(user, "inactive user")
    if user in directory.defective:
        raise _denied(user, "defect in the directory")
    roles = tuple(
        _hold(directory, assignment)
        for assignment in found.roles
        if assignment.expires is None or now < assignment.expires
    )
    home = directory.subtree(found.organizations)
    rights = tuple(right for held in roles for right in _rights(directory, found, held, home))
    if not any(right.permission.action is Action.READ for right in rights):
        raise _denied(user, "no read permission in force")
    return issue_grant(
        user=found,
        actor=actor,
        decided_at=now,
        valid_until=min([now + lifetime, *(held.expires for held in roles if held.expires)]),
        rights=rights,
        roles=roles,
        permissions=frozenset(
            permission
            for held in roles
            if isinstance(held.organizations, All)
            for permission in directory.roles.get(held.role, ())
            if not permission.has_rows
        ),
        authority=authority,
        directory=directory,
    )


def _denied(user: object, reason: str) -> AccessDenied:
    return AccessDenied(
        f"user {show(user)} may not read anything here; ask whoever keeps the directory",
        reason=reason,
    )


def _hold(directory: Directory, assignment: RoleAssignment) -> HeldRole:
    named = assignment.organization
    return HeldRole(
        role=assignment.role,
        organization=named,
        expires=assignment.expires,
        organizations=ALL if named is None else directory.subtree([named]),
    )


def _rights(
    directory: Directory, user: User, held: HeldRole, home: frozenset[str]
) -> Iterator[Right]:
    for permission in directory.roles.get(held.role, ()):
        if permission.has_rows:
            reach = _reach(directory, user, permission.scope, held, home)
            yield Right(permission=permission, held=held, reach=reach)


def _reach(
    directory: Directory, user: User, scope: ScopeKind, held: HeldRole, home: frozenset[str]
) -> Reach:
    if scope is ScopeKind.ALL:
        if isinstance(held.organizations, All):
            return EVERYTHING
        organizations = held.organizations
    elif isinstance(held.organizations, All):
        organizations = home
    else:
        organizations = held.organizations & home
    practices = directory.practices_of(organizations)
    if scope is ScopeKind.OWN:
        return Reach(organizations, practices, _own_boxes(user, practices), is_own=True)
    return Reach(organizations, practices, unite_boxes([Box(practices, ALL)]))


def _own_boxes(user: User, practices: frozenset[str]) -> tuple[Box, ...]:
    """The user's own rows in these practices; none without a provider."""
    everywhere = frozenset(
        binding.provider for binding in user.providers if binding.practice is None
    )
    bound: dict[str, set[str]] = {}
    for binding in user.providers:
        if binding.practice is not None and binding.practice in practices:
            bound.setdefault(binding.practice, set()).add(binding.provider)
    return unite_boxes(
        [
            Box(practices, everywhere),
            *(
                Box(frozenset([practice]), frozenset(providers))
                for practice, providers in bound.items()
            ),
        ]
    )
