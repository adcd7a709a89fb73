"""A random world for the trial under row-level security: a directory, tables and their rows.

The directory lives in the tables of warmcube's own schema, and nowhere else: the policy reads them
there, and `tests.support.rls_file` writes ``access.toml`` from them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import sql
from tests.support.rls_ids import FAMILIES, NEVER_HELD, Ids, make_ids

__all__ = [
    "COLUMNS",
    "FREQUENCIES",
    "KEEPER",
    "MEASURES",
    "USERS",
    "Facts",
    "World",
    "install",
    "make_world",
    "restore_directory",
    "uninstall",
]

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

USERS: Final = (
    "ana", "Ben", "o'neill", 'quo"te', "ünï", "a:b{c}*", "~", "%7E", "101", "p:1:prov:2", "日本",
    "carl", "dora", "emil", "fay", "gus", "hal", "ida", "two\nlines", "ghost",
)  # fmt: skip
"""Each is a database role too; the last one is unknown to the directory."""

KEEPER: Final = "keeper"
"""Always reads everything; its name tells the versions of the directory apart."""

MEASURES: Final = ("Charges", "A/R > 90 days: {net} 100%", None)
FREQUENCIES: Final = ("Monthly", "Weekly", None)
COLUMNS: Final = (
    "measure",
    "practice_uid",
    "provider_uid",
    "frequency",
    "date_index",
    "measure_value",
    "note",
    "row_id",
)

_ROLES: Final[dict[str, tuple[str, ...]]] = {
    "admin": ("analytics:read:all", "cache:read:all"),
    "analyst": ("analytics:read:organization", "analytics:export:organization"),
    "clinician": ("analytics:read:own",),
    "both": ("analytics:read:organization", "analytics:read:own", "billing:read:all"),
    "every": ("analytics:read:all", "analytics:read:organization", "analytics:read:own"),
    'odd "role": {x}\n': ("analytics:read:organization", "crm:see:own"),
    "exporter": ("analytics:export:all", "dashboards:embed:organization"),
    "operator": ("cache:manage:all", "directory:read:all"),
    "foreign": ("billing:read:all", "reports:read:organization"),
    "nothing": (),
    "retired": ("analytics:read:all",),
    "deleted": ("analytics:read:all",),
}
_OFTEN: Final = ("analyst", "clinician", "both", "clinician", "analyst")
_KINDS: Final = (
    "everything", "regional", "lost", *["provider"] * 4, *["analyst"] * 3, *["split"] * 3,
    *["any"] * 6,
)  # fmt: skip
"""What users are, one for each but the last of them."""
_ENDS: Final = (
    None, None, None, None, None, None,
    "2999-01-01 00:00Z", "2045-06-01 12:00:00.5+02", "2000-01-01 00:00Z",
)  # fmt: skip
_AT_LEAST_ONE: Final = (
    """
    UPDATE warmcube.users SET active = false WHERE id = 'emil'
    AND NOT EXISTS (SELECT FROM warmcube.users WHERE NOT active)
    """,
    """
    UPDATE warmcube.users SET deleted_at = '2020-01-01Z' WHERE id = 'fay'
    AND NOT EXISTS (SELECT FROM warmcube.users WHERE deleted_at IS NOT NULL)
    """,
    """
    UPDATE warmcube.organizations SET active = false
    WHERE id = (SELECT min(parent_id) FROM warmcube.organizations)
    AND NOT EXISTS (
        SELECT FROM warmcube.organizations below
        JOIN warmcube.organizations above ON above.id = below.parent_id
        WHERE NOT above.active)
    """,
    """
    UPDATE warmcube.organizations SET deleted_at = '2020-01-01Z'
    WHERE id = (SELECT max(id) FROM warmcube.organizations)
    AND NOT EXISTS (SELECT FROM warmcube.organizations WHERE deleted_at IS NOT NULL)
    """,
)
"""What no world may lack, and chance might leave out."""

_ORGANIZATIONS: Final = (
    "root", "north", "south", 'o"dd {x}: 100%', "~", "0101", "ünïted", "org 'q'", "east", "west",
    "a", "A", "empty", "closed", "below", "p:1", "日本", " spaced ",
)  # fmt: skip
_TABLES: Final = (
    "organizations", "roles", "users", "organization_practices", "role_permissions",
    "user_organizations", "user_roles", "user_providers",
)  # fmt: skip
_DATES: Final = tuple(date(2024, 1, 1) + timedelta(days=31 * n) for n in range(8))
_NOTES: Final = ("plain", "Total 100%", "it's", "über", "a_b", "", "note of others")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One data source and its table."""

    id: int
    practices: Ids
    providers: Ids
    has_practice: bool = True
    has_provider: bool = True
    door: tuple[str, ...] | None = None

    @property
    def table(self) -> str:
        """As it is configured."""
        return f"facts.t{self.id}"

    def configuration(self) -> str:
        """Its part of ``warmcube.toml``."""
        door = "" if self.door is None else f"roles = {json.dumps(self.door)}\n"
        practice = '"practice_uid"' if self.has_practice else "false"
        provider = '"provider_uid"' if self.has_provider else "false"
        return (
            f'[[datasources]]\nid = {self.id}\nname = "Facts {self.id}"\nsource = "main"\n'
            f'table = "{self.table}"\n{door}'
            f"[datasources.columns]\npractice = {practice}\nprovider = {provider}\n"
        )


