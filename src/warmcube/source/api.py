"""What a source is, whatever the database: `Source`, `SourceSnapshot` and their nouns.

An adapter describes tables and opens snapshots. A snapshot is one consistent read of one data
source: what is streamed, counted and fetched through it belongs to one state of the table.

Arrow data is in storage form everywhere (see `warmcube.model.schema.Kind`): int16, int32, int64,
float, double, bool; a narrow numeric is int64, a wide one and a uuid are 16 bytes; a date is int32,
an instant int64; text is string. NULL is Arrow's null.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.source.figures import PartitionFigures

__all__ = [
    "DateRange",
    "DescribedColumn",
    "PartitionCount",
    "Source",
    "SourceSnapshot",
]


@dataclass(frozen=True, slots=True)
class PartitionCount:
    """How many rows the source holds of one partition, and which, as far as is asked for.

    Attributes:
        name: of the partition.
        rows: how many.
        fingerprint: equal to an earlier one only if the rows are the same; opaque. None where it
            wasn't asked for.
    """

    name: PartitionName
    rows: int
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class DateRange:
    """Whole days, both inclusive; None is open."""

    start: date | None = None
    end: date | None = None


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """One column as the database declares it.

    Attributes:
        name: the column's name, unquoted.
        type: what it is kept as; a numeric of which the database doesn't know the digits has
            precision 0 here, and is resolved by a look at the data when a snapshot is opened.
        nullable: whether it may hold NULL, as far as is declared.
        comment: the database's comment on it.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    comment: str | None = None


class SourceSnapshot(Protocol):
    """One consistent read of one data source; does one thing at a time."""

    @property
    def schema(self) -> Schema:
        """All columns, types resolved; `fetch_slice` may widen a numeric taken over as known."""

    @property
    def as_of(self) -> datetime:
        """When the table was in this state, by the database's clock, in UTC."""

    def batches(self, only: Collection[PartitionName] | None = None) -> Iterator[pa.RecordBatch]:
        """Every row and column, in storage form, in no order, in batches of a few megabytes.

        Blocks: call and iterate it in a worker thread.

        Args:
            only: of these partitions; None for the whole table.

        Raises:
            UnsupportedValue: a value can't be kept exactly; names the column.
            SourceUnavailable: the connection broke off.
        """

    async def count_by_partition(
        self, only: Collection[PartitionName] | None = None
    ) -> list[PartitionCount]:
        """How many rows each partition has; partitions without rows aren't listed.

        Args:
            only: of these partitions; None for all.
        """

    async def fingerprint_by_partition(self) -> list[PartitionCount]:
        """The same of all, with fingerprints.

        They are of all that a warm reads of the rows; where the data source names a change column,
        of their number and of that column's greatest value.

        Raises:
            TableMismatch: the table lacks the change column.
        """

    async def figures_by_partition(self) -> list[PartitionFigures]:
        """Counts, sums and ranges of each partition, as the database computes them."""

    async def fetch_slice(
        self,
        partition: PartitionName,
        scope: Scope,
        columns: Sequence[str],
        days: DateRange | None = None,
        max_rows: int | None = None,
    ) -> pa.Table:
        """The rows of one partition that lie in `scope`, in storage form.

        Args:
            partition: which partition.
            scope: which practices and providers; applied by the database.
            columns: at least one, each in `schema`.
            days: narrows what is read. Where whole days depend on a time zone, a day more at
                either end may come, so the condition has to be evaluated again.
            max_rows: at most one row more than this is read, so that an excess can be told.
        """

    def stream_slice(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """The same rows piece by piece, however many they are.

        The time limit counts for each piece. Open the snapshot without `known` for it: digits
        can't be widened half-way.

        Args:
            partition: which partition.
            scope: which practices and providers; applied by the database.
            columns: at least one, each in `schema`.

        Raises:
            SourceUnavailable: the connection broke off, or a piece took too long.
        """

    async def fetch_partitions(self, scope: Scope) -> list[PartitionName]:
        """The partitions that have rows in `scope`, each once, in no order.

        Args:
            scope: which practices and providers; applied by the database.
        """

    async def fetch_owners(self) -> frozenset[tuple[str | None, str | None]]:
        """Each practice with each of its providers, as canonical text; of all rows, for no user."""


class Source(Protocol):
    """One configured database."""

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        """The columns of ``schema.table``, in the table's order.

        Raises:
            TableMismatch: there is no such table; names similar ones.
            SourceUnavailable: the database can't be reached.
        """

    def snapshot(
        self,
        datasource: Datasource,
        *,
        time_limit: float | None = None,
        known: Schema | None = None,
    ) -> AbstractAsyncContextManager[SourceSnapshot]:
        """Open a snapshot of a data source.

        Args:
            datasource: its table is read, its role columns are checked.
            time_limit: seconds that each statement may take; None is the database's own limit.
            known: a schema whose numeric digits are taken over, instead of looking at the whole
                table for those that the database doesn't declare.

        Raises:
            TableMismatch: no such table or role column, or one of a type that can't play the role.
            UnsupportedValue: a numeric column needs more than 38 digits.
            SourceUnavailable: the database can't be reached, or took too long.
        """

    async def ping(self) -> None:
        """Open a connection of its own, and close it.

        Raises:
            SourceUnavailable: the database can't be reached.
        """

    async def close(self) -> None:
        """Give back all connections; snapshots must be closed before."""
