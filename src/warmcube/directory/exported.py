"""A directory in a database, written as ``access.toml``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import tomli_w

from warmcube.access.defects import Defect
from warmcube.access.ids import show
from warmcube.directory.rows import DirectoryRows, records_of, survey_rows
from warmcube.errors import DirectoryError

__all__ = ["export_rows"]

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")
"""An id that reads better as a number, and is the same."""


def export_rows(rows: DirectoryRows, *, without_deleted: bool = False) -> str:
    """The text of a file that grants exactly what the rows grant.

    Args:
        rows: of the database.
        without_deleted: leave out what is deleted, instead of refusing it.

    Raises:
        DirectoryError: listing everything that a file can't express, or that it would be refused
            for.
    """
    problems = [str(defect) for defect in survey_rows(rows, version="").defects]
    problems += _inexpressible(rows, without_deleted=without_deleted)
    if problems:
        raise DirectoryError(
            "\n  ".join(
                ["access.toml can't hold this directory; mend it in the database first:", *problems]
            )
        )
    records = records_of(_without_deleted(rows), list[Defect]())
    return tomli_w.dumps(
        {
            "roles": records["roles"],
            "organizations": [_organization(each) for each in records["organizations"]],
            "users": [_user(each) for each in records["users"]],
        }
    )


def _inexpressible(rows: DirectoryRows, *, without_deleted: bool) -> Iterator[str]:
    hint = "remove it, or leave it out with --without-deleted"
    for noun, table in (
        ("organization", rows.organizations),
        ("role", rows.roles),
        ("user", rows.users),
    ):
        for name, *_, is_deleted in table:
            if is_deleted and not without_deleted:
                yield f"{noun} {show(name)} is deleted, which a file has no word for; {hint}"
    for role, name, is_active, is_deleted in rows.roles:
        if is_deleted:
            continue
        if not is_active:
            yield (
                f"role {show(role)} is inactive, which a file has no word for; "
                "activate it, or delete it"
            )
        if name and name != role:
            yield f"role {show(role)} has the name {show(name)}; in a file it has only its id"
    if without_deleted:
        yield from _held_in_deleted(rows)


def _held_in_deleted(rows: DirectoryRows) -> Iterator[str]:
    """Roles that give nothing, but let their holder in: without them the user would be denied."""
    gone = {organization for organization, *_, is_deleted in rows.organizations if is_deleted}
    people = {user for user, *_, is_deleted in rows.users if not is_deleted}
    roles = {role for role, *_, is_deleted in rows.roles if not is_deleted}
    for user, role, organization, _ in rows.user_roles:
        if organization in gone and user in people and role in roles:
            yield (
                f"user {show(user)} has the role {show(role)} in {show(organization)}, which is "
                "deleted; take the role away"
            )


def _without_deleted(rows: DirectoryRows) -> DirectoryRows:
    """What is deleted left out, and so what names it: an organization below it becomes a root."""
    kept = {each[0] for each in rows.organizations if not each[-1]}
    people = {each[0] for each in rows.users if not each[-1]}
    roles = {each[0] for each in rows.roles if not each[-1]}
    return DirectoryRows(
        organizations=[
            (organization, name, parent if parent in kept else None, is_active, False)
            for organization, name, parent, is_active, _ in rows.organizations
            if organization in kept
        ],
        organization_practices=[each for each in rows.organization_practices if each[0] in kept],
        roles=[each for each in rows.roles if each[0] in roles],
        role_permissions=[each for each in rows.role_permissions if each[0] in roles],
        users=[each for each in rows.users if each[0] in people],
        user_organizations=[
            each for each in rows.user_organizations if each[0] in people and each[1] in kept
        ],
        user_roles=[each for each in rows.user_roles if each[0] in people and each[1] in roles],
        user_providers=[each for each in rows.user_providers if each[0] in people],
    )


def _organization(record: dict[str, Any]) -> dict[str, Any]:
    found = {**record, "practices": [_id(each) for each in record["practices"]]}
    if found["active"]:
        del found["active"]
    return found


def _user(record: dict[str, Any]) -> dict[str, Any]:
    found = dict(record)
    found["roles"] = [each["role"] if len(each) == 1 else each for each in record["roles"]]
    bindings = [
        {name: _id(value) for name, value in each.items()} for each in found.pop("providers")
    ]
    if len(bindings) == 1 and "practice" not in bindings[0]:
        found["provider"] = bindings[0]["provider"]
    elif bindings:
        found["providers"] = bindings
    if found.pop("active") is False:
        found["active"] = False
    return {name: value for name, value in found.items() if value != []}


def _id(text: str) -> str | int:
    return int(text) if _INTEGER.fullmatch(text) else text
