"""Making and filling the tables of a directory in a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, cast

from psycopg import sql

from warmcube.access.ids import directory_id
from warmcube.directory.listening import CHANNEL
from warmcube.errors import DirectoryError
from warmcube.postgres.session import Session

__all__ = ["TABLES", "announce", "create_tables", "insert_records"]

TABLES: Final = (
    "organizations",
    "organization_practices",
    "roles",
    "role_permissions",
    "users",
    "user_organizations",
    "user_roles",
    "user_providers",
)

_CREATE: Final = (files("warmcube.directory") / "sql" / "create.sql").read_text()
_COLUMNS: Final = {
    "organizations": ("id", "name", "parent_id", "active"),
    "organization_practices": ("organization_id", "practice_id"),
    "roles": ("id",),
    "role_permissions": ("role_id", "permission"),
    "users": ("id", "name", "active"),
    "user_organizations": ("user_id", "organization_id"),
    "user_roles": ("user_id", "role_id", "organization_id", "expires_at"),
    "user_providers": ("user_id", "practice_id", "provider_id"),
}


async def create_tables(session: Session, schema: str) -> bool:
    """Make the tables, unless they are there.

    Returns:
        whether they were made.

    Raises:
        DirectoryError: some of them are there and some aren't.
        psycopg.Error: they can't be made.
    """
    async with session.transaction():
        # Two at once would both find nothing, and one would fail half-way.
        await session.execute("SELECT pg_advisory_xact_lock(hashtext('warmcube directory init'))")
        cursor = await session.execute(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = %s", [schema]
        )
        there = {str(name) for (name,) in await cursor.fetchall()}
        missing = [table for table in TABLES if table not in there]
        if not missing:
            return False
        if len(missing) < len(TABLES):
            found = ", ".join(table for table in TABLES if table in there)
            raise DirectoryError(
                f"schema {schema!r} has {found}, but not {', '.join(missing)}: these are not, or "
                "no longer, warmcube's tables; choose another [directory] schema_name"
            )
        await session.execute(_composed(_CREATE, schema))
    return True


async def insert_records(
    session: Session, schema: str, records: Mapping[str, Any], *, replace: bool
) -> dict[str, int]:
    """Put what ``access.toml`` holds into the tables, in one transaction.

    Args:
        session: in no transaction.
        schema: of the tables.
        records: without defects.
        replace: whether to remove first what is there.

    Returns:
        how many rows each table has got.

    Raises:
        DirectoryError: the tables aren't empty, and nothing is to be replaced.
        psycopg.Error: it can't be done; nothing has changed.
    """
    rows = _rows(records)
    async with session.transaction():
        await session.execute("SET CONSTRAINTS ALL DEFERRED")
        # Others who write wait; processes that read the directory meanwhile read the one before.
        tables = ", ".join(f"{{schema}}.{table}" for table in TABLES)
        await session.execute(_composed(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE", schema))
        for table in reversed(TABLES):
            if replace:
                await session.execute(_composed(f"DELETE FROM {{schema}}.{table}", schema))  # noqa: S608 - our own names
                continue
            cursor = await session.execute(
                _composed(f"SELECT EXISTS (SELECT FROM {{schema}}.{table})", schema)  # noqa: S608 - likewise
            )
            if await cursor.fetchone() == (True,):
                raise DirectoryError(
                    f"schema {schema!r} holds a directory already; replace all of it with "
                    "--replace, or change its rows by SQL"
                )
        for table, columns in _COLUMNS.items():
            statement = f"INSERT INTO {{schema}}.{table} ({', '.join(columns)}) VALUES "  # noqa: S608 - likewise
            places = f"({', '.join(['%s'] * len(columns))})"
            async with session.cursor() as filling:
                await filling.executemany(_composed(statement + places, schema), rows[table])
    return {table: len(rows[table]) for table in TABLES}


async def announce(session: Session, schema: str) -> None:
    """Have every process that listens read the directory again."""
    await session.execute("SELECT pg_notify(%s, %s)", [CHANNEL, schema])


def _composed(text: str, schema: str) -> sql.Composed:
    return sql.SQL(cast("Any", text)).format(schema=sql.Identifier(schema))


def _rows(records: Mapping[str, Any]) -> dict[str, list[Sequence[object]]]:
    """The rows of each table, in the order of its columns."""
    rows: dict[str, list[Sequence[object]]] = {table: [] for table in TABLES}
    for role, permissions in records.get("roles", {}).items():
        rows["roles"].append((role,))
        rows["role_permissions"] += [(role, permission) for permission in permissions]
    for each in records.get("organizations", ()):
        name, parent = each.get("name", ""), each.get("parent")
        rows["organizations"].append((each["id"], name, parent, each.get("active", True)))
        rows["organization_practices"] += [
            (each["id"], directory_id(practice)) for practice in each.get("practices", ())
        ]
    for each in records.get("users", ()):
        user = each["id"]
        rows["users"].append((user, each.get("name", ""), each.get("active", True)))
        rows["user_organizations"] += [(user, named) for named in each.get("organizations", ())]
        rows["user_roles"] += [(user, *_held(held)) for held in each.get("roles", ())]
        bindings = each.get("providers", ())
        if "provider" in each:
            bindings = [each["provider"]]
        rows["user_providers"] += [(user, *_binding(binding)) for binding in bindings]
    return rows


def _held(held: Any) -> tuple[object, object, object]:
    if isinstance(held, str):
        return held, None, None
    return held["role"], held.get("organization"), held.get("expires")


def _binding(binding: Any) -> tuple[str | None, str]:
    if not isinstance(binding, Mapping):
        return None, directory_id(binding)
    practice = binding.get("practice")
    bound = None if practice is None else directory_id(practice)
    return bound, directory_id(binding["provider"])
