"""What a data source holds, for whoever writes questions about it: columns and partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from warmcube.entry.keys import PartitionName
from warmcube.errors import Damage, StoreError
from warmcube.model.schema import Datasource, Schema
from warmcube.query.snapshots import Snapshots
from warmcube.source.api import Source

__all__ = ["Contents", "read_contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is there, of all rows and for no user.

    Attributes:
        schema: the columns.
        rows: how many rows each measure has with each frequency.
        is_live: whether this is the snapshot's; otherwise the database's.
    """

    schema: Schema
    rows: Mapping[PartitionName, int]
    is_live: bool


async def read_contents(snapshots: Snapshots, source: Source, datasource: Datasource) -> Contents:
    """Read them from the live snapshot, or else from the database.

    Raises:
        SourceError: neither could tell.
    """
    try:
        live = await snapshots.load(datasource)
    except (StoreError, Damage):
        live = None
    if live is not None:
        partitions = live.manifest.partitions
        rows = {name: partition.rows for name, partition in partitions.items()}
        return Contents(schema=live.manifest.schema, rows=rows, is_live=True)
    async with source.snapshot(datasource) as snapshot:
        counts = await snapshot.count_by_partition()
        found = {count.name: count.rows for count in counts}
        return Contents(schema=snapshot.schema, rows=found, is_live=False)
