"""From records to a directory, and everything that is wrong with them, at once.

The records are what ``access.toml`` holds (see the contract in the design, §9); any other place
that keeps a directory gives the same ones.

A defect touches the user in whose record it stands, or who has the role or is named for the
organization in which it stands: they are denied, the others aren't. An organization with a defect
counts as inactive: it grants nothing, isn't walked through, and can't be filtered by. Where a
directory is kept decides whether it is used with defects at all: a file isn't, a database is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from warmcube.access.defects import Defect, defects_error
from warmcube.access.directory import (
    Directory,
    Organization,
    ProviderBinding,
    RoleAssignment,
    User,
)
from warmcube.access.ids import directory_id, show
from warmcube.access.permissions import PERMISSIONS, Permission, parse_permission
from warmcube.access.record import Record, Report, is_name
from warmcube.access.tree import check_tree
from warmcube.errors import DirectoryError

__all__ = ["Survey", "build_directory", "survey"]

_ORGANIZATION: Final = ("id", "name", "parent", "practices", "active")
_USER: Final = ("id", "name", "roles", "organizations", "provider", "providers", "active")


@dataclass(frozen=True, slots=True)
class Survey:
    """What some records come to.

    Attributes:
        directory: with what has a defect marked; None if nothing can be made of the records.
        defects: all of them.
    """

    directory: Directory | None
    defects: tuple[Defect, ...]


def build_directory(
    records: Mapping[str, Any], *, version: str, source: str = "the directory"
) -> Directory:
    """A directory without a defect.

    Args:
        records: as in ``access.toml``.
        version: differs whenever the records do.
        source: what to call them in a message.

    Raises:
        DirectoryError: listing every defect.
    """
    found = survey(records, version=version)
    if found.directory is None or found.defects:
        raise defects_error(source, found.defects)
    return found.directory


def survey(
    records: Mapping[str, Any],
    *,
    version: str,
    known_defects: Sequence[Defect] = (),
    by_id: bool = False,
) -> Survey:
    """A directory as far as there is one, and every defect.

    Args:
        records: as in ``access.toml``.
        version: differs whenever the records do.
        known_defects: those that whoever made the records has found already.
        by_id: name places by ids, where records have no order that anybody could count in.
    """
    defects: list[Defect] = [*known_defects]
    whole = Record(
        records,
        "",
        ("roles", "organizations", "users"),
        Report(defects, is_shared=True),
        by_id=by_id,
    )
    roles = _read_roles(records.get("roles", {}), defects)
    organizations = _read_organizations(whole, defects)
    users = _read_users(whole, defects, roles, organizations)
    if any(defect.is_shared for defect in defects):
        return Survey(None, tuple(defects))
    lost = frozenset[str]().union(*(defect.organizations for defect in defects))
    directory = Directory(
        version=version,
        roles=roles,
        organizations=organizations,
        users=users,
        defective=_touched(users.values(), defects, lost),
        defective_organizations=lost & organizations.keys(),
    )
    return Survey(directory, tuple(defects))


def _touched(
    users: Iterable[User], defects: Sequence[Defect], organizations: frozenset[str]
) -> frozenset[str]:
    """The users whose records, roles or organizations have a defect."""
    faulty_roles = {defect.role for defect in defects} - {None}
    faulty_users = {defect.user for defect in defects} - {None}
    return frozenset(
        user.id
        for user in users
        if user.id in faulty_users
        or not organizations.isdisjoint(user.organizations)
        or any(
            held.role in faulty_roles or held.organization in organizations for held in user.roles
        )
    )


def _read_roles(records: Any, defects: list[Defect]) -> dict[str, tuple[Permission, ...]]:
    if not isinstance(records, Mapping):
        Report(defects, is_shared=True)("roles", f"{show(records)} isn't a table; write [roles]")
        return {}
    roles: dict[str, tuple[Permission, ...]] = {}
    for name in records:
        if not is_name(name):
            Report(defects)("roles", f"{show(name)} can't be the name of a role; write text")
            continue
        report = Report(defects, role=name)
        permissions = Record(records, "roles", records, report).distinct(
            name, partial(_permission, report)
        )
        roles[name] = tuple(PERMISSIONS[text] for text in permissions if text in PERMISSIONS)
    return roles


def _permission(report: Report, place: str, text: Any) -> str | None:
    try:
        parse_permission(text)
    except DirectoryError as error:
        report(place, str(error))
        return None
    return str(text)


def _read_organizations(whole: Record, defects: list[Defect]) -> dict[str, Organization]:
    organizations: dict[str, Organization] = {}
    places: dict[str, str] = {}
    for place, fields in whole.tables("organizations"):
        given = fields.get("id")
        report = Report(defects, organizations=[str(given)] if is_name(given) else ())
        record = Record(fields, place, _ORGANIZATION, report)
        name = record.name("id", is_required=True)
        title = record.name("name")
        parent = record.name("parent")
        practices = frozenset(record.distinct("practices", partial(_id, report)))
        active = record.flag("active", default=True)
        if name is None:
            continue
        if name in organizations:
            report(record.at("id"), f"{show(name)} is already the id of {places[name]}")
            continue
        places[name] = place
        organizations[name] = Organization(
            id=name, name=title or name, parent=parent, practices=practices, active=active
        )
    check_tree(
        organizations,
        places,
        lambda touched, place, problem: Report(defects, organizations=touched)(place, problem),
    )
    return organizations


def _read_users(
    whole: Record,
    defects: list[Defect],
    roles: Collection[str],
    organizations: Collection[str],
) -> dict[str, User]:
    users: dict[str, User] = {}
    places: dict[str, str] = {}
    for place, fields in whole.tables("users"):
        given = fields.get("id")
        report = Report(defects, user=given if is_name(given) else None)
        user = _UserReader(report, roles, organizations).read(place, fields)
        if user.id in users:
            report(f"{place}.id", f"{show(user.id)} is already the id of {places[user.id]}")
        elif user.id:
            users[user.id], places[user.id] = user, place
    return users


class _UserReader:
    """Reads one user, who may name only roles and organizations that there are."""

    def __init__(
        self, report: Report, roles: Collection[str], organizations: Collection[str]
    ) -> None:
        self._report = report
        self._roles = roles
        self._organizations = organizations

    def read(self, place: str, fields: Mapping[Any, Any]) -> User:
        """The user; without an id where that can't be read."""
        record = Record(fields, place, _USER, self._report)
        name = record.name("id", is_required=True) or ""
        return User(
            id=name,
            name=record.name("name") or name,
            roles=record.distinct(
                "roles", self._assignment, key=lambda found: (found.role, found.organization)
            ),
            organizations=record.distinct("organizations", self._organization),
            providers=self._providers(record),
            active=record.flag("active", default=True),
        )

    def _assignment(self, place: str, value: Any) -> RoleAssignment | None:
        if isinstance(value, str):
            role = self._known(place, value, self._roles, "role")
            return None if role is None else RoleAssignment(role)
        if not isinstance(value, Mapping):
            self._report(place, f"{show(value)} isn't a role; write its name, or {{role = …}}")
            return None
        record = Record(value, place, ("role", "organization", "expires"), self._report)
        role = self._known(record.at("role"), value.get("role"), self._roles, "role")
        expires = record.moment("expires")
        organization = None
        if "organization" in record:
            organization = self._organization(record.at("organization"), value["organization"])
            if organization is None:
                return None
        return None if role is None else RoleAssignment(role, organization, expires)

    def _organization(self, place: str, value: Any) -> str | None:
        return self._known(place, value, self._organizations, "organization")

    def _known(self, place: str, value: Any, known: Collection[str], noun: str) -> str | None:
        if isinstance(value, str) and value in known:
            return str.__str__(value)
        self._report(place, f"there is no {noun} {show(value)}; name one that the directory has")
        return None

    def _providers(self, record: Record) -> tuple[ProviderBinding, ...]:
        if "provider" not in record:
            return record.distinct("providers", self._binding)
        if "providers" in record:
            self._report(record.at("provider"), "stands beside providers; write one of the two")
        provider = record.id("provider")
        return () if provider is None else (ProviderBinding(None, provider),)

    def _binding(self, place: str, value: Any) -> ProviderBinding | None:
        if not isinstance(value, Mapping):
            provider = _id(self._report, place, value)
            return None if provider is None else ProviderBinding(None, provider)
        record = Record(value, place, ("practice", "provider"), self._report)
        provider = record.id("provider")
        practice = record.id("practice") if "practice" in record else None
        if provider is None or ("practice" in record and practice is None):
            return None
        return ProviderBinding(practice, provider)


def _id(report: Report, place: str, value: Any) -> str | None:
    try:
        return directory_id(value)
    except DirectoryError as error:
        report(place, str(error))
        return None
