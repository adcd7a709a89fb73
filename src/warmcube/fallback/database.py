"""The rows of a scope straight from the database, in one consistent read."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.fallback.convert import table_from_arrow
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.source.api import Source, SourceSnapshot

__all__ = ["DatabaseRead", "open_read"]


@dataclass(slots=True)
class DatabaseRead:
    """One consistent read of a data source's table; all queries in it see the same rows."""

    _snapshot: SourceSnapshot
    milliseconds: float = 0.0

    @property
    def schema(self) -> Schema:
        return self._snapshot.schema

    @property
    def as_of(self) -> datetime:
        return self._snapshot.as_of

    async def fetch(
        self,
        partition: PartitionName,
        scope: Scope,
        columns: Sequence[str],
        most: int | None = None,
    ) -> Table:
        """All rows of a partition within a scope.

        Args:
            partition: which one.
            scope: which practices and providers; the database never gives others.
            columns: which columns are wanted.
            most: so many rows; of more, one comes more than these.

        Raises:
            SourceError: the database.
        """
        started = time.perf_counter()
        # Where rows are only counted, any column does.
        wanted = columns or self.schema.names[:1]
        table = await self._snapshot.fetch_slice(partition, scope, wanted, max_rows=most)
        self.milliseconds += (time.perf_counter() - started) * 1000
        return table_from_arrow(table, self.schema)

    async def stream(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """The same piece by piece, in storage form; the read must not have begun with a schema.

        Args:
            partition: which one.
            scope: which practices and providers; the database never gives others.
            columns: which columns are wanted.

        Raises:
            SourceError: the database.
        """
        wanted = columns or self.schema.names[:1]
        async with aclosing(self._snapshot.stream_slice(partition, scope, wanted)) as stream:
            async for batch in stream:
                yield batch

    async def partitions(self, scope: Scope) -> list[PartitionName]:
        """The partitions that have rows within a scope; one row suffices.

        Args:
            scope: which practices and providers.

        Raises:
            SourceError: the database.
        """
        started = time.perf_counter()
        found = await self._snapshot.fetch_partitions(scope)
        self.milliseconds += (time.perf_counter() - started) * 1000
        return found


@asynccontextmanager
async def open_read(
    source: Source, datasource: Datasource, *, seconds: float, known: Schema | None
) -> AsyncIterator[DatabaseRead]:
    """Begin one consistent read.

    Args:
        source: where the table is.
        datasource: which one.
        seconds: that each statement may take.
        known: a schema that was true before, which spares looking at the data for what the
            database doesn't declare; None looks.

    Raises:
        SourceError: the database.
    """
    started = time.perf_counter()
    async with source.snapshot(datasource, time_limit=seconds, known=known) as snapshot:
        yield DatabaseRead(snapshot, (time.perf_counter() - started) * 1000)
