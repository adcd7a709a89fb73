"""What one user may see and name of one data source: as SQL, and row by row.

The product walks down, from a user to a set of practices. This climbs up, from a row's practice
through the organizations that hold it to those above, and asks on the way whether somebody may see
it. Written from the rules in `docs/explanation/access.md`, and from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from warmcube.prove.records import HeldRole, Person, Records

__all__ = ["Door", "Ground", "View", "literal", "view_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What of a data source decides who may see it.

    Attributes:
        roles: for which it exists; None for everybody.
        has_practice: whether rows have a practice.
        has_provider: whether rows have a provider.
    """

    roles: frozenset[str] | None = None
    has_practice: bool = True
    has_provider: bool = True


class Door(StrEnum):
    """How somebody stands before a data source."""

    NO_GRANT = "no grant"  # denied before any data source is named
    UNKNOWN = "unknown"  # the data source doesn't exist for them
    NO_RIGHT = "no right"  # denied at this data source
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class _Right:
    kind: str  # all, organization, own
    held: HeldRole

    @property
    def is_unlimited(self) -> bool:
        return self.kind == "all" and self.held.organization is None


@dataclass(frozen=True, kw_only=True)
class View:
    """What one user may see and name of one data source, from a moment until `changes`.

    Practices and providers are the texts that their columns print; None is NULL.
    """

    records: Records
    person: Person
    ground: Ground
    door: Door
    rights: tuple[_Right, ...] = ()
    keys: tuple[HeldRole, ...] = ()
    changes: datetime | None = None

    @property
    def is_unlimited(self) -> bool:
        """Whether every row may be seen, those without a practice too."""
        return any(right.is_unlimited for right in self.rights) and self._is_wide_open

    @property
    def is_own(self) -> bool:
        """Whether there is nothing but rights to one's own rows."""
        return all(right.kind == "own" for right in self.rights)

    def sees(self, practice: str | None, provider: str | None) -> bool:
        """Whether a row with this practice and provider may be seen."""
        if self.door is not Door.OPEN:
            return False
        if self.is_unlimited:
            return True
        if practice is None or not self._is_behind_the_door(practice):
            return False
        return any(
            self._reaches(right, practice)
            and (right.kind != "own" or self._is_mine(practice, provider))
            for right in self.rights
        )

    def may_name_practice(self, practice: str) -> bool:
        """Whether a query may ask for this practice without being denied."""
        if self.is_unlimited:
            return True
        return self._is_behind_the_door(practice) and any(
            self._reaches(right, practice) for right in self.rights
        )

    def may_name_provider(self, provider: str) -> bool:
        """Likewise for a provider."""
        return not self.is_own or any(provider == mine for _, mine in self.person.providers)

    def may_name_organization(self, organization: str) -> bool:
        """Likewise for an organization."""
        up = self.records.way_up(organization)
        if not up or not (self._is_wide_open or any(key.organization in up for key in self.keys)):
            return False
        return any(self._leads(right, up) for right in self.rights)

    def is_below(self, organization: str, practice: str | None) -> bool:
        """Whether a practice is held by an organization or one below it."""
        return practice is not None and any(
            organization in up for up in self.records.ways_up.get(practice, ())
        )

    @cached_property
    def practices(self) -> frozenset[str]:
        """The practices of the directory that may be named, where not all may."""
        return frozenset(filter(self.may_name_practice, self.records.ways_up))

    def sql(self, practice: str, provider: str) -> str:
        """The rows that may be seen, as a condition.

        Args:
            practice: the SQL for a row's practice, as text.
            provider: for its provider.
        """
        if self.door is not Door.OPEN:
            return "FALSE"
        if self.is_unlimited:
            return "TRUE"
        whole: set[str] = set()
        parts: list[str] = []
        for each in sorted(self.practices):
            reaching = [right for right in self.rights if self._reaches(right, each)]
            mine = {who for where, who in self.person.providers if where in (None, each)}
            if any(right.kind != "own" for right in reaching):
                whole.add(each)
            elif mine:
                parts.append(f"({practice} = {literal(each)} AND {_among(provider, mine)})")
        if whole:
            parts.append(_among(practice, whole))
        return " OR ".join(parts) or "FALSE"

    @property
    def _is_wide_open(self) -> bool:
        return self.ground.roles is None or any(key.organization is None for key in self.keys)

    def _is_behind_the_door(self, practice: str) -> bool:
        return self._is_wide_open or any(
            key.organization in up
            for up in self.records.ways_up.get(practice, ())
            for key in self.keys
        )

    def _reaches(self, right: _Right, practice: str) -> bool:
        ways = self.records.ways_up.get(practice, ())
        return any(self._leads(right, up) for up in ways) or right.is_unlimited

    def _leads(self, right: _Right, up: tuple[str, ...]) -> bool:
        """Whether a right holds for what has this way up."""
        if right.held.organization is not None and right.held.organization not in up:
            return False
        return right.kind == "all" or not self.person.organizations.isdisjoint(up)

    def _is_mine(self, practice: str, provider: str | None) -> bool:
        return provider is not None and any(
            provider == who and where in (None, practice) for where, who in self.person.providers
        )


def view_of(records: Records, user: str, ground: Ground, now: datetime) -> View:
    """What a user may see of a data source.

    Args:
        records: the directory.
        user: the user's id; there needn't be one.
        ground: of the data source.
        now: aware; roles that have ended by then don't count.
    """
    person = records.people.get(user)
    if person is None:
        return View(records=records, person=Person(), ground=ground, door=Door.NO_GRANT)
    held = tuple(each for each in person.roles if each.is_in_force(now))
    found = tuple(
        _Right(permission.rpartition(":")[2], each)
        for each in held
        for permission in sorted(records.roles.get(each.role, ()))
        if permission.startswith("analytics:read:")
    )
    may_enter = person.is_active and bool(found) and not records.is_broken(person)
    view = View(
        records=records,
        person=person,
        ground=ground,
        door=Door.OPEN if may_enter else Door.NO_GRANT,
        rights=found,
        keys=held,
        changes=min((each.ends for each in held if each.ends is not None), default=None),
    )
    return view if view.door is Door.NO_GRANT else _before(view)


def _before(view: View) -> View:
    """The same before one data source, of which not every right speaks."""
    records, ground, keys, rights = view.records, view.ground, view.keys, view.rights
    door = Door.OPEN
    if ground.roles is not None:
        keys = tuple(
            key
            for key in keys
            if key.role in ground.roles
            and (key.organization is None or records.way_up(key.organization))
        )
        if not keys:
            door = Door.UNKNOWN
    if not ground.has_provider:
        rights = tuple(right for right in rights if right.kind != "own")
    if not ground.has_practice:
        wide = ground.roles is None or any(key.organization is None for key in keys)
        rights = tuple(right for right in rights if right.is_unlimited and wide)
    if door is Door.OPEN and not rights:
        door = Door.NO_RIGHT
    return View(
        records=records,
        person=view.person,
        ground=ground,
        door=door,
        rights=rights,
        keys=keys,
        changes=view.changes,
    )


def literal(text: str) -> str:
    """A text as SQL, in Postgres with ``standard_conforming_strings`` and in DuckDB.

    Raises:
        ValueError: no database can hold it as text.
    """
    if "\0" in text:
        raise ValueError("a text with NUL can't be written in SQL")
    text.encode()  # a lone surrogate can't either: UnicodeEncodeError is a ValueError
    return "'" + text.replace("'", "''") + "'"


def _among(column: str, texts: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(map(literal, sorted(texts)))})"
