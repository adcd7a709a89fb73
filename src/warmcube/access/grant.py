"""What one user may read: made by the authoriser, demanded by every read.

Python can't keep anybody from forging an object on purpose. What is kept here is that nobody comes
by a grant by accident: it can't be constructed, changed, copied, pickled or subclassed, and it
knows which authoriser made it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn, final

from warmcube.access.directory import Directory, User
from warmcube.access.permissions import Action, Permission
from warmcube.access.reach import Reach
from warmcube.errors import AccessDenied
from warmcube.model.scope import Ids

__all__ = ["Authority", "Grant", "HeldRole", "Right", "issue_grant", "require_grant"]

_TOKEN: Final = object()


@final
class Authority:
    """Who made a grant: every authoriser has one of its own, and trusts no other."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRole:
    """A role in force.

    Attributes:
        role: its name.
        organization: the one that the assignment names; None if it holds everywhere.
        expires: when it ends, if it does.
        organizations: where it holds: ``ALL``, or the active part of that subtree.
    """

    role: str
    organization: str | None
    expires: datetime | None
    organizations: Ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One permission in force, how far it goes, and where it came from."""

    permission: Permission
    held: HeldRole
    reach: Reach


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Grant:
    """What one user may read, for a bounded time.

    Attributes:
        user: whose rights these are.
        actor: who asked for them: a service, a job, whoever sits at the command line.
        version: of the directory that it was decided from.
        decided_at: when.
        valid_until: from this moment on it is worth nothing.
        rights: those that speak of rows; they unite.
        roles: the roles in force.
        permissions: the others in force, such as ``cache:read:all``.
        authority: of the authoriser that made it.
    """

    user: User
    actor: str
    decided_at: datetime
    valid_until: datetime
    rights: tuple[Right, ...]
    roles: tuple[HeldRole, ...]
    permissions: frozenset[Permission]
    authority: Authority
    directory: Directory
    token: InitVar[object]
    # What follows from all this for a data source, kept so that a query needn't work it out again.
    memo: dict[Hashable, Any] = field(init=False, default_factory=dict)

    def __post_init__(self, token: object) -> None:
        if token is not _TOKEN:
            raise TypeError("a grant comes from Authoriser.authorize(); it can't be constructed")

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("a grant can't be subclassed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a grant can't be copied or pickled; authorise anew where it is needed")

    def __repr__(self) -> str:
        return f"<Grant of {self.user.id!r} until {self.valid_until.isoformat()}>"

    @property
    def version(self) -> str:
        return self.directory.version

    def permits(self, action: Action) -> bool:
        """Whether an action that doesn't speak of rows, such as ``cache:read``, is allowed."""
        return any(permission.action is action for permission in self.permissions)

    def is_valid_at(self, now: datetime) -> bool:
        """Whether it counts; not before it was decided either, so that a clock set back ends it."""
        return self.decided_at <= now < self.valid_until


def issue_grant(**fields: Any) -> Grant:
    """Make a grant; for `warmcube.access.decide` alone."""
    return Grant(token=_TOKEN, **fields)


def require_grant(grant: object, now: datetime) -> Grant:
    """The grant, if it is one and counts.

    Raises:
        AccessDenied: if it doesn't.
    """
    if type(grant) is not Grant:
        raise AccessDenied(
            f"a grant is needed, not {type(grant).__name__}; get one from authorize()",
            reason="no grant",
        )
    if not grant.is_valid_at(now):
        raise AccessDenied(
            f"the grant of {grant.user.id!r} held until {grant.valid_until.isoformat()}; "
            "authorise anew",
            reason="grant outdated",
        )
    return grant
