"""Loading a whole partition into the process, as the system, proven like any other read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import numpy as np

from warmcube.entry.codec import Block, open_entries
from warmcube.entry.keys import Member, PartitionName
from warmcube.entry.seal import Seal
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.lookup import Target, check_pointer, entry_commands, look_up
from warmcube.query.partition import ResidentPartition
from warmcube.query.read import codes_of, decode, target_of
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Store

__all__ = ["load_partition"]

PIECE: Final = 250
"""Entries that are proven at a time, so that whoever waits for the interpreter waits briefly."""

EVERYTHING: Final = Scope((Box(ALL, ALL),))


async def load_partition(
    store: Store,
    snapshots: Snapshots,
    seal: Seal,
    datasource: Datasource,
    live: LiveSnapshot,
    name: PartitionName,
) -> ResidentPartition | None:
    """All rows of a partition, for slices that grants choose; nobody is given them as they are.

    Args:
        store: the store.
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
    keys, manifest = snapshots.keys(datasource.id), live.manifest
    target = target_of(keys, manifest, name, EVERYTHING)
    if target is None:
        return None
    found = await look_up(store, keys, manifest.version, target, seal)
    names = sorted(found.members)
    members = [found.members[each] for each in names]
    for column in manifest.layouts[target.partition.layout].fields:
        if column.name in manifest.dictionaries:
            await snapshots.dictionary(datasource, live, column.name)
    blocks = []
    for at in range(0, len(names), PIECE):
        some = names[at : at + PIECE]
        commands = [command for command, _ in entry_commands(target.own, some, target.partition)]
        *replies, current = await store.run([*commands, (b"GET", keys.current)])
        check_pointer(current, manifest.version)
        values = [value for reply in replies for value in reply]
        own = members[at : at + PIECE]
        blocks.append(
            await asyncio.to_thread(_prove, target, some, own, values, datasource, live, seal)
        )
    return await asyncio.to_thread(_decode, blocks, members, name, datasource, live)


def _prove(
    target: Target,
    names: Sequence[bytes],
    members: Sequence[Member],
    values: Sequence[bytes | None],
    datasource: Datasource,
    live: LiveSnapshot,
    seal: Seal,
) -> Block:
    return open_entries(
        [target.own.entry(each) for each in names],
        values,
        codes_of(live.manifest.schema, datasource, members),
        live.manifest.layouts[target.partition.layout],
        seal,
    )


def _decode(
    blocks: Sequence[Block],
    members: Sequence[Member],
    name: PartitionName,
    datasource: Datasource,
    live: LiveSnapshot,
) -> ResidentPartition:
    block = Block(
        blocks[0].layout,
        np.concatenate([each.records for each in blocks]),
        np.concatenate([each.rows_of for each in blocks]),
        [text for each in blocks for text in each.texts],
    )
    schema, roles = live.manifest.schema, datasource.roles
    table: Table = decode(block, members, name, live, datasource, schema.names)
    return ResidentPartition(
        members,
        block.rows_of,
        table,
        shared=live.dictionaries.values(),
        constants=[each for each in (roles.measure, roles.frequency) if each is not None],
        prepared=[] if roles.date is None else [roles.date],
    )
