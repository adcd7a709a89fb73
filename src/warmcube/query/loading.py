"""Loading a whole partition into the process, as the system, proven like any other read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from warmcube.entry.codec import Block
from warmcube.entry.keys import Member, PartitionName
from warmcube.entry.seal import Seal
from warmcube.model.schema import Datasource
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.entries import fetching
from warmcube.query.finder import Finder
from warmcube.query.lookup import most_at_once
from warmcube.query.partition import ResidentPartition
from warmcube.query.read import decode, prove
from warmcube.query.snapshots import LiveSnapshot, Snapshots

__all__ = ["load_partition"]

PIECE: Final = 250
"""Entries that are proven at a time, so that whoever waits for the interpreter waits briefly."""

EVERYTHING: Final = Scope((Box(ALL, ALL),))


async def load_partition(
    finder: Finder,
    snapshots: Snapshots,
    seal: Seal,
    datasource: Datasource,
    live: LiveSnapshot,
    name: PartitionName,
) -> ResidentPartition | None:
    """All rows of a partition, for slices that grants choose; nobody is given them as they are.

    Args:
        finder: finds and fetches entries.
        snapshots: has the dictionaries.
        seal: what values bear.
        datasource: which one.
        live: the snapshot.
        name: the partition.

    Returns:
        None if the snapshot doesn't have it.

    Raises:
        PointerMoved: another snapshot is live by now.
        Damage: something in the store isn't whole.
        StoreError: the store.
    """
    if name not in live.manifest.partitions:
        return None
    found = (await finder.find(datasource, live, {name: EVERYTHING}))[0][name]
    columns = live.manifest.schema.names
    await snapshots.dictionaries(datasource, live, found.target.partition, columns)
    entries, most = found.entries, most_at_once(found.target.partition)
    blocks, members = [], list(entries.members)
    for at in range(0, len(entries.keys), PIECE):
        part = entries.part(at, at + PIECE)
        piece = replace(found, entries=part, commands=fetching([part], most))
        (values,), _ = await finder.fetch(datasource, live, [piece])
        block, _ = await asyncio.to_thread(prove, piece, values, live, seal)
        blocks.append(block)
    return await asyncio.to_thread(_decode, blocks, members, name, datasource, live)


def _decode(
    blocks: Sequence[Block],
    members: Sequence[Member],
    name: PartitionName,
    datasource: Datasource,
    live: LiveSnapshot,
) -> ResidentPartition:
    block = Block(
        blocks[0].layout,
        np.concatenate([each.records.reshape(-1) for each in blocks]),
        np.concatenate([each.rows_of for each in blocks]),
        [text for each in blocks for text in each.texts],
    )
    schema, roles = live.manifest.schema, datasource.roles
    table = decode(block, members, name, live, datasource, schema.names)
    return ResidentPartition(
        members,
        block.rows_of,
        table,
        shared=live.dictionaries.values(),
        constants=[each for each in (roles.measure, roles.frequency) if each is not None],
        dates=roles.date,
        summed=roles.value,
    )
