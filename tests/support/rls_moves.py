"""What may change in a directory between two queries, as statements on its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, TypeAlias

import psycopg
from tests.support.rls_world import KEEPER, World, restore_directory

__all__ = ["MOVES", "Focus", "expire_soon", "move"]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Focus:
    """What was asked about lately."""

    users: Sequence[str]
    organizations: Sequence[str]
    practices: Sequence[str]


def move(random: Random, world: World, focus: Focus, connection: Connection) -> str:
    """Change something, preferably what was asked about; the name of the change."""
    name = random.choice(_NAMES)
    with connection.transaction():
        _MOVES[name](_Mover(random, world, focus, connection))
        _mark(connection)
    return name


def expire_soon(user: str, seconds: float, connection: Connection) -> datetime:
    """Let a user's roles end, all of them, a moment from now; when that is."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    with connection.transaction():
        connection.execute(
            "UPDATE warmcube.user_roles SET expires_at = %s "
            "WHERE user_id = %s AND (expires_at IS NULL OR expires_at > now())",
            [end, user],
        )
        _mark(connection)
    return end


def _mark(connection: Connection) -> None:
    """Make the directory's version another one for sure, so that it can be waited for."""
    connection.execute(
        "UPDATE warmcube.users SET name = nextval('isolation.moves')::text WHERE id = %s", [KEEPER]
    )


