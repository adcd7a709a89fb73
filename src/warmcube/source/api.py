"""What the rest of warmcube may ask of a database.

Arrow data is in storage form everywhere (see `warmcube.model.schema.Kind`): int16, int32, int64,
float, double, bool; a narrow numeric is int64, a wide one and a uuid are 16 bytes; a date is int32,
an instant int64; text is string. NULL is Arrow's null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.model.scope import Scope

__all__ = ["DescribedColumn", "PartitionCount", "Source", "SourceSnapshot"]


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column as the database describes it; an unconstrained numeric has precision 0 here."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True, slots=True)
class PartitionCount:
    """How many rows one partition has."""

    name: PartitionName
    rows: int


class SourceSnapshot(Protocol):
    """One consistent read of a table; everything is as of one instant."""

    schema: Schema
    as_of: datetime  # by the database's clock, with time zone

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows, all columns, in bounded memory. Blocks: call it in a thread."""
        ...

    async def count_by_partition(self) -> list[PartitionCount]:
        """How many rows each partition has, counted by the database."""
        ...

    async def fetch_slice(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> pa.Table:
        """The rows of one partition within a scope."""
        ...


class Source(Protocol):
    """One configured database."""

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        """The columns of a table, in its order.

        Raises:
            TableMismatch: no such table.
            SourceUnavailable: no connection.
        """
        ...

    def snapshot(self, datasource: Datasource) -> AbstractAsyncContextManager[SourceSnapshot]:
        """Begin one consistent read of a data source's table.

        Raises:
            TableMismatch: the table, or a column that plays a role, isn't there or isn't usable.
            SourceUnavailable: no connection.
        """
        ...

    async def close(self) -> None: ...
