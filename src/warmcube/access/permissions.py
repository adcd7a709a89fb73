"""The closed list of permissions.

A role may also hold permissions of other applications: whatever stands under a prefix that isn't
ours is kept out of every decision. A mistake under one of our prefixes is a defect, since a
permission that silently means nothing is found out at the worst moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warmcube.access.ids import show
from warmcube.errors import DirectoryError

__all__ = ["PERMISSIONS", "Action", "Permission", "ScopeKind", "parse_permission"]


class Action(StrEnum):
    """What somebody may do."""

    READ = "analytics:read"
    EXPORT = "analytics:export"
    CACHE_READ = "cache:read"
    CACHE_MANAGE = "cache:manage"
    DIRECTORY_READ = "directory:read"
    DIRECTORY_MANAGE = "directory:manage"
    EMBED = "dashboards:embed"


class ScopeKind(StrEnum):
    """On which rows: every one, those of one's organizations, those of oneself."""

    ALL = "all"
    ORGANIZATION = "organization"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Permission:
    """One action on one kind of scope."""

    action: Action
    scope: ScopeKind

    @property
    def has_rows(self) -> bool:
        """Whether it speaks of rows; the others hold everywhere or nowhere."""
        return self.action in (Action.READ, Action.EXPORT, Action.EMBED)

    def __str__(self) -> str:
        return f"{self.action}:{self.scope}"


PERMISSIONS: Final = {
    str(permission): permission
    for permission in (
        *(Permission(Action.READ, scope) for scope in ScopeKind),
        *(Permission(Action.EXPORT, scope) for scope in ScopeKind),
        Permission(Action.CACHE_READ, ScopeKind.ALL),
        Permission(Action.CACHE_MANAGE, ScopeKind.ALL),
        Permission(Action.DIRECTORY_READ, ScopeKind.ALL),
        Permission(Action.DIRECTORY_MANAGE, ScopeKind.ALL),
        Permission(Action.EMBED, ScopeKind.ORGANIZATION),
    )
}
"""Every permission that means something here, by its text."""

_PREFIXES: Final = frozenset(text.partition(":")[0] for text in PERMISSIONS)


def parse_permission(text: object) -> Permission | None:
    """The permission that `text` names, None if it is another application's.

    Raises:
        DirectoryError: if it isn't text, or stands under one of our prefixes, however spaced or
            capitalised, without being on the list.
    """
    if not isinstance(text, str) or not text:
        raise DirectoryError(f"{show(text)} can't be a permission; write text that isn't empty")
    found = PERMISSIONS.get(text)
    if found is None and text.partition(":")[0].strip().casefold() in _PREFIXES:
        raise DirectoryError(
            f"there is no permission {show(text)}; write one of {', '.join(PERMISSIONS)}"
        )
    return found
