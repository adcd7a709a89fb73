"""``access.toml`` out of the directory's tables, for caches whose directory is a file.

The file can't express what is deleted, nor roles that are inactive: a deleted organization becomes
an inactive one, which is the same; a deleted user, and a role that is out of use with all of its
assignments, are left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import psycopg

__all__ = ["access_toml"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


def access_toml(connection: Connection) -> str:
    """The text of the file."""
    with connection.transaction():
        return "\n".join(
            [*_roles(connection), *_organizations(connection), *_users(connection), ""]
        )


def _roles(connection: Connection) -> Iterable[str]:
    yield "[roles]"
    for role, permissions in connection.execute(
        """
        SELECT id, array_remove(array_agg(permission ORDER BY permission), NULL)
        FROM warmcube.roles LEFT JOIN warmcube.role_permissions ON role_id = id
        WHERE active AND deleted_at IS NULL GROUP BY id ORDER BY id
        """
    ):
        yield f"{_text(role)} = {_list(map(_text, permissions))}"


def _organizations(connection: Connection) -> Iterable[str]:
    for organization, name, parent, is_active, practices in connection.execute(
        """
        SELECT id, name, parent_id, active AND deleted_at IS NULL,
               array_remove(array_agg(practice_id ORDER BY practice_id), NULL)
        FROM warmcube.organizations LEFT JOIN warmcube.organization_practices
             ON organization_id = id
        GROUP BY organizations.id ORDER BY id
        """
    ):
        yield f"[[organizations]]\nid = {_text(organization)}"
        if name:
            yield f"name = {_text(name)}"
        if parent is not None:
            yield f"parent = {_text(parent)}"
        if practices:
            yield f"practices = {_list(map(_id, practices))}"
        if not is_active:
            yield "active = false"


def _users(connection: Connection) -> Iterable[str]:
    roles = _by_user(
        connection,
        """
        SELECT user_id, role_id, organization_id, expires_at
        FROM warmcube.user_roles JOIN warmcube.roles ON id = role_id
        WHERE active AND deleted_at IS NULL ORDER BY role_id, organization_id
        """,
    )
    members = _by_user(
        connection, "SELECT user_id, organization_id FROM warmcube.user_organizations ORDER BY 2"
    )
    providers = _by_user(
        connection,
        "SELECT user_id, practice_id, provider_id FROM warmcube.user_providers ORDER BY 2, 3",
    )
    for user, name, is_active in connection.execute(
        "SELECT id, name, active FROM warmcube.users WHERE deleted_at IS NULL ORDER BY id"
    ):
        yield f"[[users]]\nid = {_text(user)}"
        if name:
            yield f"name = {_text(name)}"
        yield f"roles = {_list(_assignment(*each) for each in roles[user])}"
        yield f"organizations = {_list(_text(each) for (each,) in members[user])}"
        yield from _bindings(providers[user])
        if not is_active:
            yield "active = false"


def _by_user(connection: Connection, query: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for user, *rest in connection.execute(query.encode()):
        found[user].append(tuple(rest))
    return found


def _assignment(role: str, organization: str | None, expires: datetime | None) -> str:
    if organization is None and expires is None:
        return _text(role)
    fields = [f"role = {_text(role)}"]
    if organization is not None:
        fields.append(f"organization = {_text(organization)}")
    if expires is not None:
        fields.append(f"expires = {expires.astimezone(UTC).isoformat()}")
    return f"{{{', '.join(fields)}}}"


def _bindings(bound: list[tuple[Any, ...]]) -> Iterable[str]:
    if len(bound) == 1 and bound[0][0] is None:
        yield f"provider = {_id(bound[0][1])}"
    elif bound:
        tables = (
            f"{{provider = {_id(provider)}}}"
            if practice is None
            else f"{{practice = {_id(practice)}, provider = {_id(provider)}}}"
            for practice, provider in bound
        )
        yield f"providers = {_list(tables)}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _id(text: str) -> str:
    """An integer of 64 bits where it prints the same, so that both forms are in the file."""
    if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        number = int(text)
        if str(number) == text and -(1 << 63) <= number < 1 << 63:
            return text
    return _text(text)


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"
