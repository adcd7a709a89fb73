"""The directory in Postgres: the same grants as from a file, and news within a second."""

from __future__ import annotations

import asyncio
import os
import signal
import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.caches import ACCESS, TABLE, execute, make_cache, select
from tests.support.directories import (
    SETTING,
    change,
    database,
    fill,
    keeper,
    least_seconds,
    until_denied,
    use_database,
    wait_until,
)

from warmcube import AnalyticsCache, Query
from warmcube.access.defects import Defect
from warmcube.access.explained import ExplainedGrant, explain_grant
from warmcube.access.grant import Grant
from warmcube.access.survey import survey
from warmcube.config import load
from warmcube.directory.authoriser import Authoriser
from warmcube.directory.file import DirectoryFile
from warmcube.directory.tables import insert_records
from warmcube.errors import AccessDenied, DirectoryError
from warmcube.postgres.session import open_session
from warmcube.postgres.url import PostgresUrl

MORE = """
[[users]]
id = "eva"
name = 'Eva "the" {x} Ünal'
roles = [
  { role = "org_analyst", organization = "north", expires = 2099-01-01T00:00:00Z },
  { role = "provider", organization = "south" },
  { role = "super_admin", organization = "empty", expires = 2001-01-01T00:00:00Z },
]
organizations = ["north", "south"]
providers = [{ practice = 110, provider = 2 }, { provider = "p 3" }]
[[users]]
id = "gone"
roles = ["super_admin"]
active = false
[[organizations]]
id = "closed"
name = "Closed"
parent = "north"
practices = [104, "0104"]
active = false
"""
DIRECTORY = f"{ACCESS}{MORE}"
USERS = ("root", "north", "provider", "nobody", "lost", "eva")
LINKS = "organization_practices"
CHARGES = Query(datasource=1, measure="Charges", frequency="Monthly")


@pytest.fixture
async def filled(postgres_db: str) -> str:
    """The URL of a database that holds ``DIRECTORY``."""
    await fill(postgres_db, DIRECTORY)
    return postgres_db


@pytest.fixture
async def cache(filled: str, redis_url: str, tmp_path: Path) -> AsyncIterator[AnalyticsCache]:
    """A warm cache whose directory is in a database."""
    execute(filled, TABLE)
    make_cache(tmp_path, redis_url, filled)
    use_database(tmp_path / "warmcube.toml", filled)
    async with AnalyticsCache(load(tmp_path / "warmcube.toml", {})) as opened:
        await opened.warm(1)
        yield opened


def _in_order(explained: ExplainedGrant) -> dict[str, Any]:
    """What a grant rests on, without what differs with the moment and the order of rows."""
    found = explained.as_json()
    for name in ("directory_version", "decided_at", "valid_until"):
        del found[name]
    found["roles"].sort(key=str)
    for role in found["roles"]:
        for right in role["rights"]:
            right["providers"] = right["providers"] and sorted(right["providers"], key=str)
    return found


async def _check(authoriser: Authoriser, grant: Grant) -> None:
    """What streams and jobs do: look, without renewing."""
    authoriser.check(grant)


async def _granted(cache: AnalyticsCache, user: str) -> Grant:
    """What a user is granted, as soon as the directory lets it."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await cache.authorize(user)
            except AccessDenied:
                await asyncio.sleep(0.005)


async def test_grants_are_those_of_the_file(filled: str, tmp_path: Path) -> None:
    """Imported, each user's grant rests on the same roles, organizations and practices."""
    (tmp_path / "access.toml").write_text(DIRECTORY, encoding="utf-8")
    by_file = Authoriser(DirectoryFile(tmp_path / "access.toml"))
    by_database = Authoriser(database(filled))
    for user in USERS:
        first, second = [
            _in_order(explain_grant(await each.authorize(user), ()))
            for each in (by_file, by_database)
        ]
        assert first == second
    for authoriser in (by_file, by_database):
        for user in ("gone", "nobody else"):
            with pytest.raises(AccessDenied):
                await authoriser.authorize(user)
        await authoriser.aclose()


