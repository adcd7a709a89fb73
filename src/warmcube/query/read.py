"""Reading one partition's rows from the store, within a scope, as a table of columns."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from warmcube.entry.codec import (
    Block,
    decode_column,
    decode_constant,
    decode_ids,
    id_code,
    no_rows,
    open_entries,
)
from warmcube.entry.keys import Member, PartitionName
from warmcube.entry.seal import Seal
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.query.lookup import check_pointer, fetch_entries, look_up
from warmcube.query.plan import plan_lookup
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Store

__all__ = ["Reading", "StoreReader"]


@dataclass(slots=True)
class Reading:
    """Rows read from the store, and how.

    Attributes:
        table: the wanted columns of all rows in scope.
        entries: how many entries (parts included) were fetched.
        sets: how many index sets were looked up.
        trips: how many trips to the store it took.
        bytes: of the fetched values.
        whole: whether the partition's whole set was read.
        timings: milliseconds by step.
    """

    table: Table
    entries: int = 0
    sets: int = 0
    trips: int = 0
    bytes: int = 0
    whole: bool = False
    timings: dict[str, float] = field(default_factory=dict)


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
        keys = self._snapshots.keys(datasource.id)
        manifest = live.manifest
        partition = manifest.partitions.get(name)
        if partition is None or scope.is_empty:
            (current,) = await self._store.run([(b"GET", keys.current)])
            check_pointer(current, manifest.version)
            return Reading(_no_rows(manifest.schema, columns), trips=1)
        started = time.perf_counter()
        own = keys.partition(name, str(partition.version))
        plan = plan_lookup(scope, partition)
        found = await look_up(self._store, keys, own, manifest.version, partition, plan, self._seal)
        looked_up = time.perf_counter()
        names = sorted(found.members)
        members = [found.members[name] for name in names]
        entry_keys, values, trips = await fetch_entries(self._store, own, names, partition)
        fetched = time.perf_counter()
        layout = manifest.layouts[partition.layout]
        block = open_entries(
            entry_keys,
            values,
            self._codes(manifest.schema, datasource, members),
            layout,
            self._seal,
        )
        for column in layout.fields:
            if column.name in columns and column.name in manifest.dictionaries:
                await self._snapshots.dictionary(datasource, live, column.name)
        table = _decode(block, members, name, live, datasource, columns)
        done = time.perf_counter()
        return Reading(
            table,
            entries=len(names),
            sets=found.sets,
            trips=found.trips + trips,
            bytes=sum(len(value) for value in values if value is not None),
            whole=plan.whole,
            timings={
                "lookup": (looked_up - started) * 1000,
                "fetch": (fetched - looked_up) * 1000,
                "decode": (done - fetched) * 1000,
            },
        )

    @staticmethod
    def _codes(
        schema: Schema, datasource: Datasource, members: Sequence[Member]
    ) -> npt.NDArray[np.int64]:
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


def _is_integer(schema: Schema, role: str | None) -> bool:
    return role is None or schema[role].type.kind.is_integer


def _decode(
    block: Block,
    members: Sequence[Member],
    name: PartitionName,
    live: LiveSnapshot,
    datasource: Datasource,
    columns: Collection[str],
) -> Table:
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


def _no_rows(schema: Schema, columns: Collection[str]) -> Table:
    empty = {c.name: no_rows(c.type) for c in schema.columns if c.name in columns}
    return Table(empty, 0)
