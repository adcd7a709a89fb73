"""One consistent read of Postgres: what is locked, what is refused, and in which words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi
from tests.integration.source.conftest import Ask, Execute, Open
from tests.support.reading import NO_ROLES, a_datasource, read_all, read_table

from warmcube.entry.keys import PartitionName
from warmcube.errors import SourceError, SourceUnavailable, TableMismatch
from warmcube.model.schema import Column, ColumnType, Kind, Roles, Schema
from warmcube.model.scope import ALL, Box, Scope
from warmcube.source import postgres as postgres_module
from warmcube.source.api import PartitionCount, Source
from warmcube.source.postgres_snapshot import PostgresSnapshot, in_thread

EVERYTHING = Scope((Box(ALL, ALL),))


@pytest.mark.parametrize("relation", ["t", "v", "m", "vm"])
async def test_a_truncate_after_opening_waits_until_the_read_is_over(
    execute: Execute, source: Source, database: str, relation: str
) -> None:
    """A table that is to be emptied and refilled meanwhile is read as it was, counts included.

    Through a view, a materialized view and a view of one too, where a REFRESH takes the part of
    the TRUNCATE.
    """
    execute(
        "CREATE TABLE t AS SELECT 'm'::text m, g FROM generate_series(1, 1000) g",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        "CREATE VIEW vm AS SELECT * FROM m",
    )
    change = (
        "TRUNCATE t; INSERT INTO t VALUES ('new', 1)"
        if relation in ("t", "v")
        else "TRUNCATE t; REFRESH MATERIALIZED VIEW m"
    )
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)
    async with source.snapshot(a_datasource(relation, roles)) as snapshot:
        writing = asyncio.ensure_future(asyncio.to_thread(_in_transaction, database, change))
        while not await asyncio.to_thread(_is_waiting, database):
            assert not writing.done()
            await asyncio.sleep(0.01)
        table = await read_all(snapshot)
        counts = await snapshot.count_by_partition()
    await writing
    assert sorted(table.column("g").to_pylist()) == list(range(1, 1001))
    assert counts == [PartitionCount(PartitionName("m", None), 1000)]
    after = (await read_table(source, relation))[1].num_rows
    assert after == (1 if relation in ("t", "v") else 0)


async def test_a_truncate_that_was_first_is_waited_for(
    execute: Execute, source: Source, database: str
) -> None:
    """The snapshot is taken after the lock: an earlier TRUNCATE's new rows are seen, not none."""
    execute("CREATE TABLE t AS SELECT 1 AS g FROM generate_series(1, 1000)")
    with closing(dbapi.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE t")
        cursor.execute("INSERT INTO t VALUES (7)")
        reading = asyncio.ensure_future(read_table(source, "t"))
        while not await asyncio.to_thread(_is_waiting, database):
            assert not reading.done()
            await asyncio.sleep(0.01)
        connection.commit()
    _, table = await reading
    assert table.column("g").to_pylist() == [7]


def _in_transaction(url: str, script: str) -> None:
    with closing(dbapi.connect(url)) as connection, connection.cursor() as cursor:
        for statement in script.split(";"):
            cursor.execute(statement)
        connection.commit()


def _is_waiting(url: str) -> bool:
    connected = dbapi.connect(url, autocommit=True)
    with closing(connected) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        row = cursor.fetchone()
    assert row is not None
    return bool(row[0])


async def test_all_reads_of_a_snapshot_see_one_state(execute: Execute, source: Source) -> None:
    """Rows that are added meanwhile are in none of batches, counts and slices."""
    execute("CREATE TABLE t AS SELECT 'm'::text m, 1 g")
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)
    async with source.snapshot(a_datasource("t", roles)) as snapshot:
        execute("INSERT INTO t VALUES ('m', 2), ('other', 3)")
        name = PartitionName("m", None)
        assert (await read_all(snapshot)).num_rows == 1
        assert await snapshot.count_by_partition() == [PartitionCount(name, 1)]
        assert (await snapshot.fetch_slice(name, EVERYTHING, ["g"])).num_rows == 1
    async with source.snapshot(a_datasource("t", roles)) as snapshot:
        assert {c.name.measure: c.rows for c in await snapshot.count_by_partition()} == {
            "m": 2,
            "other": 1,
        }