async def test_export_and_import(filled: str, tmp_path: Path) -> None:
    """What is exported is the file that was imported, as far as rights go; and imports again."""
    text = await keeper(filled).write_out(without_deleted=False)
    exported = survey(tomllib.loads(text), version="1")
    imported = survey(tomllib.loads(DIRECTORY), version="1")
    assert exported.defects == ()
    assert exported.directory is not None
    assert imported.directory is not None
    for table in ("roles", "organizations"):
        assert dict(getattr(exported.directory, table)) == dict(getattr(imported.directory, table))
    users = {
        user.id: replace(user, roles=(), providers=(), organizations=())
        for user in imported.directory.users.values()
    }
    for user in exported.directory.users.values():
        was = imported.directory.users[user.id]
        assert replace(user, roles=(), providers=(), organizations=()) == users[user.id]
        assert set(user.roles) == set(was.roles)
        assert set(user.providers) == set(was.providers)
        assert set(user.organizations) == set(was.organizations)
    await keeper(filled).fill(tomllib.loads(text), "the export", replace=True)
    assert await keeper(filled).write_out(without_deleted=False) == text


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE users SET deleted_at = now() WHERE id = 'lost'", "user 'lost' is deleted"),
        ("UPDATE roles SET deleted_at = now() WHERE id = 'provider'", "role 'provider' is deleted"),
        ("UPDATE organizations SET deleted_at = now() WHERE id = 'south'", "'south' is deleted"),
        ("UPDATE roles SET active = false WHERE id = 'provider'", "role 'provider' is inactive"),
        ("UPDATE roles SET name = 'P' WHERE id = 'provider'", "role 'provider' has the name 'P'"),
        ("UPDATE organizations SET parent_id = id WHERE id = 'north'", "north → north is a loop"),
        ("INSERT INTO role_permissions VALUES ('provider', 'cache:red:all')", "no permission"),
    ],
)
async def test_export_drops_nothing(filled: str, statement: str, words: str) -> None:
    """What a file can't express is refused and named."""
    change(filled, statement)
    with pytest.raises(DirectoryError, match=r"access\.toml can't hold this directory") as error:
        await keeper(filled).write_out(without_deleted=False)
    assert words in str(error.value)


async def test_export_without_deleted(filled: str) -> None:
    """Asked to, it leaves out what is deleted; but not where somebody's rights would change."""
    change(
        filled,
        "UPDATE users SET deleted_at = now() WHERE id = 'lost'",
        "UPDATE organizations SET deleted_at = now() WHERE id = 'north'",
        "DELETE FROM user_roles WHERE organization_id = 'north'",
    )
    text = await keeper(filled).write_out(without_deleted=True)
    found = survey(tomllib.loads(text), version="1").directory
    assert found is not None
    assert "lost" not in found.users
    assert "north" not in found.organizations
    assert found.organizations["north-east"].parent is None
    assert found.users["north"].organizations == ()
    change(filled, "INSERT INTO user_roles VALUES ('north', 'provider', 'north')")
    with pytest.raises(DirectoryError, match="'north' has the role 'provider' in 'north', which"):
        await keeper(filled).write_out(without_deleted=True)


async def test_making_the_tables(postgres_db: str) -> None:
    """Once is enough, twice does no harm, and what isn't ours is left alone."""
    assert await keeper(postgres_db).create()
    assert not await keeper(postgres_db).create()
    assert await keeper(postgres_db, 'odd "schema" {x} %s').create()
    execute(postgres_db, "CREATE SCHEMA mine", "CREATE TABLE mine.users (id int)")
    with pytest.raises(DirectoryError, match=r"has users, but not organizations, .* choose"):
        await keeper(postgres_db, "mine").create()
    many = await asyncio.gather(*(keeper(postgres_db, "at_once").create() for _ in range(4)))
    assert sorted(many) == [False, False, False, True]


async def test_import_is_all_or_nothing(filled: str) -> None:
    """Into tables that hold something only if told so; and not with a defect."""
    before = await keeper(filled).write_out(without_deleted=False)
    with pytest.raises(DirectoryError, match="holds a directory already"):
        await keeper(filled).fill({"users": [{"id": "x"}]}, "f", replace=False)
    with pytest.raises(DirectoryError, match=r"f: users\[0\].roles\[0\] .*no role 'y'"):
        await keeper(filled).fill({"users": [{"id": "x", "roles": ["y"]}]}, "f", replace=True)
    with pytest.raises(DirectoryError, match="filling the directory"):
        await keeper(filled).fill({"roles": {"x": ["other:\0"]}}, "f", replace=True)
    assert await keeper(filled).write_out(without_deleted=False) == before


