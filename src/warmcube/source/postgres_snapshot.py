"""One consistent read of a Postgres table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, TypeVar

import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.errors import UnsupportedValue
from warmcube.model.schema import Column, Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.source.api import DateRange, PartitionCount
from warmcube.source.figures import PartitionFigures, figures_statements, read_figures
from warmcube.source.fingerprint import (
    change_column_of,
    changes_statement,
    fingerprints,
    hashes_statement,
    postgres_hash,
)
from warmcube.source.halves import Beside, in_threads, open_halves
from warmcube.source.names import TableName
from warmcube.source.postgres_catalog import Described
from warmcube.source.postgres_column import (
    NumericFacts,
    PostgresColumn,
    facts_statement,
    known_type,
    resolve,
)
from warmcube.source.postgres_connection import PostgresConnection
from warmcube.source.postgres_form import postgres_batch
from warmcube.source.postgres_packed import PackedTable
from warmcube.source.select import count_statement, table_statement
from warmcube.source.slice import owners_statement, partitions_statement, slice_statement
from warmcube.source.some import literal, partitions_condition
from warmcube.source.storage_form import storage_schema

__all__ = ["THREADS", "PostgresSnapshot", "in_thread", "stop"]

_CANCEL_SECONDS: Final = 1.0
THREADS: Final = ThreadPoolExecutor(32, "warmcube-postgres")
"""Of their own, since those that wait for a database that is silent are lost to everybody else."""
_CURSOR: Final = "warmcube_slice"
_FETCHED_ROWS: Final = 20_000
_VERSION: Final = "SELECT pg_catalog.current_setting('server_version_num')"

T = TypeVar("T")


class PostgresSnapshot:
    """One REPEATABLE READ transaction on a table that is locked against TRUNCATE."""

    def __init__(
        self,
        connection: PostgresConnection,
        table: TableName,
        datasource: Datasource,
        described: Described,
        beside: Beside,
    ) -> None:
        self.schema = Schema(())
        self.as_of = described.as_of
        self._connection = connection
        self._table = table
        self._datasource = datasource
        self._columns = {column.name: column for column in described.columns}
        self._is_plain = described.is_plain
        self._beside = beside

    def batches(self, only: Collection[PartitionName] | None = None) -> Iterator[pa.RecordBatch]:
        if only is not None:
            yield from self._stream(self._connection, self._condition(only))
            return
        yield from self._by_halves(self._stream)

    def _by_halves(
        self, read: Callable[[PostgresConnection, str], Generator[T, None, None]]
    ) -> Iterator[T]:
        """What is read of a whole table under conditions, over two connections if it is large."""
        readers = open_halves(self._connection, self._table, self._beside)
        others = [connection for connection, _ in readers if connection is not self._connection]

        def interrupt() -> None:
            for connection, _ in readers:
                connection.cancel()

        try:
            streams = [read(connection, condition) for connection, condition in readers]
            yield from in_threads(streams, interrupt)
        finally:
            for connection in others:
                connection.close()

    def _stream(
        self, connection: PostgresConnection, condition: str
    ) -> Generator[pa.RecordBatch, None, None]:
        packed = PackedTable(tuple(self._columns.values()), is_plain=self._is_plain)
        statement = table_statement(self._table.sql, packed.selected, condition)
        for batch in connection.stream(statement.sql, self._doing):
            yield packed.batch(batch.columns, self.schema)

    async def count_by_partition(
        self, only: Collection[PartitionName] | None = None
    ) -> list[PartitionCount]:
        condition = "" if only is None else self._condition(only)
        statement = count_statement(self._table.sql, *self._keys, condition)
        counted = await self._query(lambda c: c.query(statement.sql, self._doing))
        names = zip(*(counted.column(n).to_pylist() for n in range(3)), strict=True)
        return [PartitionCount(PartitionName(m, f), rows) for m, f, rows in names if rows]

    async def fingerprint_by_partition(self) -> list[PartitionCount]:
        change = change_column_of(self._columns, self._datasource, str(self._table))
        if change is not None:
            sql = changes_statement(self._table.sql, self._keys, change)
            found = await self._query(lambda c: c.query(sql, self._doing))
            return fingerprints(_rows(found), f"max {change.name}")
        return await self._query(self._hashes)

    def _hashes(self, connection: PostgresConnection) -> list[PartitionCount]:
        version = connection.query(_VERSION, self._doing).column(0)[0].as_py()
        hashed = postgres_hash(
            [c for c in self._columns.values() if c not in self._keys], int(version)
        )

        def read(half: PostgresConnection, condition: str) -> Generator[pa.Table, None, None]:
            sql = hashes_statement(self._table.sql, self._keys, hashed, condition)
            yield half.query(sql, self._doing)

        found = [row for part in self._by_halves(read) for row in _rows(part)]
        return fingerprints(found, f"{version} {hashed}")

    @property
    def _keys(self) -> tuple[PostgresColumn | None, PostgresColumn | None]:
        """The columns of measure and frequency."""
        roles = self._datasource.roles
        return self._columns.get(roles.measure or ""), self._columns.get(roles.frequency or "")

    def _condition(self, only: Collection[PartitionName]) -> str:
        return partitions_condition(self._columns, self._datasource, only, literal)

    async def figures_by_partition(self) -> list[PartitionFigures]:
        found: dict[PartitionName, PartitionFigures] = {}
        wanted = [(column, column.figures) for column in self._columns.values()]
        counts = {column.name: len(expressions) for column, expressions in wanted}
        for sql, names in figures_statements(self._table.sql, self._keys, wanted):
            table = await self._query(partial(_queried, sql, self._doing))
            read_figures(found, _plain_rows(table), [self.schema[name] for name in names], counts)
        return list(found.values())

    async def fetch_slice(
        self,
        partition: PartitionName,
        scope: Scope,
        columns: Sequence[str],
        days: DateRange | None = None,
        max_rows: int | None = None,
    ) -> pa.Table:
        if not columns:
            raise ValueError("fetch_slice needs at least one column")
        statement = slice_statement(
            self._table.sql,
            self._columns,
            self._datasource,
            wanted=columns,
            partition=partition,
            scope=scope,
            days=days,
            max_rows=max_rows,
        )
        if statement is None:
            wanted = Schema(tuple(self.schema[name] for name in columns))
            return storage_schema(wanted.columns).empty_table()
        raw = await self._query(lambda c: c.query(statement.sql, self._doing, statement.parameters))
        try:
            return await asyncio.to_thread(self._kept, raw, columns)
        except UnsupportedValue:
            # A numeric whose digits were taken as known, and which has grown since.
            before = self.schema
            await self.resolve(None)
            if self.schema == before:
                raise
            return await asyncio.to_thread(self._kept, raw, columns)

    async def stream_slice(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        statement = slice_statement(
            self._table.sql,
            self._columns,
            self._datasource,
            wanted=columns,
            partition=partition,
            scope=scope,
            days=None,
            max_rows=None,
        )
        if statement is None:
            return
        declared = f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {statement.sql}"
        await self._query(lambda c: c.execute(declared, self._doing, statement.parameters))
        while True:
            raw = await self._query(lambda c: c.fetch(_CURSOR, _FETCHED_ROWS, self._doing))
            if not raw.num_rows:
                break
            kept = await asyncio.to_thread(self._kept, raw, columns)
            for batch in kept.to_batches():
                yield batch
        await self._query(lambda c: c.execute(f"CLOSE {_CURSOR}", self._doing))

    async def fetch_partitions(self, scope: Scope) -> list[PartitionName]:
        statement = partitions_statement(self._table.sql, self._columns, self._datasource, scope)
        if statement is None:
            return []
        found = await self._query(
            lambda c: c.query(statement.sql, self._doing, statement.parameters)
        )
        names = zip(*(found.column(n).to_pylist() for n in range(2)), strict=True)
        return [PartitionName(measure, frequency) for measure, frequency in names]

    async def fetch_owners(self) -> frozenset[tuple[str | None, str | None]]:
        statement = owners_statement(self._table.sql, self._columns, self._datasource)
        found = await self._query(lambda c: c.query(statement.sql, self._doing))
        practices, providers = (found.column(n).to_pylist() for n in range(2))
        return frozenset(zip(practices, providers, strict=True))

    async def resolve(self, known: Schema | None) -> None:
        """Settle the schema, with a look at the table for numerics of unknown digits."""
        types = {
            name: known_type(column, known[name] if known is not None and name in known else None)
            for name, column in self._columns.items()
        }
        unknown = [self._columns[name] for name, known_as in types.items() if known_as is None]
        if unknown:
            statement = facts_statement(self._table.sql, unknown)
            table = await self._query(lambda c: c.query(statement.sql, self._doing))
            values = iter([table.column(n)[0].as_py() for n in range(3 * len(unknown))])
            for column in unknown:
                scale, least, whole = (next(values) for _ in range(3))
                facts = NumericFacts(_integer(scale), _integer(least), whole)
                types[column.name] = resolve(column, facts)
        self.schema = Schema(
            tuple(Column(name, settled) for name, settled in types.items() if settled is not None)
        )

    def _kept(self, raw: pa.Table, columns: Sequence[str]) -> pa.Table:
        wanted = Schema(tuple(self.schema[name] for name in columns))
        batches = [postgres_batch(batch.columns, wanted) for batch in raw.to_batches()]
        return pa.Table.from_batches(batches, storage_schema(wanted.columns))

    async def _query(self, work: Callable[[PostgresConnection], T]) -> T:
        return await in_thread(self._connection, lambda: work(self._connection))

    @property
    def _doing(self) -> str:
        return f"reading {self._table}"


async def in_thread(connection: PostgresConnection, work: Callable[[], T]) -> T:
    """Run blocking work on a connection in a thread; if cancelled, stop it in the server too."""
    loop = asyncio.get_running_loop()
    task = loop.run_in_executor(THREADS, work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        connection.is_broken = True
        # Its statement keeps the connection from being closed until then. Settled before anything
        # is waited for, since a second cancellation would end that: a transaction that stays open
        # keeps every TRUNCATE waiting, and with it everybody else.
        task.add_done_callback(_seen)
        task.add_done_callback(lambda _: connection.close())
        await stop(connection)
        await asyncio.wait([task], timeout=_CANCEL_SECONDS)
        raise


async def stop(connection: PostgresConnection) -> None:
    """Stop in the server what a connection is doing; a silent one is waited for no longer."""
    task = asyncio.get_running_loop().run_in_executor(THREADS, connection.cancel)
    task.add_done_callback(_seen)
    await asyncio.wait([task], timeout=_CANCEL_SECONDS)


def _seen(task: asyncio.Future[Any]) -> None:
    """Nobody waits for this anymore, so its error isn't lost by mistake."""
    if not task.cancelled():
        task.exception()


def _queried(sql: str, doing: str, connection: PostgresConnection) -> pa.Table:
    return connection.query(sql, doing)


def _plain_rows(found: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Rows of a small result, with instants as their integers: Python's have no year 0."""
    columns = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in found.columns
    ]
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _rows(found: pa.Table) -> Iterator[tuple[str | int | None, ...]]:
    return zip(*(column.to_pylist() for column in found.columns), strict=True)


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text)