@dataclass(frozen=True, slots=True)
class World:
    """What doesn't change while the directory does."""

    facts: tuple[Facts, ...]
    practices: tuple[str, ...]  # that the directory may speak of
    providers: tuple[str, ...]

    def types(self) -> str:
        """Of the ids, for messages."""
        return ", ".join(f"{each.practices.type}/{each.providers.type}" for each in self.facts)


def install(connection: Connection) -> None:
    """The directory's tables, the policy's functions, and a database role for every user."""
    connection.execute("SET jit = off")
    connection.execute("SET plan_cache_mode = force_generic_plan")
    create = resources.files("warmcube.directory") / "sql" / "create.sql"
    connection.execute(create.read_text().replace("{schema}", "warmcube").encode())
    connection.execute(Path(__file__).with_name("rls_policy.sql").read_bytes())
    for user in (*USERS, KEEPER):
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(user)))


def uninstall(connection: Connection) -> None:
    """Remove what lies outside the database: the roles, which own nothing."""
    for user in (*USERS, KEEPER):
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(user)))


def make_world(random: Random, family: str, connection: Connection) -> World:
    """A new world in place of the one before."""
    facts = tuple(_make_facts(random, family, number) for number in (1, 2, 3))
    practices = {text for each in facts for text in each.practices.nameable}
    providers = {text for each in facts for text in each.providers.nameable}
    world = World(
        facts,
        tuple(sorted({*practices, *random.sample(NEVER_HELD, 3)})),
        tuple(sorted({*providers, *random.sample(NEVER_HELD, 2)})),
    )
    with connection.transaction():
        _make_directory(random, world, connection)
        _keep_directory(connection)
        connection.execute("DROP SCHEMA IF EXISTS facts CASCADE")
        connection.execute("CREATE SCHEMA facts")
        connection.execute("GRANT USAGE ON SCHEMA facts TO PUBLIC")
        for each in facts:
            _make_table(random, each, connection)
    connection.execute("ANALYZE warmcube.organizations, warmcube.organization_practices")
    return world


def restore_directory(connection: Connection) -> None:
    """The directory as it was when the world was made."""
    # Not by TRUNCATE, after which every plan has to be made anew.
    for table in reversed(_TABLES):
        connection.execute(f"DELETE FROM warmcube.{table}".encode())
    for table in _TABLES:
        connection.execute(f"INSERT INTO warmcube.{table} SELECT * FROM original.{table}".encode())


def _keep_directory(connection: Connection) -> None:
    connection.execute("DROP SCHEMA IF EXISTS original CASCADE")
    connection.execute("CREATE SCHEMA original")
    for table in _TABLES:
        connection.execute(
            f"CREATE TABLE original.{table} AS SELECT * FROM warmcube.{table}".encode()
        )