async def test_a_revoked_right_ends_within_a_second(cache: AnalyticsCache, filled: str) -> None:
    """For a grant in hand, with no new decision asked for; the user is denied, not served less."""
    given = "INSERT INTO user_roles VALUES ('north', 'org_analyst', NULL)"
    taken = "DELETE FROM user_roles WHERE user_id = 'north'"
    grant = await cache.authorize("north")
    assert len(await cache.query(CHARGES, grant)) > 0

    async def until() -> None:
        error = await until_denied(lambda: cache.query(CHARGES, grant), 10)
        assert error.reason == "no read permission in force"

    async def again() -> None:
        nonlocal grant
        change(filled, given)
        grant = await _granted(cache, "north")
        change(filled, taken)

    change(filled, taken)
    assert await least_seconds(until, again) < 1


async def test_a_read_that_outlives_its_right(cache: AnalyticsCache, filled: str) -> None:
    """Whoever loses a right while the database is slow to answer gets no answer by it."""
    await cache.invalidate(1)
    grants = {user: await cache.authorize(user) for user in ("north", "root", "provider")}
    with psycopg.connect(filled) as locking:
        locking.execute("LOCK TABLE ih.facts IN ACCESS EXCLUSIVE MODE")
        reads = {
            user: asyncio.create_task(cache.query(CHARGES, grant)) for user, grant in grants.items()
        }
        waiting = (
            "SELECT 1 FROM pg_locks WHERE relation = 'ih.facts'::regclass AND NOT granted LIMIT 1"
        )
        async with asyncio.timeout(10):
            while not select(filled, waiting):  # noqa: ASYNC110 - another server's state
                await asyncio.sleep(0.01)
        change(
            filled,
            "DELETE FROM user_roles WHERE user_id = 'north'",
            "UPDATE organizations SET name = 'other' WHERE id = 'south'",
        )
        await until_denied(lambda: _check(cache._parts.authoriser, grants["north"]), 5)
    with pytest.raises(AccessDenied):
        await reads["north"]
    assert len(await reads["root"]) == 362  # to whom the change means nothing
    assert len(await reads["provider"]) == 18


async def test_a_grant_that_only_waits_ends_too(cache: AnalyticsCache, filled: str) -> None:
    """Streams and jobs, which look at their grant and don't renew it, learn of the change."""
    active = "UPDATE users SET active = {} WHERE id = 'north'"
    grant = await cache.authorize("north")

    async def until() -> None:
        await until_denied(lambda: _check(cache._parts.authoriser, grant), 10)

    async def again() -> None:
        nonlocal grant
        change(filled, active.format("true"))
        grant = await _granted(cache, "north")
        change(filled, active.format("false"))

    change(filled, active.format("false"))
    assert await least_seconds(until, again) < 1


async def test_a_moved_organization(cache: AnalyticsCache, filled: str) -> None:
    """The next answer to a grant in hand is by the new tree."""
    parent = "UPDATE organizations SET parent_id = {!r} WHERE id = 'north-east'"
    grant = await cache.authorize("north")

    async def until(practices: set[int]) -> None:
        async with asyncio.timeout(10):
            while await seen() != practices:
                pass

    async def seen() -> set[int]:
        return set((await cache.query(CHARGES, grant)).to_polars()["practice_uid"])

    async def again() -> None:
        change(filled, parent.format("north"))
        await until({101, 102, 103})
        change(filled, parent.format("south"))

    assert await seen() == {101, 102, 103}
    change(filled, parent.format("south"))
    assert await least_seconds(lambda: until({101, 102}), again) < 1


