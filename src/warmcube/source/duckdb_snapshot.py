"""One consistent read of a table through DuckDB."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import duckdb
import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.errors import SourceError, SourceUnavailable, TableMismatch
from warmcube.model.schema import Column, Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.source.api import DateRange, PartitionCount
from warmcube.source.duckdb_column import DuckdbColumn
from warmcube.source.duckdb_files import Files
from warmcube.source.duckdb_form import duckdb_batch
from warmcube.source.figures import PartitionFigures, figures_statements, read_figures
from warmcube.source.fingerprint import (
    change_column_of,
    changes_statement,
    duckdb_hash,
    fingerprints,
    hashes_statement,
)
from warmcube.source.select import Parameter, count_statement, table_statement
from warmcube.source.slice import owners_statement, partitions_statement, slice_statement
from warmcube.source.some import bound_to, partitions_condition
from warmcube.source.storage_form import storage_schema

__all__ = ["DuckdbConnection", "DuckdbSnapshot", "translate"]

_VECTOR_ROWS: Final = 2048
_BATCH_ROWS: Final = 65_536
_BATCH_BYTES: Final = 4 << 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CANCEL_SECONDS: Final = 1.0

T = TypeVar("T")


def translate(error: duckdb.Error, place: str) -> SourceError:
    """The warmcube error for one of DuckDB's."""
    message = str(error).partition("\n")[0]
    if isinstance(error, duckdb.InterruptException):
        return SourceUnavailable(f"{place}: the read took too long and was stopped")
    if isinstance(error, duckdb.IOException | duckdb.ResourceInUseException):
        return SourceUnavailable(f"{place}: {message}")
    if isinstance(error, duckdb.CatalogException | duckdb.BinderException):
        return TableMismatch(f"{place}: {message}")
    if isinstance(error, duckdb.DataError):
        # Such messages quote the value, and whoever reads them may not be allowed to see it.
        return SourceError(
            f"{place}: a value of a row couldn't be computed; run the same SELECT in DuckDB to "
            "see which"
        )
    return SourceError(f"{place}: {message}")


