"""A table in memory that can be changed, watched and interrupted while it is warmed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa

from warmcube.entry.keys import PartitionName
from warmcube.entry.seal import Checksum
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.read import Reading, StoreReader
from warmcube.query.snapshots import Snapshots
from warmcube.source.api import DateRange, DescribedColumn, PartitionCount
from warmcube.source.figures import PartitionFigures
from warmcube.store.api import Store

DATASOURCE = Datasource(
    id=1, name="t", source="main", table="t", roles=Roles(date=None, value="value")
)
EVERYTHING = Scope((Box(ALL, ALL),))
SCHEMA = Schema(
    (
        Column("measure", ColumnType(Kind.TEXT)),
        Column("practice_uid", ColumnType(Kind.INTEGER)),
        Column("provider_uid", ColumnType(Kind.INTEGER)),
        Column("frequency", ColumnType(Kind.TEXT)),
        Column("value", ColumnType(Kind.BIGINT)),
    )
)
Row = tuple[str | None, int | None, int | None, str | None, int]


class MemorySource:
    """A source whose table is a list of rows; what stands in it when a snapshot opens is read."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)
        self.before_batch: Callable[[], None] = lambda: None
        self.miscount = 0

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        """Its columns."""
        del table
        return tuple(DescribedColumn(c.name, c.type, nullable=True) for c in SCHEMA.columns)

    @asynccontextmanager
    async def snapshot(
        self,
        datasource: Datasource,
        *,
        time_limit: float | None = None,
        known: Schema | None = None,
    ) -> AsyncIterator[MemorySnapshot]:
        """What it holds now."""
        del datasource, time_limit, known
        yield MemorySnapshot(self, tuple(self.rows))

    async def ping(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """Nothing to close."""


class MemorySnapshot:
    """The rows as they were."""

    def __init__(self, source: MemorySource, rows: Sequence[Row]) -> None:
        self.schema = SCHEMA
        self.as_of = datetime(2026, 1, 1, tzinfo=UTC)
        self._source = source
        self._rows = rows

    def batches(self, only: Collection[PartitionName] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows, or those of some partitions."""
        rows = [row for row in self._rows if only is None or PartitionName(row[0], row[3]) in only]
        for at in range(0, len(rows), 1000):
            self._source.before_batch()
            columns = list(zip(*rows[at : at + 1000], strict=True))
            types = [pa.string(), pa.int32(), pa.int32(), pa.string(), pa.int64()]
            yield pa.RecordBatch.from_arrays(
                [pa.array(c, t) for c, t in zip(columns, types, strict=True)], SCHEMA.names
            )

    async def count_by_partition(
        self, only: Collection[PartitionName] | None = None
    ) -> list[PartitionCount]:
        """As a database would count."""
        counts = Counter(PartitionName(row[0], row[3]) for row in self._rows)
        return [
            PartitionCount(name, rows + self._source.miscount)
            for name, rows in counts.items()
            if only is None or name in only
        ]

    async def fingerprint_by_partition(self) -> list[PartitionCount]:
        """The rows themselves, sorted, as text."""
        return [
            replace(
                counted,
                fingerprint=str(
                    sorted(
                        map(
                            str,
                            (r for r in self._rows if PartitionName(r[0], r[3]) == counted.name),
                        )
                    )
                ),
            )
            for counted in await self.count_by_partition()
        ]

    async def figures_by_partition(self) -> list[PartitionFigures]:
        """Not needed to warm."""
        raise AssertionError

    async def fetch_slice(
        self,
        partition: PartitionName,
        scope: Scope,
        columns: Sequence[str],
        days: DateRange | None = None,
        max_rows: int | None = None,
    ) -> pa.Table:
        """Not needed to warm."""
        raise AssertionError(partition, scope, columns, days, max_rows)

    def stream_slice(
        self, partition: PartitionName, scope: Scope, columns: Sequence[str]
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        """Not needed to warm."""
        raise AssertionError(partition, scope, columns)

    async def fetch_partitions(self, scope: Scope) -> list[PartitionName]:
        """Not needed to warm."""
        raise AssertionError(scope)

    async def fetch_owners(self) -> frozenset[tuple[str | None, str | None]]:
        """Not needed to warm."""
        raise AssertionError


async def read_all(store: Store) -> list[tuple[int | None, int | None, int]]:
    """Everything of measure "m", frequency "f", as (practice, provider, value), sorted.

    Raises:
        LookupError: if the data source is cold.
    """
    snapshots = Snapshots(store, "", Checksum())
    live = await snapshots.load(DATASOURCE)
    if live is None:
        raise LookupError
    reading = await StoreReader(store, snapshots, Checksum()).read(
        DATASOURCE, live, PartitionName("m", "f"), EVERYTHING, SCHEMA.names
    )
    return rows_of(reading)


def rows_of(reading: Reading) -> list[tuple[int | None, int | None, int]]:
    """A reading's rows, sorted."""
    columns = []
    for name in ("practice_uid", "provider_uid", "value"):
        column = reading.table.columns[name]
        valid = column.valid
        columns.append(
            [
                None if valid is not None and not valid[i] else int(v)
                for i, v in enumerate(column.values)
            ]
        )
    return sorted(zip(*columns, strict=True), key=str)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something another task does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (what is waited for isn't ours to signal)
            await asyncio.sleep(0.005)