async def test_as_of_is_the_time_of_the_database(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """`as_of` is an instant in UTC between the database's own before and after."""
    execute("CREATE TABLE t (a integer)")
    clock = "SELECT extract(epoch FROM clock_timestamp())::float8"
    before: Any = ask(clock)[0][0]
    async with source.snapshot(a_datasource("t")) as snapshot:
        as_of = snapshot.as_of
    after: Any = ask(clock)[0][0]
    assert as_of.tzinfo is UTC
    margin = timedelta(milliseconds=1)
    assert datetime.fromtimestamp(before, UTC) - margin <= as_of
    assert as_of <= datetime.fromtimestamp(after, UTC) + margin


async def test_counts_tell_null_empty_and_types_apart(execute: Execute, source: Source) -> None:
    """A partition's name is the canonical text; NULL, '' and '~' are three partitions."""
    execute(
        "CREATE TABLE t (m text, f smallint)",
        "INSERT INTO t VALUES (NULL, 1), ('', 1), ('~', 1), ('A', NULL), ('a', -3), ('a', -3)",
    )
    roles = Roles(measure="m", practice=None, provider=None, frequency="f", date=None, value=None)
    async with source.snapshot(a_datasource("t", roles)) as snapshot:
        counted = {(c.name.measure, c.name.frequency): c.rows for c in
                   await snapshot.count_by_partition()}  # fmt: skip
    assert counted == {
        (None, "1"): 1, ("", "1"): 1, ("~", "1"): 1, ("A", None): 1, ("a", "-3"): 2,
    }  # fmt: skip


async def test_an_empty_table_has_no_partitions(execute: Execute, source: Source) -> None:
    """Not even one of no rows, where there is neither measure nor frequency."""
    execute("CREATE TABLE t (a integer)")
    async with source.snapshot(a_datasource("t")) as snapshot:
        assert await snapshot.count_by_partition() == []
        assert (await read_all(snapshot)).num_rows == 0


@pytest.mark.parametrize(
    ("table", "sql"),
    [
        ('"we.ird"."ta ble"', '"we.ird"."ta ble"'),
        ("Upper.Case", '"Upper"."Case"'),
        ('"a"";DROP TABLE x;--"."$1"', '"a"";DROP TABLE x;--"."$1"'),
        ("naïve.😀", '"naïve"."😀"'),
    ],
)
async def test_any_name_can_be_read(execute: Execute, source: Source, table: str, sql: str) -> None:
    """Names with dots, quotes, upper case and SQL in them are names and nothing else."""
    schema = sql.rpartition(".")[0]
    column = '"c""; DROP TABLE x; -- $1 \'"'
    execute(
        f"CREATE SCHEMA {schema}",
        f'CREATE TABLE {sql} ({column} integer, "m\'" text)',
        f"INSERT INTO {sql} VALUES (5, 'x')",
    )
    try:
        name = "c\"; DROP TABLE x; -- $1 '"
        roles = Roles(
            measure="m'", practice=name, provider=None, frequency=None, date=None, value=None
        )
        assert [c.name for c in await source.describe(table)] == [name, "m'"]
        async with source.snapshot(a_datasource(table, roles)) as snapshot:
            assert (await read_all(snapshot)).column(name).to_pylist() == [5]
            one = Scope((Box(frozenset({"5"}), ALL),))
            got = await snapshot.fetch_slice(PartitionName("x", None), one, [name])
            assert got.to_pylist() == [{name: 5}]
    finally:
        execute(f"DROP SCHEMA {schema} CASCADE")


async def test_describe_tells_types_nullability_and_comments(
    execute: Execute, source: Source
) -> None:
    """Columns come in the table's order, in the database's words; dropped ones don't."""
    execute(
        "CREATE TABLE t (a integer NOT NULL, gone text, b numeric, c varchar(3))",
        "ALTER TABLE t DROP COLUMN gone",
        "COMMENT ON COLUMN t.b IS 'how much'",
    )
    columns = await source.describe("public.t")
    assert [(c.name, c.type.source_type, c.nullable, c.comment) for c in columns] == [
        ("a", "integer", False, None),
        ("b", "numeric", True, "how much"),
        ("c", "character varying(3)", True, None),
    ]
    assert (columns[1].type.kind, columns[1].type.precision) == (Kind.NUMERIC, 0)


@pytest.mark.parametrize("relation", ["t", "v", "m"])
async def test_a_lock_is_waited_for_within_a_bound(
    execute: Execute, source: Source, database: str, monkeypatch: pytest.MonkeyPatch, relation: str
) -> None:
    """Who reads a whole table says then what is in the way; later statements have no such bound."""
    monkeypatch.setattr(postgres_module, "LOCK_SECONDS", 0.2)
    execute(
        "CREATE TABLE t AS SELECT 'm'::text m, g FROM generate_series(1, 10) g",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
    )
    locked = "REFRESH MATERIALIZED VIEW m" if relation == "m" else "LOCK TABLE t"
    with closing(dbapi.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute(locked)
        async with asyncio.timeout(30):
            with pytest.raises(SourceUnavailable, match="another transaction") as caught:
                await read_table(source, relation)
        connection.rollback()
    assert type(caught.value) is SourceUnavailable  # a worker waits for what has this name
    assert "0.2 s" in str(caught.value)
    assert "pg_locks" in str(caught.value)
    async with source.snapshot(a_datasource(relation)) as snapshot:
        assert isinstance(snapshot, PostgresSnapshot)
        connected = snapshot._connection
        asking = "SELECT current_setting('lock_timeout')"
        found = await in_thread(connected, lambda: connected.query(asking, "looking"))
        assert found.column(0).to_pylist() == ["0"]


async def test_a_foreign_table_can_be_read(execute: Execute, source: Source, ask: Ask) -> None:
    """LOCK TABLE refuses them; they are read all the same."""
    if not ask("SELECT 1 FROM pg_available_extensions WHERE name = 'file_fdw'"):
        pytest.skip("this Postgres has no foreign data wrapper to try")
    execute(
        "CREATE EXTENSION file_fdw",
        "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
        "CREATE FOREIGN TABLE t (a integer) SERVER files OPTIONS (program 'seq 3')",
    )
    _, table = await read_table(source, "t")
    assert sorted(table.column("a").to_pylist()) == [1, 2, 3]


async def test_a_partitioned_table_can_be_read(execute: Execute, source: Source) -> None:
    """All of its partitions' rows come."""
    execute(
        "CREATE TABLE t (a integer) PARTITION BY RANGE (a)",
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20)",
        "INSERT INTO t VALUES (1), (11)",
    )
    _, table = await read_table(source, "t")
    assert sorted(table.column("a").to_pylist()) == [1, 11]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("public.measurse", "no table or view public.measurse (did you mean public.measures)"),
        ("public.MEASURES", "no table or view public.MEASURES (did you mean public.measures)"),
        ("elsewhere.measures", "did you mean public.measures"),
        ("zzz.qqq", "names are taken exactly as written"),
        ("a.b.c", "expected schema.table"),
        ("", "expected schema.table"),
    ],
)
async def test_a_missing_table_is_told_with_similar_names(
    execute: Execute, source: Source, table: str, words: str
) -> None:
    """Both ways in say which table is missing, and what may be meant."""
    execute("CREATE TABLE measures (a integer)")
    with pytest.raises(TableMismatch) as described:
        await source.describe(table)
    with pytest.raises(TableMismatch) as opened:
        async with source.snapshot(a_datasource(table)):
            pass
    assert words in str(described.value)
    assert words in str(opened.value)


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        (Roles(), "no column 'practice_uid' for the role practice (did you mean practice_id"),
        (Roles(practice="amount"), "'amount' is of type numeric(5,2), but the role practice needs"),
        (Roles(practice="practice_id", date="measure"), "of type text, but the role date needs"),
    ],
)
async def test_role_columns_are_checked(
    execute: Execute, source: Source, roles: Roles, words: str
) -> None:
    """A role column that is missing or of an unfit type is named, with what is needed."""
    execute(
        "CREATE TABLE t (measure text, practice_id integer, provider_uid integer,"
        " frequency text, amount numeric(5,2), measure_value integer)"
    )
    with pytest.raises(TableMismatch) as raised:
        async with source.snapshot(a_datasource("t", roles)):
            pass
    assert words in str(raised.value)