def _make_facts(random: Random, family: str, number: int) -> Facts:
    """The first has neither a door nor a lack, the second a door, the third perhaps both."""
    types = FAMILIES[family]
    own = types[number - 1] if family == "mixed" else random.choice(types)
    other = random.choice(FAMILIES["mixed"] if random.random() < 0.3 else types)
    lacks = random.choice(["practice", "provider", "provider", "both"]) if number == 3 else ""
    return Facts(
        id=number,
        practices=make_ids(random, own, 8),
        providers=make_ids(random, other, 6),
        has_practice=lacks not in ("practice", "both"),
        has_provider=lacks not in ("provider", "both"),
        door=_door(random) if number == 2 or (number == 3 and random.random() < 0.4) else None,
    )


def _door(random: Random) -> tuple[str, ...]:
    return tuple({random.choice(_OFTEN): 0, random.choice([*_ROLES]): 0})


def _insert(connection: Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _make_directory(random: Random, world: World, connection: Connection) -> None:
    connection.execute(
        "TRUNCATE warmcube.users, warmcube.roles, warmcube.organizations, "
        "isolation.datasources CASCADE"
    )
    _insert(
        connection,
        "isolation.datasources",
        [
            (each.id, None if each.door is None else list(each.door), each.has_practice,
             each.has_provider)
            for each in world.facts
        ],
    )  # fmt: skip
    _make_roles(connection)
    organizations = _make_organizations(random, world, connection)
    _make_users(random, world, organizations, connection)
    for statement in _AT_LEAST_ONE:
        connection.execute(statement.encode())


def _make_roles(connection: Connection) -> None:
    _insert(
        connection,
        "warmcube.roles (id, active, deleted_at)",
        [
            (role, role != "retired", "2020-01-01 00:00Z" if role == "deleted" else None)
            for role in (*_ROLES, KEEPER)
        ],
    )
    given = {**_ROLES, KEEPER: ("analytics:read:all",)}
    _insert(
        connection,
        "warmcube.role_permissions",
        [(role, permission) for role, found in given.items() for permission in found],
    )


def _make_organizations(random: Random, world: World, connection: Connection) -> list[str]:
    """A forest; some trees are deep, some practices are in several organizations or in none."""
    names = list(_ORGANIZATIONS)
    random.shuffle(names)
    names = names[: random.randint(8, len(names))]
    rows = []
    for place, name in enumerate(names):
        # The one just before makes chains.
        above = random.choice([None, names[place - 1], *names[:place]]) if place else None
        gone = random.choice(_ENDS[-3:]) if random.random() < 0.06 else None
        rows.append((name, above, random.random() < 0.88, gone))
    _insert(connection, "warmcube.organizations (id, parent_id, active, deleted_at)", rows)
    unassigned = set(random.sample(world.practices, 3))
    assigned = [each for each in world.practices if each not in unassigned]
    held = [
        (name, practice)
        for name in names
        for practice in random.sample(assigned, random.choice([0, 2, 3, 4, 6, 8]))
    ]
    _insert(connection, "warmcube.organization_practices", held)
    return names


def _make_users(
    random: Random, world: World, organizations: list[str], connection: Connection
) -> None:
    people = USERS[:-1]
    _insert(
        connection,
        "warmcube.users (id, active, deleted_at)",
        [(KEEPER, True, None)]
        + [
            (user, random.random() < 0.95, "2020-01-01 00:00Z" if random.random() < 0.04 else None)
            for user in people
        ],
    )
    members, providers = [], []
    roles: list[tuple[str, str, str | None, str | None]] = [(KEEPER, KEEPER, None, None)]
    kinds = list(_KINDS)
    random.shuffle(kinds)
    for user, kind in zip(people, kinds, strict=True):
        mine = random.sample(organizations, random.choice([0, 1, 2, 2, 3, 4]))
        members += [(user, each) for each in mine]
        roles += [(user, *each) for each in _some_roles(random, kind, organizations, mine)]
        if kind != "lost":
            providers += [(user, *each) for each in _some_providers(random, world)]
    _insert(connection, "warmcube.user_organizations", members)
    _insert(connection, "warmcube.user_roles", roles)
    _insert(connection, "warmcube.user_providers", providers)


def _some_roles(
    random: Random, kind: str, organizations: list[str], mine: list[str]
) -> list[tuple[str, str | None, str | None]]:
    """The roles of one user, where each holds, and until when."""
    wanted = {
        "everything": ["admin"],
        "regional": ["admin"],
        "analyst": ["analyst"],
        "provider": ["clinician", random.choice(["clinician", "operator"])],
        "lost": ["clinician"],
        "split": ["analyst", "clinician"],
    }.get(kind)
    if wanted is None:
        count = random.choice([0, 1, 1, 2, 2, 3, 4])
        wanted = [random.choice([*_OFTEN, *_OFTEN, *_ROLES]) for _ in range(count)]
    found: dict[tuple[str, str | None], str | None] = {}
    for role in wanted:
        share = 0.7 if "analytics:read:all" in _ROLES[role] else 0.3
        if kind in ("everything", "lost"):
            share = 0
        elif kind == "regional" or (kind == "split" and role == "analyst"):
            share = 1
        near = mine if mine and random.random() < 0.7 else organizations
        where = random.choice(near) if random.random() < share else None
        found[role, where] = None if kind == "everything" else random.choice(_ENDS)
    return [(role, where, ends) for (role, where), ends in found.items()]


def _some_providers(random: Random, world: World) -> list[tuple[str | None, str]]:
    found: dict[tuple[str | None, str], None] = {}
    for _ in range(random.choice([0, 1, 1, 2, 3, 5])):
        facts = random.choice(world.facts)
        practice = random.choice(facts.practices.nameable if random.random() < 0.45 else [None])
        known = facts.providers.nameable if random.random() < 0.85 else world.providers
        found[practice, random.choice(known)] = None
    return list(found)


def _make_table(random: Random, facts: Facts, connection: Connection) -> None:
    connection.execute(
        f"CREATE TABLE {facts.table} (measure text, practice_uid {facts.practices.type}, "
        f"provider_uid {facts.providers.type}, frequency text, date_index date, "
        "measure_value numeric(14,2), note text, row_id integer NOT NULL)".encode()
    )
    _insert(connection, facts.table, [_make_row(random, facts, n) for n in range(500)])
    for statement in _policy(facts):
        connection.execute(statement.encode())


def _make_row(random: Random, facts: Facts, number: int) -> tuple[Any, ...]:
    def some(value: Any, nulls: float) -> Any:
        return None if random.random() < nulls else value

    return (
        random.choices(MEASURES, (5, 4, 1))[0],
        some(random.choice(facts.practices.present), 0.08),
        some(random.choice(facts.providers.present), 0.15),
        random.choices(FREQUENCIES, (5, 4, 1))[0],
        some(random.choice(_DATES), 0.05),
        some(Decimal(random.randint(-99_999, 999_999)).scaleb(-2), 0.1),
        some(random.choice(_NOTES), 0.1),
        number,
    )


def _policy(facts: Facts) -> list[str]:
    """Each sub-select is worked out once for a statement, not for every row."""
    number = facts.id
    return [
        f"ALTER TABLE {facts.table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {facts.table} FORCE ROW LEVEL SECURITY",
        f"""
        CREATE POLICY isolation ON {facts.table} FOR SELECT TO PUBLIC USING (
            (SELECT isolation.sees_everything({number}))
            OR practice_uid::text = ANY (
                (SELECT isolation.practices_reached({number}, '{{all,organization}}'))::text[])
            OR (practice_uid::text, provider_uid::text) IN (
                SELECT practice, provider FROM isolation.my_own({number})))
        """,
        f"GRANT SELECT ON {facts.table} TO PUBLIC",
    ]
