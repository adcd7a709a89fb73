"""Reading the database for a comparison, in one snapshot of it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.compare.canonical import Checksum, ColumnValues, arrow_values, hash_rows, hash_values
from warmcube.compare.columns import Common
from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Kind, Roles, Schema
from warmcube.source.api import SourceSnapshot
from warmcube.source.figures import PartitionFigures

__all__ = ["DatabaseReading", "read_checksums"]

TELL_SECONDS: Final = 0.1

Int64s = npt.NDArray[np.int64]


@dataclass(slots=True)
class DatabaseReading:
    """What one snapshot of the database holds.

    Attributes:
        as_of: when.
        common: the columns that cache and database have in common.
        figures: of each partition, computed by the database.
        checksums: of each partition's rows.
        fingerprints: of each partition; empty where the cache's snapshot has none to compare with.
    """

    as_of: datetime
    common: Common
    figures: Mapping[PartitionName, PartitionFigures]
    checksums: dict[PartitionName, Checksum] = field(default_factory=dict)
    fingerprints: Mapping[PartitionName, str | None] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many the database holds."""
        return sum(each.rows for each in self.figures.values())


async def read_checksums(
    snapshot: SourceSnapshot,
    roles: Roles,
    common: Common,
    tell: Callable[[int], None],
) -> dict[PartitionName, Checksum]:
    """The checksums of all partitions, in one reading of the table.

    Args:
        snapshot: of the database.
        roles: which columns are measure and frequency.
        common: which columns count.
        tell: called with how many rows were read, from the event loop.

    Raises:
        UnsupportedValue: a value can't be kept exactly.
        SourceUnavailable: the connection broke off.
    """
    found: dict[PartitionName, Checksum] = {}
    stop, rows = threading.Event(), 0

    def read() -> None:
        nonlocal rows
        for batch in snapshot.batches():
            if stop.is_set():
                return
            _add(batch, snapshot.schema, roles, common, found)
            rows += batch.num_rows

    task = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        while not task.done():
            await asyncio.wait([task], timeout=TELL_SECONDS)
            tell(rows)
        await task
    except BaseException:
        stop.set()
        with contextlib.suppress(BaseException):
            await asyncio.shield(task)
        raise
    return found


def _add(
    batch: pa.RecordBatch,
    schema: Schema,
    roles: Roles,
    common: Common,
    found: dict[PartitionName, Checksum],
) -> None:
    columns = {
        name: arrow_values(batch.column(name), schema[name].type)
        for name in {*common.scales, *filter(None, (roles.measure, roles.frequency))}
    }
    hashes = hash_rows(
        [hash_values(columns[name], scale) for name, scale in common.scales.items()],
        batch.num_rows,
    )
    measures, measure_of = _distinct(columns.get(roles.measure or ""), batch.num_rows)
    frequencies, frequency_of = _distinct(columns.get(roles.frequency or ""), batch.num_rows)
    pairs, place = np.unique(measure_of * len(frequencies) + frequency_of, return_inverse=True)
    place = place.reshape(-1)
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=len(pairs)))
    start = 0
    for pair, end in zip(pairs.tolist(), ends.tolist(), strict=True):
        measure, frequency = divmod(pair, len(frequencies))
        name = PartitionName(measures[measure], frequencies[frequency])
        found.setdefault(name, Checksum()).add(hashes[order[start:end]])
        start = end


def _distinct(column: ColumnValues | None, rows: int) -> tuple[list[str | None], Int64s]:
    """The canonical values of a key column, and of each row which one it has."""
    if column is None:
        return [None], np.zeros(rows, np.int64)
    names: list[str | None]
    if column.texts is not None:
        names, codes = list(column.texts), column.values
    else:
        distinct, codes = np.unique(column.values, return_inverse=True)
        if column.type.kind is Kind.UUID:
            names = [str(UUID(bytes=bytes(each).ljust(16, b"\0"))) for each in distinct.tolist()]
        else:
            names = [str(each) for each in distinct.tolist()]
    of_rows: Int64s = codes.reshape(-1).astype(np.int64)
    if column.valid is not None:
        of_rows = np.where(column.valid, of_rows, len(names))
        names.append(None)
    return names, of_rows