class _Mover:
    """Chooses what to change, and changes it."""

    def __init__(self, random: Random, world: World, focus: Focus, connection: Connection) -> None:
        self.random = random
        self.world = world
        self.focus = focus
        self.execute = connection.execute
        self.connection = connection

    def _column(self, query: str) -> list[str]:
        return [str(found) for (found,) in self.execute(query.encode())]

    def _organization(self, *, of_focus: float = 0.8) -> str:
        known = self._column("SELECT id FROM warmcube.organizations ORDER BY id")
        near = [each for each in known if each in self.focus.organizations]
        return self.random.choice(near if near and self.random.random() < of_focus else known)

    def _user(self) -> str:
        return self.random.choice(self.focus.users)

    def reparent(self) -> None:
        """Anywhere but below itself."""
        moved = self._organization()
        free = self.execute(
            """
            WITH RECURSIVE below (id) AS (
                SELECT %s
                UNION SELECT child.id FROM below JOIN warmcube.organizations child
                ON child.parent_id = below.id)
            SELECT id FROM warmcube.organizations WHERE id NOT IN (SELECT id FROM below) ORDER BY id
            """,
            [moved],
        ).fetchall()
        self.execute(
            "UPDATE warmcube.organizations SET parent_id = %s WHERE id = %s",
            [self.random.choice([None, *(each for (each,) in free)]), moved],
        )

    def switch_organization(self) -> None:
        """Off if it is on, and on if it is off; mostly the latter where some are off."""
        off = self._column("SELECT id FROM warmcube.organizations WHERE NOT active ORDER BY id")
        named = self.random.choice(off) if off and self.random.random() < 0.5 else None
        self.execute(
            "UPDATE warmcube.organizations SET active = NOT active WHERE id = %s",
            [named or self._organization()],
        )

    def delete_organization(self) -> None:
        """Softly; whichever were deleted before come back."""
        self.execute(
            "UPDATE warmcube.organizations SET deleted_at = "
            "CASE WHEN id = %s AND deleted_at IS NULL THEN now() END",
            [self._organization()],
        )

    def move_practice(self) -> None:
        """Out of all organizations, or into one more."""
        near = self.focus.practices or self.world.practices
        practice = self.random.choice(near if self.random.random() < 0.8 else self.world.practices)
        if self.random.random() < 0.5:
            self.execute(
                "DELETE FROM warmcube.organization_practices WHERE practice_id = %s", [practice]
            )
        else:
            practice = self.random.choice(self.world.practices)
            self.execute(
                "INSERT INTO warmcube.organization_practices VALUES (%s, %s) "
                "ON CONFLICT DO NOTHING",
                [self._organization(), practice],
            )

    def switch_user(self) -> None:
        """One leaves, deleted or inactive, and whoever had left is back."""
        self.execute("UPDATE warmcube.users SET active = true, deleted_at = NULL")
        leaves = self.random.choice(["active = false", "deleted_at = now()"])
        self.execute(f"UPDATE warmcube.users SET {leaves} WHERE id = %s".encode(), [self._user()])

    def expire_roles(self) -> None:
        """Those that hold end, and those that had ended hold again."""
        self.execute(
            "UPDATE warmcube.user_roles SET expires_at = "
            "CASE WHEN expires_at IS NULL OR expires_at > now() THEN now() END WHERE user_id = %s",
            [self._user()],
        )

    def rebind_role(self) -> None:
        """One role holds in another organization, or everywhere."""
        where = self.random.choice([None, self._organization(), self._organization()])
        self.execute(
            """
            UPDATE warmcube.user_roles held SET organization_id = %s
            WHERE user_id = %s AND role_id = (
                SELECT min(role_id) FROM warmcube.user_roles other
                WHERE other.user_id = held.user_id
                HAVING count(*) = count(DISTINCT role_id))
            """,
            [where, self._user()],
        )

    def change_provider(self) -> None:
        """Somebody becomes another provider, perhaps in one practice only."""
        user = self._user()
        practice = self.random.choice([None, self.random.choice(self.world.practices)])
        self.execute("DELETE FROM warmcube.user_providers WHERE user_id = %s", [user])
        for provider in self.random.sample(self.world.providers, self.random.choice([0, 1, 2, 5])):
            self.execute(
                "INSERT INTO warmcube.user_providers VALUES (%s, %s, %s)",
                [user, practice, provider],
            )

    def change_membership(self) -> None:
        """Somebody leaves all organizations, and joins one."""
        user = self._user()
        if self.random.random() < 0.5:
            self.execute("DELETE FROM warmcube.user_organizations WHERE user_id = %s", [user])
        self.execute(
            "INSERT INTO warmcube.user_organizations VALUES (%s, %s) ON CONFLICT DO NOTHING",
            [user, self._organization(of_focus=0.3)],
        )

    def switch_role(self) -> None:
        """A role is put out of use, and the one that was comes back."""
        role = self.random.choice(["analyst", "clinician", "both", "admin", "retired"])
        self.execute("UPDATE warmcube.roles SET active = (id <> %s OR NOT active)", [role])

    def change_permissions(self) -> None:
        """A role may no longer read, or may again."""
        given = self.execute(
            "DELETE FROM warmcube.role_permissions WHERE role_id = 'analyst' "
            "AND permission = 'analytics:read:organization'"
        )
        if not given.rowcount:
            self.execute(
                "INSERT INTO warmcube.role_permissions VALUES "
                "('analyst', 'analytics:read:organization')"
            )

    def restore(self) -> None:
        """Everything is as it was, so that a world doesn't run down."""
        restore_directory(self.connection)


_MOVES: Final[dict[str, Callable[[_Mover], None]]] = {
    "an organization moves in the tree": _Mover.reparent,
    "an organization is switched off or on": _Mover.switch_organization,
    "an organization is deleted": _Mover.delete_organization,
    "a practice moves": _Mover.move_practice,
    "a user leaves": _Mover.switch_user,
    "roles expire": _Mover.expire_roles,
    "a role holds elsewhere": _Mover.rebind_role,
    "a user is another provider": _Mover.change_provider,
    "a user changes organizations": _Mover.change_membership,
    "a role is switched off or on": _Mover.switch_role,
    "a role's permission goes or comes": _Mover.change_permissions,
    "everything is restored": _Mover.restore,
}
MOVES: Final = tuple(_MOVES)
"""The names of all changes."""

_NAMES: Final = (*_MOVES, "an organization moves in the tree", *["everything is restored"] * 4)