async def test_another_schemas_changes_are_no_news(
    filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of another schema in the same database doesn't make this one be read."""
    await fill(filled, DIRECTORY, "other")
    source = database(filled)
    authoriser = Authoriser(source)
    await authoriser.authorize("root")
    told: list[str] = []
    monkeypatch.setattr(source._listening, "_tell_news", lambda: told.append("news"))
    with psycopg.connect(filled) as connection:
        connection.execute("DELETE FROM other.users")
    # Notifications come in the order of their commits, so the first that counts is this one.
    change(filled, "DELETE FROM user_roles WHERE user_id = 'root'")
    await wait_until(lambda: bool(told))
    assert told == ["news"]
    await authoriser.aclose()


async def test_an_import_keeps_nobody_from_reading(filled: str) -> None:
    """While it fills the tables, processes go on reading the directory that was there."""
    before = await keeper(filled).write_out(without_deleted=False)
    session = await open_session(PostgresUrl.parse(filled, SETTING))
    async with session, session.transaction(force_rollback=True):
        await insert_records(session, "warmcube", tomllib.loads(ACCESS), replace=True)
        async with asyncio.timeout(10):
            assert await keeper(filled).write_out(without_deleted=False) == before


async def test_a_lost_connection(filled: str) -> None:
    """What is changed while nobody listens is seen as soon as somebody does again."""
    source = database(filled)
    authoriser = Authoriser(source, is_watching=True)
    grant = await authoriser.authorize("north")
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("UPDATE warmcube.users SET active = false WHERE id = 'nobody'")
        connection.execute("ALTER TABLE warmcube.users DISABLE TRIGGER ALL")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%pg_listening_channels%' AND pid <> pg_backend_pid()"
        )
        connection.execute("UPDATE warmcube.users SET active = false WHERE id = 'north'")
    await until_denied(lambda: authoriser.renew(grant), 10)
    await wait_until(lambda: source._listening.is_hearing)
    assert await authoriser.authorize("root")
    await authoriser.aclose()


async def test_a_silent_listener(filled: str) -> None:
    """A connection that is open and says nothing counts as deaf after its patience, not later.

    The time-out is far below the ten seconds that the driver needs to give up the heartbeat.
    """
    source = database(filled)
    authoriser = Authoriser(source, is_watching=True)
    grant = await authoriser.authorize("north")
    await wait_until(lambda: source._listening.is_hearing)
    with psycopg.connect(filled, autocommit=True) as connection:
        found = connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE query LIKE '%pg_listening_channels%' AND pid <> pg_backend_pid()"
        ).fetchone()
        assert found is not None
        os.kill(found[0], signal.SIGSTOP)
        try:
            connection.execute("DELETE FROM warmcube.user_roles WHERE user_id = 'north'")
            await until_denied(lambda: authoriser.renew(grant), 5)
        finally:
            os.kill(found[0], signal.SIGCONT)
    await authoriser.aclose()


@pytest.mark.parametrize("is_watching", [True, False])
async def test_where_nothing_is_delivered(filled: str, *, is_watching: bool) -> None:
    """A session that doesn't really listen, as behind a pooler, is found out; changes still come.

    The pooler is a function of the same name, which finds that nothing is listened to.
    """
    execute(
        filled,
        "CREATE SCHEMA pooler",
        "CREATE FUNCTION pooler.pg_listening_channels() RETURNS SETOF text LANGUAGE sql "
        "AS 'SELECT NULL WHERE false'",
    )
    joint = "&" if "?" in filled else "?"
    deaf = f"{filled}{joint}options=-csearch_path%3Dpooler,pg_catalog"
    source = database(deaf, unheard=0.5)
    authoriser = Authoriser(source, is_watching=is_watching)
    grant = await authoriser.authorize("north")
    assert not source._listening.is_hearing
    change(filled, "DELETE FROM user_roles WHERE user_id = 'north'")
    error = await until_denied(lambda: authoriser.renew(grant), 5)
    assert error.reason == "no read permission in force"
    await authoriser.aclose()


async def test_tables_that_dont_announce(filled: str) -> None:
    """Where a trigger is gone or disabled, a change is seen as where nothing is heard."""
    change(filled, "ALTER TABLE user_roles DISABLE TRIGGER announce")
    source = database(filled, unheard=0.5)
    authoriser = Authoriser(source, is_watching=True)
    grant = await authoriser.authorize("north")
    assert source._listening.is_hearing
    assert not source._listening.hears_all
    change(filled, "DELETE FROM user_roles WHERE user_id = 'north'")
    assert (await until_denied(lambda: authoriser.renew(grant), 5)).reason == (
        "no read permission in force"
    )
    await authoriser.aclose()


