"""Reading a table over two connections: every row once, of one state, or an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from adbc_driver_postgresql import dbapi
from tests.integration.source.conftest import Ask, Execute
from tests.support.reading import a_datasource, read_all, read_table

from warmcube.errors import UnsupportedValue
from warmcube.source import halves, postgres_snapshot
from warmcube.source.api import Source
from warmcube.source.halves import Beside, open_halves
from warmcube.source.names import TableName
from warmcube.source.postgres_connection import PostgresConnection

Conditions = list[list[str]]

MANY = "CREATE TABLE t AS SELECT g, repeat('x', 100) AS filler FROM generate_series(1, 20000) g"


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Conditions:
    """Halves tables of any size, and keeps the conditions under which they were read."""
    kept: Conditions = []

    def watched(
        connection: PostgresConnection, table: TableName, beside: Beside
    ) -> list[tuple[PostgresConnection, str]]:
        readers = open_halves(connection, table, beside)
        kept.append([condition for _, condition in readers])
        return readers

    monkeypatch.setattr(halves, "WORTH_HALVING", 0)
    monkeypatch.setattr(postgres_snapshot, "open_halves", watched)
    return kept


@pytest.mark.parametrize("rows", [0, 1, 20_000])
async def test_every_row_is_read_once(
    execute: Execute, source: Source, used: Conditions, rows: int
) -> None:
    """Whatever the size, and although rows were moved and deleted."""
    execute(
        MANY,
        f"DELETE FROM t WHERE g > {rows}",
        "UPDATE t SET filler = 'y' WHERE g % 3 = 0",
    )
    _, table = await read_table(source, "t")
    assert sorted(table.column("g").to_pylist()) == list(range(1, rows + 1))
    ((first, second),) = used
    assert (first.split("<")[0], second.split(">=")[0]) == ("ctid ", "ctid ")
    assert first.split("<")[1] == second.split(">=")[1]


async def test_both_see_the_state_that_was_locked(
    execute: Execute, source: Source, used: Conditions
) -> None:
    """What is changed between opening and reading is in neither half."""
    execute(MANY)
    async with source.snapshot(a_datasource("t")) as snapshot:
        execute("DELETE FROM t WHERE g % 2 = 0", "INSERT INTO t VALUES (20001)", "VACUUM t")
        table = await read_all(snapshot)
    assert sorted(table.column("g").to_pylist()) == list(range(1, 20_001))
    assert len(used[0]) == 2


async def test_a_writer_in_the_queue_keeps_nobody_waiting(
    execute: Execute, source: Source, used: Conditions, database: str, ask: Ask
) -> None:
    """A TRUNCATE that waits for the first connection would block the second: it is left out."""
    execute(MANY)

    def truncate() -> None:
        with closing(dbapi.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("TRUNCATE t")
            connection.commit()

    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    async with source.snapshot(a_datasource("t")) as snapshot:
        writing = asyncio.ensure_future(asyncio.to_thread(truncate))
        while ask(waiting) == [(0,)]:
            assert not writing.done()
            await asyncio.sleep(0.01)
        table = await read_all(snapshot)
    await writing
    assert table.num_rows == 20_000
    assert used == [[""]]


@pytest.mark.parametrize(
    "relation",
    [
        ["CREATE VIEW r AS SELECT * FROM t"],
        ["CREATE MATERIALIZED VIEW r AS SELECT * FROM t"],
        [
            "CREATE TABLE r (g integer, filler text) PARTITION BY RANGE (g)",
            "CREATE TABLE r1 PARTITION OF r DEFAULT",
            "INSERT INTO r SELECT * FROM t",
        ],
        [
            "CREATE TABLE r (g integer, filler text)",
            "CREATE TABLE r1 () INHERITS (r)",
            "INSERT INTO r1 SELECT * FROM t",
        ],
    ],
    ids=["view", "materialized view", "partitioned", "inherited"],
)
async def test_what_is_not_one_plain_table_is_read_by_one(
    execute: Execute, source: Source, used: Conditions, relation: list[str]
) -> None:
    """They have no blocks of their own to be cut at."""
    execute(MANY, *relation)
    _, table = await read_table(source, "r")
    assert sorted(table.column("g").to_pylist()) == list(range(1, 20_001))
    assert used == [[""]]


@pytest.mark.parametrize("row", [1, 20_000])
async def test_an_error_in_either_half_is_raised(
    execute: Execute, source: Source, used: Conditions, row: int, ask: Ask
) -> None:
    """A half that can't be read isn't left out, and the other one is stopped."""
    execute(
        MANY.replace(
            "SELECT g",
            f"SELECT CASE g WHEN {row} THEN '294276-12-31' ELSE '2024-01-01' END::date d",
        ),
        "ALTER TABLE t ALTER COLUMN d TYPE timestamp",
    )
    with pytest.raises(UnsupportedValue, match="after the year 294246"):
        await read_table(source, "t")
    await _nothing_runs(ask)
    assert len(used[0]) == 2


async def test_whoever_stops_early_stops_both(
    execute: Execute, source: Source, used: Conditions, ask: Ask
) -> None:
    """No thread stays, and no statement goes on in the database."""
    execute(MANY, "INSERT INTO t SELECT g, filler FROM t, generate_series(1, 20)")

    def take_one(batches: Iterator[object]) -> object:
        return next(batches)

    async with source.snapshot(a_datasource("t")) as snapshot:
        batches = snapshot.batches()
        assert await asyncio.to_thread(take_one, batches)
        await asyncio.to_thread(batches.close)  # type: ignore[attr-defined]
    await _nothing_runs(ask)
    assert len(used[0]) == 2
    assert (await read_table(source, "t"))[1].num_rows == 20_000 * 21


async def _nothing_runs(ask: Ask) -> None:
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    async with asyncio.timeout(20):
        while ask(running) != [(0,)]:  # noqa: ASYNC110 (it happens in the database)
            await asyncio.sleep(0.01)
