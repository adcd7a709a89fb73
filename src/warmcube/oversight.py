"""The users and what they may see, for those who look after them; every look is audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from warmcube.access.directory import Directory, User
from warmcube.access.explained import ExplainedGrant, explain_grant
from warmcube.access.grant import Grant
from warmcube.audit.events import DirectoryRead, Granted, denial
from warmcube.audit.request import Request
from warmcube.audit.trail import Trail
from warmcube.directory.authoriser import Authoriser
from warmcube.directory.check import Finding, check_directory
from warmcube.errors import AccessDenied
from warmcube.model.schema import Datasource

__all__ = ["Explained", "Oversight", "UserList"]

MOST_USERS: Final = 100
"""Of one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserList:
    """Some users, by id.

    Attributes:
        users: of this page.
        total: how many there are in all that were searched for.
        following: the id after which the next page begins; None at the end.
    """

    users: tuple[Mapping[str, Any], ...]
    total: int
    following: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What a user may see, and why.

    Attributes:
        user: their id.
        access: from roles to practices; None for somebody who is denied.
        reason: why they are denied, one of the audit's reasons; None if they aren't.
        message: the same in words.
    """

    user: str
    access: ExplainedGrant | None
    reason: str | None = None
    message: str | None = None


class Oversight:
    """Looks through the directory. Whether somebody may must have been looked at before.

    Args:
        authoriser: has it.
        datasources: the configured ones.
        trail: has it written who looked at what.
    """

    def __init__(
        self, authoriser: Authoriser, datasources: Sequence[Datasource], trail: Trail
    ) -> None:
        self._authoriser = authoriser
        self._datasources = tuple(datasources)
        self._trail = trail

    async def organizations(self, grant: Grant) -> tuple[Mapping[str, Any], ...]:
        """All organizations, by id: what each is, and how many users belong to it.

        Raises:
            AccessDenied: the grant is over, or the directory can't be read within its bound.
            AuditError: the look can't be audited.
        """
        directory = await self._directory(grant)
        counts: dict[str, int] = {}
        for user in directory.users.values():
            for each in user.organizations:
                counts[each] = counts.get(each, 0) + 1
        await self._trail.record(_read(grant, "organizations", directory.version))
        return tuple(
            {
                "id": each.id,
                "name": each.name,
                "parent": each.parent,
                "active": each.active,
                "has_defect": each.id in directory.defective_organizations,
                "practices": sorted(each.practices, key=_by_size),
                "users": counts.get(each.id, 0),
            }
            for each in sorted(directory.organizations.values(), key=lambda found: found.id)
        )

    async def users(
        self,
        grant: Grant,
        *,
        search: str = "",
        organization: str | None = None,
        after: str = "",
    ) -> UserList:
        """Users, a page at a time.

        Args:
            grant: of whoever looks.
            search: what their id or their name contains, in whatever case.
            organization: that they belong to.
            after: the id after which the page begins.

        Raises:
            AccessDenied: the grant is over, or the directory can't be read within its bound.
            AuditError: the look can't be audited.
        """
        directory = await self._directory(grant)
        wanted = search.casefold()
        found = sorted(
            (
                each
                for each in directory.users.values()
                if (organization is None or organization in each.organizations)
                and (wanted in each.id.casefold() or wanted in each.name.casefold())
            ),
            key=lambda each: each.id,
        )
        page = [each for each in found if each.id > after][: MOST_USERS + 1]
        await self._trail.record(_read(grant, "users", directory.version))
        return UserList(
            users=tuple(_described(each, directory) for each in page[:MOST_USERS]),
            total=len(found),
            following=page[MOST_USERS - 1].id if len(page) > MOST_USERS else None,
        )

    async def explain(self, grant: Grant, user: str, organization: str | None = None) -> Explained:
        """What a user may see, and why; or why they are denied.

        Args:
            grant: of whoever looks.
            user: whose rights are explained.
            organization: only what a filter by this one leaves.

        Raises:
            AccessDenied: the grant is over.
            AuditError: the look can't be audited.
        """
        self._authoriser.check(grant)
        request = Request(action="explain", organization=organization)
        try:
            theirs = await self._authoriser.authorize(user, actor=grant.actor)
            access = explain_grant(theirs, self._datasources, organization)
        except AccessDenied as error:
            await self._trail.record(
                denial(error, actor=_name(grant), subject=user, request=request)
            )
            return Explained(user=user, access=None, reason=error.reason, message=str(error))
        await self._trail.record(
            Granted(actor=_name(grant), subject=user, request=request, directory=theirs.version)
        )
        return Explained(user=user, access=access)

    async def findings(self, grant: Grant) -> list[Finding]:
        """What is wrong with the directory, and what is odd about it by itself.

        Raises:
            AccessDenied: the grant is over.
            DirectoryError: the directory can't be read at all.
            AuditError: the look can't be audited.
        """
        self._authoriser.check(grant)
        found = await self._authoriser.survey()
        version = None if found.directory is None else found.directory.version
        await self._trail.record(_read(grant, "defects", version))
        return check_directory(found, self._datasources, {})

    async def _directory(self, grant: Grant) -> Directory:
        self._authoriser.check(grant)
        return await self._authoriser.directory()


def _read(
    grant: Grant, what: Literal["organizations", "users", "defects"], version: str | None
) -> DirectoryRead:
    return DirectoryRead(actor=grant.actor, subject=grant.user.id, what=what, directory=version)


def _name(grant: Grant) -> str:
    """Who had somebody explained: their name, and through whom they asked."""
    user, actor = grant.user.id, grant.actor
    return user if actor == user else f"{user} through {actor}"


def _by_size(practice: str) -> tuple[int, str]:
    """Numbers in their order, which texts aren't in."""
    return len(practice), practice


def _described(user: User, directory: Directory) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "active": user.active,
        "has_defect": user.id in directory.defective,
        "roles": [
            {
                "role": each.role,
                "organization": each.organization,
                "expires": None if each.expires is None else each.expires.isoformat(),
            }
            for each in user.roles
        ],
        "organizations": list(user.organizations),
        "is_provider": bool(user.providers),
    }
