"""Reading one partition's rows from the store, within a scope, as a table of columns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from xxhash import xxh3_64_intdigest

from warmcube.entry.codec import (
    Block,
    decode_column,
    decode_constant,
    decode_ids,
    id_code,
    no_rows,
    open_entries,
)
from warmcube.entry.keys import Keys, Member, PartitionName
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Seal
from warmcube.model.columns import ColumnData, Table
from warmcube.model.origin import Origin
from warmcube.model.schema import Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.query.inventory import KeyRole, find_ids, find_partitions
from warmcube.query.lookup import Target, check_pointer, fetch_entries, look_up
from warmcube.query.plan import plan_lookup
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Store

__all__ = ["Reading", "StoreReader", "beside", "codes_of", "decode", "rowless", "target_of"]

T = TypeVar("T")

LARGE_BYTES: Final = 1_000_000
"""From so many bytes on, decoding leaves the event loop."""


@dataclass(slots=True)
class Reading:
    """Rows read from the store, and how.

    Attributes:
        table: the wanted columns of all rows in scope.
        members: how many entries (parts included) lie in the scope.
        entries: how many of them were fetched; none where the index sets told all.
        rows: how many rows these hold.
        sets: how many index sets were looked up.
        trips: how many trips to the store it took.
        bytes: of the fetched values.
        whole: whether the partition's whole set was read.
        timings: milliseconds by step.
        origin: the tier that has them.
    """

    table: Table
    members: int = 0
    entries: int = 0
    rows: int = 0
    sets: int = 0
    trips: int = 0
    bytes: int = 0
    whole: bool = False
    timings: dict[str, float] = field(default_factory=dict)
    origin: Origin = "store"


class StoreReader:
    """Answers from the store tier."""

    def __init__(self, store: Store, snapshots: Snapshots, seal: Seal) -> None:
        self._store = store
        self._snapshots = snapshots
        self._seal = seal

    async def read(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        columns: Collection[str],
    ) -> Reading:
        """All rows of a partition within a scope.

        Args:
            datasource: which one.
            live: the snapshot to read.
            name: the partition.
            scope: which practices and providers; may be empty.
            columns: which columns are wanted.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        keys, manifest = self._snapshots.keys(datasource.id), live.manifest
        target = target_of(keys, manifest, name, scope)
        if target is None:
            await self._check_pointer(keys, manifest)
            return Reading(rowless(manifest.schema, columns), trips=1)
        started = time.perf_counter()
        found = await look_up(self._store, keys, manifest.version, target, self._seal)
        looked_up = time.perf_counter()
        timings = {"lookup": (looked_up - started) * 1000}
        if not found.members:
            # From here on a partition without own rows is as one that doesn't exist.
            table = rowless(manifest.schema, columns)
            return Reading(
                table, sets=found.sets, trips=found.trips, whole=target.plan.whole, timings=timings
            )
        names = sorted(found.members)
        members = [found.members[name] for name in names]
        entry_keys, values, trips = await fetch_entries(
            self._store, target.own, names, target.partition
        )
        fetched = time.perf_counter()
        layout = manifest.layouts[target.partition.layout]
        size = sum(len(value) for value in values if value is not None)
        codes = partial(codes_of, manifest.schema, datasource, members)
        block = await beside(
            size, lambda: open_entries(entry_keys, values, codes(), layout, self._seal)
        )
        for column in layout.fields:
            if column.name in columns and column.name in manifest.dictionaries:
                await self._snapshots.dictionary(datasource, live, column.name)
        table = await beside(size, lambda: decode(block, members, name, live, datasource, columns))
        done = time.perf_counter()
        timings["fetch"] = (fetched - looked_up) * 1000
        timings["decode"] = (done - fetched) * 1000
        return Reading(
            table,
            members=len(names),
            entries=len(names),
            rows=table.rows,
            sets=found.sets,
            trips=found.trips + trips,
            bytes=size,
            whole=target.plan.whole,
            timings=timings,
        )

    async def read_ids(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        column: str,
    ) -> Reading:
        """The practices, or the providers, that have rows of a scope; no entry is fetched.

        Args:
            datasource: which one.
            live: the snapshot to read.
            name: the partition.
            scope: which practices and providers; may be empty.
            column: the practice or the provider column; each id is one row of the table.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        keys, manifest = self._snapshots.keys(datasource.id), live.manifest
        target = target_of(keys, manifest, name, scope)
        if target is None:
            await self._check_pointer(keys, manifest)
            return Reading(rowless(manifest.schema, [column]), trips=1)
        started = time.perf_counter()
        role: KeyRole = "practice" if column == datasource.roles.practice else "provider"
        found = await find_ids(self._store, keys, manifest.version, target, role, self._seal)
        ids = list(found.ids)
        values = decode_ids(ids, np.ones(len(ids), np.int64), manifest.schema[column].type)
        return Reading(
            Table({column: values}, len(ids)),
            members=found.members,
            sets=found.sets,
            trips=found.trips,
            whole=found.whole,
            timings={"lookup": (time.perf_counter() - started) * 1000},
        )

    async def read_partitions(
        self, datasource: Datasource, live: LiveSnapshot, scope: Scope
    ) -> tuple[tuple[PartitionName, ...], Reading]:
        """The partitions that have rows of a scope, and how that was found; no entry is fetched.

        Args:
            datasource: which one.
            live: the snapshot to read.
            scope: which practices and providers; may be empty.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        keys, manifest = self._snapshots.keys(datasource.id), live.manifest
        nothing = Table({}, 0)
        if scope.is_empty:
            await self._check_pointer(keys, manifest)
            return (), Reading(nothing, trips=1)
        started = time.perf_counter()
        found = await find_partitions(self._store, keys, manifest, scope, self._seal)
        timings = {"lookup": (time.perf_counter() - started) * 1000}
        return found.names, Reading(
            nothing, sets=found.sets, trips=found.trips, whole=found.whole, timings=timings
        )

    async def _check_pointer(self, keys: Keys, manifest: Manifest) -> None:
        (current,) = await self._store.run([(b"GET", keys.current)])
        check_pointer(current, manifest.version)


