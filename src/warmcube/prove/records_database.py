"""The same records out of a directory in Postgres, by plain SELECTs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from warmcube.postgres.session import Session, open_session
from warmcube.postgres.url import PostgresUrl
from warmcube.prove.records import HeldRole, Organization, Person, Records

__all__ = ["read_database"]

_ORGANIZATIONS: Final = """
SELECT o.id::text, o.parent_id::text, o.active IS TRUE AND o.deleted_at IS NULL,
       array(SELECT practice_id::text FROM {0}.organization_practices WHERE organization_id = o.id)
FROM {0}.organizations o
"""
# What is inactive or gone grants nothing and opens no door: as though nobody had it.
_ROLES: Final = """
SELECT r.id::text, array(SELECT permission::text FROM {0}.role_permissions WHERE role_id = r.id)
FROM {0}.roles r WHERE r.active IS TRUE AND r.deleted_at IS NULL
"""
_USERS: Final = """
SELECT u.id::text, u.active IS TRUE,
       array(SELECT organization_id::text FROM {0}.user_organizations WHERE user_id = u.id)
FROM {0}.users u WHERE u.deleted_at IS NULL
"""
# Python has no infinite moments: what ends in three thousand years doesn't end.
_HELD: Final = """
SELECT user_id::text, role_id::text, organization_id::text,
       CASE WHEN expires_at > '5000-01-01+00' THEN NULL
            WHEN expires_at < '1000-01-01+00' THEN timestamptz '1000-01-01+00'
            ELSE expires_at END
FROM {0}.user_roles
"""
_PROVIDERS: Final = """
SELECT user_id::text, practice_id::text, provider_id::text FROM {0}.user_providers
"""


async def read_database(url: PostgresUrl, schema: str) -> Records:
    """The records, all of one moment.

    Args:
        url: of the database.
        schema: that holds the directory's tables.

    Raises:
        psycopg.Error: it can't be read; see `warmcube.postgres.session.tell`.
    """
    session = await open_session(url)
    async with session:
        await session.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        await session.execute("SET TimeZone = 'UTC'")
        await session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return await _read(session, '"' + schema.replace('"', '""') + '"')


async def _read(session: Session, schema: str) -> Records:
    async def rows(sql: str) -> list[Any]:
        cursor = await session.execute(sql.format(schema).encode())
        return await cursor.fetchall()

    roles = {name: frozenset(texts) for name, texts in await rows(_ROLES)}
    held: dict[str, list[HeldRole]] = defaultdict(list)
    for user, role, organization, ends in await rows(_HELD):
        if role in roles:
            held[user].append(HeldRole(role, organization, ends))
    providers: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    for user, practice, provider in await rows(_PROVIDERS):
        providers[user].add((practice, provider))
    return Records(
        roles=roles,
        organizations={
            name: Organization(parent=parent, practices=frozenset(practices), is_active=is_active)
            for name, parent, is_active, practices in await rows(_ORGANIZATIONS)
        },
        people={
            name: Person(
                roles=tuple(held[name]),
                organizations=frozenset(organizations),
                providers=frozenset(providers[name]),
                is_active=is_active,
            )
            for name, is_active, organizations in await rows(_USERS)
        },
    )
