"""Who the users are and where they belong, as the directory's records say: read once more.

Nothing is shared with `warmcube.access` and `warmcube.directory`: a mistake there must not make the
same mistake in what is expected.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

__all__ = ["HeldRole", "Organization", "Person", "Records", "read_file"]

_OURS: Final = ("analytics", "cache", "directory", "dashboards")
_KNOWN: Final = frozenset(
    {
        *(f"analytics:{verb}:{kind}" for verb in ("read", "export") for kind in ("all", "own")),
        "analytics:read:organization",
        "analytics:export:organization",
        "cache:read:all",
        "cache:manage:all",
        "directory:read:all",
        "directory:manage:all",
        "dashboards:embed:organization",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """One organization; `is_active` is false for a deleted one too."""

    parent: str | None = None
    practices: frozenset[str] = frozenset()
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role that somebody has until it ends, in one organization's subtree or anywhere."""

    role: str
    organization: str | None = None
    ends: datetime | None = None

    def is_in_force(self, now: datetime) -> bool:
        return self.ends is None or now < self.ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One user; a deleted one isn't among the records at all.

    Attributes:
        providers: who they are: a practice (None: wherever it occurs) and a provider.
    """

    roles: tuple[HeldRole, ...] = ()
    organizations: frozenset[str] = frozenset()
    providers: frozenset[tuple[str | None, str]] = frozenset()
    is_active: bool = True


@dataclass(frozen=True, kw_only=True)
class Records:
    """A whole directory.

    Attributes:
        roles: the permissions of each role that is in force, as texts.
        organizations: by id.
        people: by id.
        broken_roles: roles with a permission that would be ours and isn't; who has one is denied.
        broken_organizations: those in a loop, or below one that there isn't. They count as
            inactive, and who is in one, or has a role for one, is denied.
    """

    roles: Mapping[str, frozenset[str]]
    organizations: Mapping[str, Organization]
    people: Mapping[str, Person]
    broken_roles: frozenset[str] = field(init=False)
    broken_organizations: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        broken = frozenset(
            role
            for role, texts in self.roles.items()
            if any(text not in _KNOWN and _is_ours(text) for text in texts)
        )
        object.__setattr__(self, "broken_roles", broken)
        lost = frozenset(filter(self._is_lost, self.organizations))
        object.__setattr__(self, "broken_organizations", lost)

    def way_up(self, organization: str) -> tuple[str, ...]:
        """An organization and those above it, as far as all are active; none if it isn't."""
        path: list[str] = []
        here: str | None = organization
        while here is not None and here not in self.broken_organizations:
            found = self.organizations.get(here)
            if found is None or not found.is_active:
                break
            path.append(here)
            here = found.parent
        return tuple(path)

    def is_broken(self, person: Person) -> bool:
        """Whether a mistake in the directory touches somebody."""
        return not self.broken_organizations.isdisjoint(person.organizations) or any(
            held.role in self.broken_roles or held.organization in self.broken_organizations
            for held in person.roles
        )

    def _is_lost(self, organization: str) -> bool:
        above = self.organizations[organization].parent
        if above is not None and above not in self.organizations:
            return True
        passed: set[str] = set()
        while above is not None and above in self.organizations and above not in passed:
            if above == organization:
                return True
            passed.add(above)
            above = self.organizations[above].parent
        return False

    @cached_property
    def ways_up(self) -> Mapping[str, tuple[tuple[str, ...], ...]]:
        """For each practice the ways up from the active organizations that hold it."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for name, organization in self.organizations.items():
            way = self.way_up(name)
            for practice in organization.practices if way else ():
                found.setdefault(practice, []).append(way)
        return {practice: tuple(ways) for practice, ways in found.items()}


def _is_ours(permission: str) -> bool:
    return permission.split(":", maxsplit=1)[0].strip().casefold() in _OURS


def read_file(path: Path) -> Records:
    """The records of an ``access.toml``.

    Raises:
        OSError: it can't be opened.
        ValueError: it isn't TOML.
    """
    with path.open("rb") as file:
        return _from_tables(tomllib.load(file))


def _from_tables(tables: Mapping[str, Any]) -> Records:
    return Records(
        roles={name: frozenset(texts) for name, texts in tables.get("roles", {}).items()},
        organizations={
            each["id"]: Organization(
                parent=each.get("parent"),
                practices=_texts(each.get("practices", ())),
                is_active=each.get("active", True) is True,
            )
            for each in tables.get("organizations", ())
        },
        people={each["id"]: _person(each) for each in tables.get("users", ())},
    )


def _person(table: Mapping[str, Any]) -> Person:
    providers: Sequence[Any] = table.get("providers", ())
    if "provider" in table:
        providers = [table["provider"]]
    return Person(
        roles=tuple(_held(each) for each in table.get("roles", ())),
        organizations=frozenset(table.get("organizations", ())),
        providers=frozenset(_binding(each) for each in providers),
        is_active=table.get("active", True) is True,
    )


def _held(value: Any) -> HeldRole:
    if isinstance(value, str):
        return HeldRole(value)
    return HeldRole(value["role"], value.get("organization"), value.get("expires"))


def _binding(value: Any) -> tuple[str | None, str]:
    if not isinstance(value, Mapping):
        return None, str(value)
    practice = value.get("practice")
    return None if practice is None else str(practice), str(value["provider"])


def _texts(values: Iterable[Any]) -> frozenset[str]:
    return frozenset(str(value) for value in values)