async def beside(size: int, work: Callable[[], T]) -> T:
    """Do something with so many bytes of entries, beside the event loop if they are many."""
    return await asyncio.to_thread(work) if size > LARGE_BYTES else work()


def target_of(keys: Keys, manifest: Manifest, name: PartitionName, scope: Scope) -> Target | None:
    """Where to look; None where nothing is to be looked up.

    A partition that the snapshot lacks is looked up like another one that it has, picked by the
    name. So the work is that for some partition of which one has no rows, and tells nobody whether
    this one exists.
    """
    partition = manifest.partitions.get(name)
    is_absent = partition is None
    if scope.is_empty:
        return None
    if partition is None:
        if scope.is_everything or not manifest.partitions:
            return None
        partition = _like(manifest, name)
    own = keys.partition(name, str(partition.version))
    return Target(own, partition, plan_lookup(scope, partition), is_absent=is_absent)


def _like(manifest: Manifest, name: PartitionName) -> Partition:
    picked = xxh3_64_intdigest(repr((name.measure, name.frequency)).encode())
    place = picked % len(manifest.partitions)
    return next(islice(manifest.partitions.values(), place, None))


def _is_integer(schema: Schema, role: str | None) -> bool:
    return role is None or schema[role].type.kind.is_integer


def decode(
    block: Block,
    members: Sequence[Member],
    name: PartitionName,
    live: LiveSnapshot,
    datasource: Datasource,
    columns: Collection[str],
) -> Table:
    """Some columns of proven entries, whose dictionaries `live` has by now.

    Args:
        block: the entries.
        members: which ones, in the same order.
        name: their partition.
        live: their snapshot.
        datasource: its roles.
        columns: which columns are wanted.

    Raises:
        Damage: a value can't be read.
    """
    schema, roles = live.manifest.schema, datasource.roles
    rows = len(block.records)
    positions = {f.name: i for i, f in enumerate(block.layout.fields)}
    decoded: dict[str, ColumnData] = {}
    for column in schema.columns:
        if column.name not in columns:
            continue
        if column.name == roles.measure:
            decoded[column.name] = decode_constant(name.measure, rows, column.type)
        elif column.name == roles.frequency:
            decoded[column.name] = decode_constant(name.frequency, rows, column.type)
        elif column.name == roles.practice:
            ids = [member.practice for member in members]
            decoded[column.name] = decode_ids(ids, block.rows_of, column.type)
        elif column.name == roles.provider:
            ids = [member.provider for member in members]
            decoded[column.name] = decode_ids(ids, block.rows_of, column.type)
        else:
            decoded[column.name] = decode_column(
                block, positions[column.name], live.dictionaries.__getitem__
            )
    return Table(decoded, rows)


def rowless(schema: Schema, columns: Collection[str]) -> Table:
    """Some columns without rows."""
    empty = {c.name: no_rows(c.type) for c in schema.columns if c.name in columns}
    return Table(empty, 0)


def codes_of(
    schema: Schema, datasource: Datasource, members: Sequence[Member]
) -> npt.NDArray[np.int64]:
    """What the headers of entries must bear, see `warmcube.entry.codec.open_entries`."""
    roles = datasource.roles
    practice_is_integer = _is_integer(schema, roles.practice)
    provider_is_integer = _is_integer(schema, roles.provider)
    codes = [
        (
            id_code(member.practice, is_integer=practice_is_integer),
            id_code(member.provider, is_integer=provider_is_integer),
        )
        for member in members
    ]
    return np.array(codes, np.int64).reshape(-1, 2)