@pytest.fixture
def stranger(execute: Execute, database: str) -> Iterator[str]:
    """The URL of a user with a password and no rights."""
    execute(
        "DROP ROLE IF EXISTS stranger",
        "CREATE ROLE stranger LOGIN PASSWORD 'pa$s'",
    )
    assert "user=postgres" in database
    yield database.replace("user=postgres", "user=stranger&password=pa%24s")
    execute("DROP OWNED BY stranger", "DROP ROLE stranger")


async def test_missing_rights_are_told_with_what_to_grant(
    execute: Execute, stranger: str, open_url: Open
) -> None:
    """Neither schema nor table rights: the message says which; SELECT alone is enough to read."""
    source = open_url(stranger)
    execute(
        "CREATE SCHEMA s",
        "CREATE TABLE s.t AS SELECT 1 a, 2 b",
        "CREATE VIEW s.v AS SELECT a FROM s.t",
    )
    try:
        for grant in ("USAGE ON SCHEMA s", "SELECT (a) ON s.t"):
            with pytest.raises(SourceError, match="SELECT ON") as raised:
                await read_table(source, "s.t")
            assert "pa$s" not in str(raised.value)
            execute(f"GRANT {grant} TO stranger")
        with pytest.raises(SourceError, match=r"permission denied.*GRANT SELECT"):
            await read_table(source, "s.t")
        execute("GRANT SELECT ON s.t, s.v TO stranger")
        assert (await read_table(source, "s.t"))[1].to_pylist() == [{"a": 1, "b": 2}]
        assert (await read_table(source, "s.v"))[1].to_pylist() == [{"a": 1}]
    finally:
        execute("DROP SCHEMA s CASCADE")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://u:sec%2Fret@127.0.0.1:1/app", "database 'app' at 127.0.0.1:1"),
        ("postgresql://u:sec%2Fret@/app?host=/nowhere", "database 'app' at /nowhere"),
        ("postgres://u@127.0.0.1:1?password=sec%2Fret", "the default database at 127.0.0.1:1"),
    ],
)
async def test_an_unreachable_server_is_told_without_the_password(
    open_url: Open, url: str, place: str
) -> None:
    """Host and database are named; the password shows neither in the message nor in the repr."""
    source = open_url(url)
    with pytest.raises(SourceUnavailable) as raised:
        await source.describe("t")
    told = f"{raised.value} {raised.value!r} {source!r}"
    assert place in str(raised.value)
    assert raised.value.__cause__ is None
    assert "sec" not in told.replace("second", "")


