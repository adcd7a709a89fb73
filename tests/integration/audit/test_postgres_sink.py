"""`warmcube.audit.postgres_sink` on a real Postgres: each line once, whatever is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier
from tests.support.audit import EVENTS, a_denial, a_grant, read_line

from warmcube.audit.connect import open_sink
from warmcube.audit.line import Heading, line_of
from warmcube.audit.sink import Sink
from warmcube.audit.trail import Trail
from warmcube.errors import AuditError

NAMES = [
    "warmcube.audit",
    "audit",
    '"we.ird"."ta ble"',
    '"a""b"."c%s %(d)s {schema} {table} $1"',
    '"x"."y\'; DROP TABLE safe; --"',
    '"Ä"."ö"',
]


@pytest.fixture
async def database(postgres_db: str) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection to an empty database."""
    connection = await AsyncConnection.connect(postgres_db, autocommit=True)
    async with connection:
        yield connection


def sink_of(url: str, table: str = "warmcube.audit") -> Sink:
    """A sink."""
    sink = open_sink("postgres", url=url, table=table)
    assert sink is not None
    return sink


async def rows_of(
    database: AsyncConnection[Any], schema: str = "warmcube", table: str = "audit"
) -> list[tuple[Any, ...]]:
    """What a table holds."""
    query = SQL(
        "SELECT at, event, actor, subject, datasource, trail, number, line FROM {} ORDER BY number"
    ).format(Identifier(schema, table))
    return await (await database.execute(query)).fetchall()


