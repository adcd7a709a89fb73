"""Finding out what a data source holds, for whoever operates it and not for a user."""

from __future__ import annotations

from warmcube.errors import Damage, StoreError
from warmcube.model.schema import Datasource
from warmcube.query.contents import Contents
from warmcube.query.snapshots import Snapshots
from warmcube.source.api import Source

__all__ = ["read_contents"]


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