async def test_a_wrong_database_is_unavailable(database: str, open_url: Open) -> None:
    """A database that doesn't exist is told in the server's words."""
    _, _, options = database.partition("?")
    with pytest.raises(SourceUnavailable, match="does not exist"):
        await open_url(f"postgresql:///nowhere?{options}").describe("t")


async def test_connections_cut_while_idle_are_replaced(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """After a restart of the server (here: after its connections are cut) the next read works."""
    execute("CREATE TABLE t AS SELECT 1 a")
    await read_table(source, "t")
    assert ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'warmcube'"
    ) == [(True,)]
    assert (await read_table(source, "t"))[1].num_rows == 1


async def test_a_connection_cut_during_a_read_is_unavailable(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """What is cut half-way is never taken for the end of the table."""
    execute("CREATE TABLE t AS SELECT repeat('x', 10000) a FROM generate_series(1, 10000)")
    async with source.snapshot(a_datasource("t")) as snapshot:
        batches = snapshot.batches()
        await asyncio.to_thread(next, batches)
        ask(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'warmcube'"
        )
        with pytest.raises(SourceUnavailable):
            await asyncio.to_thread(lambda: list(batches))


async def test_a_failing_view_does_not_show_the_value(execute: Execute, source: Source) -> None:
    """The database's message quotes the value that failed, which readers may not see."""
    execute(
        "CREATE TABLE t AS SELECT 'secret'::text a",
        "CREATE VIEW v AS SELECT a::integer FROM t",
    )
    with pytest.raises(SourceError, match="couldn't compute a value") as raised:
        await read_table(source, "v")
    assert "secret" not in str(raised.value)


async def test_a_read_that_takes_too_long_is_stopped(execute: Execute, source: Source) -> None:
    """The time limit holds for each statement, and the source goes on working."""
    execute("CREATE VIEW v AS SELECT pg_sleep(20)::text a")
    with pytest.raises(SourceUnavailable, match="took too long"):
        async with source.snapshot(a_datasource("v"), time_limit=0.2) as snapshot:
            await read_all(snapshot)
    assert len(await source.describe("v")) == 1


async def test_a_cancelled_read_is_stopped_in_the_database(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """Nothing goes on running for somebody who no longer waits."""
    execute(
        "CREATE TABLE t AS SELECT 'm'::text m",
        "CREATE VIEW v AS SELECT m, pg_sleep(60)::text a FROM t",
    )
    running = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'warmcube' AND state = 'active'"
    )
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)

    async def read() -> None:
        async with source.snapshot(a_datasource("v", roles)) as snapshot:
            await snapshot.fetch_slice(PartitionName("m", None), EVERYTHING, ["a"])

    task = asyncio.ensure_future(read())
    while not ask(running):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while ask(running):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_read_that_is_cancelled_twice_leaves_no_transaction_behind(
    execute: Execute, source: Source, ask: Ask
) -> None:
    """Whoever waited gives up, and then the process closes: a transaction that stayed open would
    keep every TRUNCATE, and with it everybody else, waiting for as long as the process lives.
    """
    execute(
        "CREATE TABLE t AS SELECT 'm'::text m",
        "CREATE VIEW v AS SELECT m, pg_sleep(60)::text a FROM t",
    )
    theirs = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'warmcube' AND state <> 'idle'"
    )
    asleep = f"{theirs} AND wait_event = 'PgSleep'"
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)

    async def read() -> None:
        async with source.snapshot(a_datasource("v", roles)) as snapshot:
            await snapshot.fetch_slice(PartitionName("m", None), EVERYTHING, ["a"])

    task = asyncio.ensure_future(read())
    while not ask(asleep):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(10):
        while ask(theirs):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_abandoned_read_leaves_the_source_usable(execute: Execute, source: Source) -> None:
    """Batches that nobody fetches anymore don't block the next snapshot."""
    execute("CREATE TABLE t AS SELECT repeat('x', 10000) a FROM generate_series(1, 10000)")
    async with source.snapshot(a_datasource("t")) as snapshot:
        batches = snapshot.batches()
        await asyncio.to_thread(next, batches)
        del batches
    assert (await read_table(source, "t"))[1].num_rows == 10_000