async def cut(database: AsyncConnection[Any]) -> int:
    """End every other connection to the database; how many there were."""
    cursor = await database.execute(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    (count,) = await cursor.fetchone() or (0,)
    return int(count)


async def test_every_event_is_a_row(database: AsyncConnection[Any], postgres_db: str) -> None:
    """The columns are what the line says, and the line is the line."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    lines = []
    for number, event in enumerate(EVENTS.values(), 1):
        time = at + timedelta(microseconds=number)
        heading = Heading(time=time, event=event.name, trail="0123456789abcdef", number=number)
        lines.append(line_of(event, heading))
    sink = sink_of(postgres_db)
    await sink.write(lines[:3])
    await sink.write(lines[3:])
    await sink.write(lines)  # nobody knew whether they had arrived
    await sink.close()
    expected = []
    for line in lines:
        tree = read_line(line)
        names = ("event", "actor", "subject", "datasource", "trail", "number")
        time = datetime.fromisoformat(tree["time"])
        expected.append((time, *(tree.get(name) for name in names), tree))
    assert await rows_of(database) == expected


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_of_a_table(
    database: AsyncConnection[Any], postgres_db: str, name: str
) -> None:
    """Names are quoted, whatever is in them; without a schema the table is in public."""
    await database.execute("CREATE TABLE safe ()")
    for _ in range(2):  # it is made, and found again
        sink = sink_of(postgres_db, name)
        trail = Trail(sink, required=True)
        await trail.record(a_grant("it's %s {x} $1 \\ \" \0"))
        await trail.close()
    found = await (
        await database.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema "
            "NOT IN ('pg_catalog', 'information_schema') AND table_name <> 'safe'"
        )
    ).fetchall()
    parts = [
        part.strip('"').replace('""', '"') for part in name.split('"."' if '"' in name else ".")
    ]
    assert found == [("public", *parts) if len(parts) == 1 else tuple(parts)]
    rows = await rows_of(database, *found[0])
    assert {row[3] for row in rows} == {"it's %s {x} $1 \\ \" \\u{0}"}
    assert len(rows) == 2
    await database.execute("SELECT FROM safe")


async def test_a_cut_connection_is_opened_anew(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """One that lay idle when it was cut costs nobody an answer."""
    trail = Trail(sink_of(postgres_db), required=True)
    for number in range(3):
        await trail.record(a_grant(str(number)))
        assert await cut(database) == 1
    await trail.close()
    assert [row[3] for row in await rows_of(database)] == ["0", "1", "2"]


async def test_cut_in_the_middle_of_everything(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """Who was told that it is audited finds it there, and every line is there once."""
    trail = Trail(sink_of(postgres_db), required=True)
    told: list[str] = []
    is_over = False

    async def record(worker: int) -> None:
        number = 0
        while not is_over:
            name = f"{worker}:{number}"
            number += 1
            try:
                await trail.record(a_grant(name))
            except AuditError:
                continue
            told.append(name)

    workers = [asyncio.create_task(record(worker)) for worker in range(5)]
    cuts = 0
    async with asyncio.timeout(60):
        while cuts < 20:
            before = len(told)
            while len(told) < before + 20:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            cuts += await cut(database)
    is_over = True
    await asyncio.gather(*workers)
    await trail.close()
    written = [row[3] for row in await rows_of(database)]
    assert len(written) == len(set(written))
    assert set(told) <= set(written)


async def test_cut_in_the_middle_of_a_write(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """A write that waits for a lock is cut and done again; what isn't waited for isn't lost."""
    trail = Trail(sink_of(postgres_db), bound=60)
    trail.note(a_grant("first"))
    await until_rows(database, 1)
    async with database.transaction():
        await database.execute("LOCK TABLE warmcube.audit IN EXCLUSIVE MODE")
        trail.note(a_grant("second"))
        trail.note(a_denial("third"))
        cursor = await database.execute("SELECT pg_backend_pid()")
        (own,) = await cursor.fetchone() or (0,)
        async with (
            asyncio.timeout(30),
            await AsyncConnection.connect(postgres_db, autocommit=True) as other,
        ):
            count = 0
            while count < 2:  # the first try, and the one after it
                cursor = await other.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = "
                    "current_database() AND wait_event_type = 'Lock' AND pid <> %s",
                    (own,),
                )
                (ended,) = await cursor.fetchone() or (0,)
                count += ended
                await asyncio.sleep(0.001)
    await until_rows(database, 3)
    await trail.close()
    assert [row[3] for row in await rows_of(database)] == ["first", "second", "third"]


async def until_rows(database: AsyncConnection[Any], count: int) -> None:
    """Wait until the table has so many rows."""
    async with asyncio.timeout(30):
        while True:
            found = await database.execute("SELECT to_regclass('warmcube.audit') IS NOT NULL")
            if (await found.fetchone() or (False,))[0] and len(await rows_of(database)) >= count:
                return
            await asyncio.sleep(0.001)


async def test_a_lock_that_isnt_let_go_is_no_answer(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """Within the bound; and the connection that was given up on is not used again."""
    trail = Trail(sink_of(postgres_db), required=True, bound=0.5)
    await trail.record(a_grant("before"))
    async with database.transaction():
        await database.execute("LOCK TABLE warmcube.audit IN EXCLUSIVE MODE")
        with pytest.raises(AuditError, match=r"didn't answer within 0\.5 s"):
            await trail.record(a_grant("held up"))
    await trail.record(a_grant("after"))
    await trail.close()
    assert {"before", "after"} <= {row[3] for row in await rows_of(database)}


async def test_the_right_to_insert_is_enough(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """Who writes the audit needn't be able to read or to change it, or to make tables."""
    trail = Trail(sink_of(postgres_db), required=True)
    await trail.record(a_grant("owner"))
    await trail.close()
    await database.execute("DROP ROLE IF EXISTS audit_writer")
    await database.execute("CREATE ROLE audit_writer LOGIN")
    try:
        await database.execute("GRANT USAGE ON SCHEMA warmcube TO audit_writer")
        await database.execute("GRANT INSERT ON warmcube.audit TO audit_writer")
        writer = postgres_db.replace("postgres@", "audit_writer@")
        url = f"{writer}{'&' if '?' in writer else '?'}user=audit_writer"
        trail = Trail(sink_of(url), required=True)
        await trail.record(a_grant("writer"))
        await trail.close()
        with pytest.raises(AuditError) as caught:
            await Trail(sink_of(url, "other.audit"), required=True).record(a_grant())
        assert 'can\'t be written to "other"."audit" in database' in str(caught.value)
        assert "permission denied for database" in str(caught.value)
        await database.execute("GRANT CREATE ON SCHEMA warmcube TO audit_writer")
        trail = Trail(sink_of(url, "warmcube.mine"), required=True)
        await trail.record(a_grant("writer"))
        await trail.close()
    finally:
        await database.execute("DROP OWNED BY audit_writer")
        await database.execute("DROP ROLE audit_writer")
    assert sorted(row[3] for row in await rows_of(database)) == ["owner", "writer"]


async def test_many_processes_make_the_table_once(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """All at the same moment."""
    trails = [Trail(sink_of(postgres_db), required=True) for _ in range(8)]
    await asyncio.gather(*(trail.record(a_grant(str(n))) for n, trail in enumerate(trails)))
    for trail in trails:
        await trail.close()
    assert sorted(row[3] for row in await rows_of(database)) == [str(n) for n in range(8)]


async def test_a_table_of_another_make_is_an_error(
    database: AsyncConnection[Any], postgres_db: str
) -> None:
    """It names the column that it lacks, and nothing of it is changed."""
    await database.execute("CREATE TABLE public.audit (note text)")
    trail = Trail(sink_of(postgres_db, "audit"), required=True)
    with pytest.raises(AuditError, match='column "at" of relation "audit" does not exist'):
        await trail.record(a_grant())
    await trail.close()


async def test_a_database_that_isnt_there_is_an_error() -> None:
    """With its place, without its password."""
    trail = Trail(sink_of("postgresql://u:hunter2@127.0.0.1:1/db"), required=True)
    with pytest.raises(AuditError, match=r"in database 'db' at 127\.0\.0\.1:1: ") as caught:
        await trail.record(a_grant())
    assert "hunter2" not in str(caught.value)
    await trail.close()