class DuckdbConnection:
    """A DuckDB that is open and locked down; all but `in_thread` blocks.

    Args:
        handle: DuckDB's own connection, in a transaction.
        place: what messages name.
        files: Parquet files, that have to stay as they are; none where a database is attached.
        time_limit: seconds that each read in `in_thread` may take.
    """

    def __init__(
        self,
        handle: duckdb.DuckDBPyConnection,
        place: str,
        files: Files,
        time_limit: float | None,
    ) -> None:
        self.place = place
        self.files = files
        self._handle = handle
        self._time_limit = time_limit

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        with self._translated():
            rows = self._handle.execute(sql, list(parameters)).fetchall()
        self._check_files()
        return rows

    def describe(self, relation: str) -> tuple[DuckdbColumn, ...]:
        """The columns of a relation."""
        rows = self.fetch(f"DESCRIBE SELECT * FROM {relation}")  # noqa: S608 (quoted)
        in_parquet = bool(self.files.stamps)
        return tuple(DuckdbColumn(row[0], row[1], may_collate=not in_parquet) for row in rows)

    def now(self) -> datetime:
        """When the transaction began, in UTC."""
        return _EPOCH + timedelta(microseconds=self.fetch("SELECT epoch_us(now())")[0][0])

    def stream(self, sql: str, parameters: Sequence[Parameter] = ()) -> Iterator[pa.RecordBatch]:
        """The result piece by piece, a piece being as small as DuckDB's own."""
        with self._translated():
            relation = self._handle.sql(sql, params=list(parameters) or None)
            reader = relation.to_arrow_reader(_VECTOR_ROWS)
        while True:
            with self._translated():
                batch = next(reader, None)
            if batch is None:
                break
            yield batch
        self._check_files()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do blocking work in a thread; stop DuckDB if it takes too long or isn't wanted anymore.

        Raises:
            SourceUnavailable: the time limit is over.
        """
        task = asyncio.ensure_future(asyncio.to_thread(work))
        done = False
        try:
            finished, _ = await asyncio.wait([task], timeout=self._time_limit)
            done = bool(finished)
        finally:
            if not done:
                self._handle.interrupt()
                await asyncio.wait([task], timeout=_CANCEL_SECONDS)
                task.add_done_callback(_seen)
        if not done and not task.done():
            raise SourceUnavailable(f"{self.place}: the read took too long and can't be stopped")
        return await task

    def close(self) -> None:
        """Let go of the files."""
        with contextlib.suppress(duckdb.Error):
            self._handle.close()

    def _check_files(self) -> None:
        try:
            same = Files.of(self.files.paths) == self.files
        except OSError:
            same = False
        if not same:
            raise SourceUnavailable(
                f"{self.place}: a file was changed while it was being read; try again when they "
                "are complete"
            )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise translate(error, self.place) from None
        except (pa.ArrowException, OSError) as error:
            raise SourceUnavailable(f"{self.place}: {str(error).partition(chr(10))[0]}") from None


class DuckdbSnapshot:
    """One transaction on an attached file, or one set of Parquet files."""

    def __init__(
        self,
        connection: DuckdbConnection,
        relation: str,
        datasource: Datasource,
        columns: Sequence[DuckdbColumn],
        as_of: datetime,
    ) -> None:
        self.schema = Schema(tuple(Column(column.name, column.type) for column in columns))
        self.as_of = as_of
        self._connection = connection
        self._relation = relation
        self._datasource = datasource
        self._columns = {column.name: column for column in columns}

    def batches(self, only: Collection[PartitionName] | None = None) -> Iterator[pa.RecordBatch]:
        condition, parameters = self._condition(only)
        statement = table_statement(
            self._relation, [column.selected for column in self._columns.values()], condition
        )
        for batch in _joined(self._connection.stream(statement.sql, parameters)):
            yield duckdb_batch(batch.columns, self.schema)

    async def count_by_partition(
        self, only: Collection[PartitionName] | None = None
    ) -> list[PartitionCount]:
        counted = count_statement(self._relation, *self._keys, *self._condition(only))
        found = await self._connection.in_thread(
            lambda: self._connection.fetch(counted.sql, counted.parameters)
        )
        return [PartitionCount(PartitionName(m, f), rows) for m, f, rows in found if rows]

    async def fingerprint_by_partition(self) -> list[PartitionCount]:
        change = change_column_of(self._columns, self._datasource, self._relation)
        if change is not None:
            sql = changes_statement(self._relation, self._keys, change)
            method = f"max {change.name}"
        else:
            hashed = duckdb_hash([c for c in self._columns.values() if c not in self._keys])
            sql = hashes_statement(self._relation, self._keys, hashed)
            method = f"{duckdb.__version__} {hashed}"
        found = await self._connection.in_thread(lambda: self._connection.fetch(sql))
        return fingerprints(found, method)

    @property
    def _keys(self) -> tuple[DuckdbColumn | None, DuckdbColumn | None]:
        """The columns of measure and frequency."""
        roles = self._datasource.roles
        return self._columns.get(roles.measure or ""), self._columns.get(roles.frequency or "")

    def _condition(
        self, only: Collection[PartitionName] | None
    ) -> tuple[str, tuple[Parameter, ...]]:
        if only is None:
            return "", ()
        values: list[Parameter] = []
        condition = partitions_condition(self._columns, self._datasource, only, bound_to(values))
        return condition, tuple(values)

    async def figures_by_partition(self) -> list[PartitionFigures]:
        found: dict[PartitionName, PartitionFigures] = {}
        wanted = [(column, column.figures) for column in self._columns.values()]
        counts = {column.name: len(expressions) for column, expressions in wanted}
        for sql, names in figures_statements(self._relation, self._keys, wanted):
            rows = await self._connection.in_thread(partial(self._connection.fetch, sql))
            read_figures(found, rows, [self.schema[name] for name in names], counts)
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
        wanted = Schema(tuple(self.schema[name] for name in columns))
        statement = slice_statement(
            self._relation,
            self._columns,
            self._datasource,
            wanted=columns,
            partition=partition,
            scope=scope,
            days=days,
            max_rows=max_rows,
        )
        empty = storage_schema(wanted.columns).empty_table()
        if statement is None:
            return empty

        def read() -> pa.Table:
            pieces = self._connection.stream(statement.sql, statement.parameters)
            kept = [duckdb_batch(piece.columns, wanted) for piece in pieces]
            return pa.Table.from_batches(kept, empty.schema)

        return await self._connection.in_thread(read)

    async def stream_slice(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        wanted = Schema(tuple(self.schema[name] for name in columns))
        statement = slice_statement(
            self._relation,
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
        pieces = _joined(self._connection.stream(statement.sql, statement.parameters))

        def read() -> pa.RecordBatch | None:
            piece = next(pieces, None)
            return None if piece is None else duckdb_batch(piece.columns, wanted)

        while (batch := await self._connection.in_thread(read)) is not None:
            yield batch

    async def fetch_partitions(self, scope: Scope) -> list[PartitionName]:
        statement = partitions_statement(self._relation, self._columns, self._datasource, scope)
        if statement is None:
            return []
        found = await self._connection.in_thread(
            lambda: self._connection.fetch(statement.sql, statement.parameters)
        )
        return [PartitionName(measure, frequency) for measure, frequency in found]

    async def fetch_owners(self) -> frozenset[tuple[str | None, str | None]]:
        statement = owners_statement(self._relation, self._columns, self._datasource)
        found = await self._connection.in_thread(
            lambda: self._connection.fetch(statement.sql, statement.parameters)
        )
        return frozenset((practice, provider) for practice, provider in found)


def _seen(task: asyncio.Future[Any]) -> None:
    """Nobody waits for this anymore, so its error isn't lost by mistake."""
    if not task.cancelled():
        task.exception()


def _joined(pieces: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Small batches joined into ones that are worth handling."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for piece in pieces:
        held.append(piece)
        rows += piece.num_rows
        size += piece.nbytes
        if rows >= _BATCH_ROWS or size >= _BATCH_BYTES:
            yield pa.concat_batches(held)
            held, rows, size = [], 0, 0
    if held:
        yield pa.concat_batches(held)
