"""The directory: roles, the tree of organizations, users. Frozen, so that a version is a version.

`warmcube.access.survey` builds one from records and finds what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from warmcube.access.permissions import Permission

__all__ = ["Directory", "Organization", "ProviderBinding", "RoleAssignment", "User"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """One node of the tree. An inactive one grants nothing and is not walked through."""

    id: str
    name: str = ""
    parent: str | None = None
    practices: frozenset[str] = frozenset()  # directory ids
    active: bool = True


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """A role that a user has, within an organization's subtree if one is named."""

    role: str
    organization: str | None = None
    expires: datetime | None = None  # aware; the first moment at which it no longer holds


@dataclass(frozen=True, slots=True)
class ProviderBinding:
    """Who a user is: a provider, in one practice or (None) wherever that provider's id occurs."""

    practice: str | None
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may ask."""

    id: str
    name: str = ""
    roles: tuple[RoleAssignment, ...] = ()
    organizations: tuple[str, ...] = ()
    providers: tuple[ProviderBinding, ...] = ()
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directory:
    """All of them, at one version.

    Args:
        version: changes whenever anything else here does.
        roles: the permissions of each role that mean something here.
        organizations: by id.
        users: by id.
        defective: users whose own records, roles or organizations have a defect; they are denied.
        defective_organizations: those that have one; they count as inactive.
    """

    version: str
    roles: Mapping[str, tuple[Permission, ...]]
    organizations: Mapping[str, Organization]
    users: Mapping[str, User]
    defective: frozenset[str] = frozenset()
    defective_organizations: frozenset[str] = frozenset()
    active_organizations: frozenset[str] = field(init=False)
    _children: Mapping[str, tuple[str, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        active = frozenset(
            organization.id
            for organization in self.organizations.values()
            if organization.active and organization.id not in self.defective_organizations
        )
        children: dict[str, list[str]] = {}
        for organization in self.organizations.values():
            if organization.id in active and organization.parent is not None:
                children.setdefault(organization.parent, []).append(organization.id)
        frozen = {
            "roles": MappingProxyType(dict(self.roles)),
            "organizations": MappingProxyType(dict(self.organizations)),
            "users": MappingProxyType(dict(self.users)),
            "active_organizations": active,
            "_children": {parent: tuple(found) for parent, found in children.items()},
        }
        for name, value in frozen.items():
            object.__setattr__(self, name, value)

    def subtree(self, organizations: Iterable[str]) -> frozenset[str]:
        """These organizations and all below them, as far as active ones lead.

        An id that is unknown or inactive contributes nothing, nor does what lies below it. A loop
        ends: nothing is visited twice.
        """
        waiting = [each for each in organizations if each in self.active_organizations]
        found = set(waiting)
        while waiting:
            below = [each for each in self._children.get(waiting.pop(), ()) if each not in found]
            found.update(below)
            waiting += below
        return frozenset(found)

    def lost_below(self, organizations: frozenset[str]) -> frozenset[str]:
        """The organizations directly below these that a defect keeps from being walked through."""
        return frozenset(
            lost
            for lost in self.defective_organizations
            if self.organizations[lost].active and self.organizations[lost].parent in organizations
        )

    def practices_of(self, organizations: Iterable[str]) -> frozenset[str]:
        """The practices that these organizations themselves hold, as directory ids."""
        return frozenset().union(*(self.organizations[each].practices for each in organizations))
