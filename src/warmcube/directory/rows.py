"""From the rows of a directory in a database to the records of ``access.toml``. Pure.

What is deleted is as though it were gone, except that a deleted organization may still be named: it
counts as an inactive one. A role that is deleted or inactive grants nothing and opens no door.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeAlias

from warmcube.access.defects import Defect
from warmcube.access.ids import show
from warmcube.access.survey import Survey, survey

__all__ = ["DirectoryRows", "records_of", "survey_rows", "version_of"]

Text: TypeAlias = str | None
"""NULL only where the database has no constraint against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRows:
    """All tables of one consistent read; ids as text.

    Attributes:
        organizations: id, name, id of the one above, whether active, whether deleted.
        organization_practices: organization, practice.
        roles: id, name, whether active, whether deleted.
        role_permissions: role, permission.
        users: id, name, whether active, whether deleted.
        user_organizations: user, organization.
        user_roles: user, role, the organization that it is held for, until when.
        user_providers: user, practice, provider.
    """

    organizations: Sequence[tuple[Text, Text, Text, bool | None, bool]] = ()
    organization_practices: Sequence[tuple[Text, Text]] = ()
    roles: Sequence[tuple[Text, Text, bool | None, bool]] = ()
    role_permissions: Sequence[tuple[Text, Text]] = ()
    users: Sequence[tuple[Text, Text, bool | None, bool]] = ()
    user_organizations: Sequence[tuple[Text, Text]] = ()
    user_roles: Sequence[tuple[Text, Text, Text, datetime | None]] = ()
    user_providers: Sequence[tuple[Text, Text, Text]] = ()


def version_of(rows: DirectoryRows) -> str:
    """A text that differs whenever the rows do."""
    tables = [getattr(rows, table.name) for table in fields(rows)]
    text = json.dumps(tables, default=lambda moment: moment.timestamp())
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def survey_rows(rows: DirectoryRows, *, version: str) -> Survey:
    """The directory that the rows are, and every defect."""
    defects: list[Defect] = []
    records = records_of(rows, defects)
    return survey(records, version=version, known_defects=defects, by_id=True)


def records_of(rows: DirectoryRows, defects: list[Defect]) -> dict[str, Any]:
    """The rows as records.

    Args:
        rows: of the database.
        defects: takes what would get lost on the way: rows of nobody, and roles that stand twice.
    """
    return {
        "roles": _roles(rows, defects),
        "organizations": list(_organizations(rows, defects)),
        "users": list(_users(rows, defects)),
    }


def _roles(rows: DirectoryRows, defects: list[Defect]) -> dict[str, list[Text]]:
    permissions = _grouped(rows.role_permissions)
    found: dict[str, list[Text]] = {}
    gone = set()
    for role, _, is_active, is_deleted in rows.roles:
        if role is None or role in found or role in gone:
            defects.append(
                Defect(
                    place=f"roles[{show(role)}]",
                    problem="stands there twice, or has no id; give each role an id of its own",
                    role=role,
                )
            )
        elif is_active is True and not is_deleted:
            found[role] = [permission for (permission,) in permissions.get(role, [])]
        else:
            gone.add(role)
    _check_owners("role_permissions", "role", permissions, {*found, *gone}, defects)
    return found


def _organizations(rows: DirectoryRows, defects: list[Defect]) -> Iterator[dict[str, Any]]:
    practices = _grouped(rows.organization_practices)
    known = {organization for organization, *_ in rows.organizations}
    _check_owners("organization_practices", "organization", practices, known, defects)
    for organization, name, parent, is_active, is_deleted in rows.organizations:
        yield {
            "id": organization,
            **({"name": name} if name else {}),
            **({} if parent is None else {"parent": parent}),
            "practices": [practice for (practice,) in practices.get(organization, [])],
            "active": False if is_deleted else is_active,
        }


def _users(rows: DirectoryRows, defects: list[Defect]) -> Iterator[dict[str, Any]]:
    organizations = _grouped(rows.user_organizations)
    held = _grouped(rows.user_roles)
    providers = _grouped(rows.user_providers)
    known = {user for user, *_ in rows.users}
    for table, owned in (
        ("user_organizations", organizations),
        ("user_roles", held),
        ("user_providers", providers),
    ):
        _check_owners(table, "user", owned, known, defects)
    gone = {role for role, _, is_active, is_deleted in rows.roles if not is_active or is_deleted}
    for user, name, is_active, is_deleted in rows.users:
        if is_deleted:
            continue
        yield {
            "id": user,
            **({"name": name} if name else {}),
            "roles": [_held(*each) for each in held.get(user, []) if each[0] not in gone],
            "organizations": [organization for (organization,) in organizations.get(user, [])],
            "providers": [_binding(*each) for each in providers.get(user, [])],
            "active": is_active,
        }


def _held(role: Text, organization: Text, expires: datetime | None) -> dict[str, Any]:
    return {
        "role": role,
        **({} if organization is None else {"organization": organization}),
        **({} if expires is None else {"expires": expires}),
    }


def _binding(practice: Text, provider: Text) -> dict[str, Any]:
    bound = {} if practice is None else {"practice": practice}
    return {**bound, "provider": provider}


def _grouped(rows: Iterable[tuple[Any, ...]]) -> dict[Text, list[tuple[Any, ...]]]:
    """The rows by what stands first in them."""
    found: dict[Text, list[tuple[Any, ...]]] = {}
    for first, *rest in rows:
        found.setdefault(first, []).append(tuple(rest))
    return found


def _check_owners(
    table: str,
    noun: str,
    owned: Iterable[Text],
    known: Iterable[Text],
    defects: list[Defect],
) -> None:
    defects.extend(
        Defect(
            place=f"{table}[{show(owner)}]",
            problem=f"there is no {noun} {show(owner)}; add it, or remove its rows",
        )
        for owner in owned
        if owner not in known
    )