async def test_what_cant_be_read_denies_after_its_bound(filled: str) -> None:
    """Never is an older right served for longer, and all is well again with the database."""
    source = database(filled, unheard=0.8)
    authoriser = Authoriser(source, is_watching=True)
    grant = await authoriser.authorize("north")
    name = psycopg.conninfo.conninfo_to_dict(filled)["dbname"]
    other = filled.replace(f"/{name}", "/postgres")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            error = await until_denied(lambda: _check(authoriser, grant), 10)
            assert error.reason.startswith("directory unreadable: the directory in database")
            with pytest.raises(AccessDenied, match="couldn't be read for too long"):
                await authoriser.authorize("root")
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
    async with asyncio.timeout(10):
        while True:
            try:
                assert await authoriser.authorize("north")
                break
            except AccessDenied:
                await asyncio.sleep(0.05)
    await authoriser.aclose()


@pytest.mark.parametrize(
    ("statements", "denied"),
    [
        (["INSERT INTO role_permissions VALUES ('provider', 'analytics:red:own')"],
         {"provider", "lost", "eva"}),
        (["UPDATE organizations SET parent_id = 'south' WHERE id = 'south'"], {"eva"}),
        (["ALTER TABLE organizations DROP CONSTRAINT organizations_parent_id_fkey",
          "UPDATE organizations SET parent_id = 'nowhere' WHERE id = 'empty'"], {"nobody", "eva"}),
        (["ALTER TABLE user_roles DROP CONSTRAINT user_roles_role_id_fkey",
          "INSERT INTO user_roles VALUES ('lost', 'no such role')"], {"lost"}),
        ([f"ALTER TABLE {LINKS} DROP CONSTRAINT {LINKS}_practice_id_check",
          f"INSERT INTO {LINKS} VALUES ('south', '')"], {"eva"}),
        (["ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE",
          "INSERT INTO users VALUES ('north', 'another')"], {"north"}),
        (["ALTER TABLE user_roles DROP CONSTRAINT user_roles_user_id_fkey",
          "INSERT INTO user_roles VALUES ('nobody at all', 'provider')"], set()),
    ],
)  # fmt: skip
async def test_a_defect_denies_those_it_touches(
    filled: str, statements: list[str], denied: set[str]
) -> None:
    """One bad row locks out the users and organizations it touches, and nobody else."""
    change(filled, *statements)
    defects: list[Defect] = []
    authoriser = Authoriser(
        database(filled), changed=lambda _, after: defects.extend(after.defects)
    )
    found = set()
    for user in USERS:
        try:
            await authoriser.authorize(user)
        except AccessDenied as error:
            assert error.reason == "defect in the directory"  # noqa: PT017
            found.add(user)
    assert found == denied
    assert len(defects) == 1
    await authoriser.aclose()


async def test_what_is_deleted_or_inactive(filled: str) -> None:
    """A deleted user is unknown; a deleted or inactive role gives nothing; neither is a defect."""
    change(
        filled,
        "UPDATE users SET deleted_at = now() WHERE id = 'root'",
        "UPDATE roles SET active = false WHERE id = 'provider'",
        "UPDATE organizations SET deleted_at = now() WHERE id = 'north-east'",
        "UPDATE user_roles SET expires_at = '-infinity' WHERE user_id = 'nobody'",
        "UPDATE user_roles SET expires_at = 'infinity' WHERE user_id = 'north'",
    )
    authoriser = Authoriser(database(filled))
    reasons = {}
    for user in ("root", "provider", "nobody"):
        with pytest.raises(AccessDenied) as error:
            await authoriser.authorize(user)
        reasons[user] = error.value.reason
    assert reasons == {
        "root": "unknown user",
        "provider": "no read permission in force",
        "nobody": "no read permission in force",
    }
    grant = await authoriser.authorize("north")
    assert grant.rights[0].reach.practices == frozenset({"101", "102"})
    assert authoriser.trouble is None
    await authoriser.aclose()


async def test_no_tables(postgres_db: str) -> None:
    """What isn't there is told, with what makes it; and no secret of the URL is."""
    joint = "&" if "?" in postgres_db else "?"
    authoriser = Authoriser(database(f"{postgres_db}{joint}password=hush"))
    with pytest.raises(DirectoryError, match="warmcube directory init") as error:
        await authoriser.authorize("root")
    assert "hush" not in str(error.value)
    await authoriser.aclose()