@pytest.mark.parametrize("kilobytes", [1, 20], ids=["one connection", "two connections"])
async def test_a_read_that_others_still_hold_leaves_the_source_usable(
    execute: Execute, source: Source, ask: Ask, kilobytes: int
) -> None:
    """A thread may hold on to the batches for longer; nobody else gets their connection.

    Their statement is stopped all the same, and their connection closed once they are let go of.
    """
    execute(
        "CREATE TABLE t (a text)",
        "ALTER TABLE t ALTER a SET STORAGE EXTERNAL",
        f"INSERT INTO t SELECT repeat('x', 1000 * {kilobytes}) FROM generate_series(1, 3000)",
        "ANALYZE t",
    )
    held = []
    for _ in range(3):
        async with source.snapshot(a_datasource("t")) as snapshot:
            held.append(snapshot.batches())
            await asyncio.to_thread(next, held[-1])
        assert (await read_table(source, "t"))[1].num_rows == 3000
    busy = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'warmcube' AND state <> 'idle'"
    )
    held.clear()
    async with asyncio.timeout(10):
        while ask(busy):  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.01)


async def test_known_digits_save_the_look_at_the_table(execute: Execute, source: Source) -> None:
    """A numeric's digits are taken over from a known schema, and widened if they no longer do."""
    execute("CREATE TABLE t AS SELECT 'm'::text m, 1.5::numeric v")
    roles = Roles(measure="m", practice=None, provider=None, frequency=None, date=None, value=None)
    known = Schema((Column("v", ColumnType(Kind.NUMERIC, 18, 3)),))
    name = PartitionName("m", None)
    async with source.snapshot(a_datasource("t", roles), known=known) as snapshot:
        assert str(snapshot.schema["v"].type) == "numeric(18,3)"
        got = await snapshot.fetch_slice(name, EVERYTHING, ["v"])
        assert got.column("v").to_pylist() == [1500]
    execute("INSERT INTO t VALUES ('m', 0.12345)")
    async with source.snapshot(a_datasource("t", roles), known=known) as snapshot:
        got = await snapshot.fetch_slice(name, EVERYTHING, ["v"])
        assert str(snapshot.schema["v"].type) == "numeric(18,5)"
        assert sorted(got.column("v").to_pylist()) == [12345, 150000]


async def test_no_roles_are_fine(execute: Execute, source: Source) -> None:
    """A table that lacks all roles is one partition."""
    execute("CREATE TABLE t AS SELECT 1 a")
    async with source.snapshot(a_datasource("t", NO_ROLES)) as snapshot:
        name = PartitionName(None, None)
        assert await snapshot.count_by_partition() == [PartitionCount(name, 1)]
        assert (await snapshot.fetch_slice(name, EVERYTHING, ["a"])).num_rows == 1
