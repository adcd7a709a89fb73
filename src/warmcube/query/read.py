"""Reading one partition's rows from the store, within a scope, as a table of columns."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from warmcube.entry.codec import (
    Block,
    decode_column,
    decode_constant,
    decode_ids,
    no_rows,
    open_prepared,
    prove_codes,
)
from warmcube.entry.keys import Keys, Member, PartitionName
from warmcube.entry.layout import TextStorage
from warmcube.entry.manifest import Manifest
from warmcube.entry.seal import Seal
from warmcube.model.columns import Array, ColumnData, Factor, LazyColumns, Table
from warmcube.model.origin import Origin
from warmcube.model.schema import Datasource, Roles, Schema
from warmcube.model.scope import Scope
from warmcube.query.factors import repeating_factor
from warmcube.query.finder import Finder, target_of
from warmcube.query.ids import EntryIds, Role
from warmcube.query.inventory import KeyRole, find_ids, find_partitions
from warmcube.query.known import Found
from warmcube.query.lookup import check_pointer
from warmcube.query.prepared import PreparedQuery
from warmcube.query.snapshots import LiveSnapshot

__all__ = ["Reading", "StoreReader", "beside", "dates_factor", "decode", "prove", "rowless"]

T = TypeVar("T")

LARGE_BYTES: Final = 4 << 20
"""From so many bytes on, decoding leaves the event loop, which would stand still for longer than a
millisecond or two; the hop to a thread and back isn't free either."""


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
        counts: how many values each row of `table` stands for; None where it is one row each.
        sums: how many of the fetched were practice-level sums.
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
    counts: Array | None = None
    sums: int = 0
    origin: Origin = "store"

    def of_table(self, table: Table) -> Reading:
        """The same with other rows, and with timings of its own.

        `dataclasses.replace` takes several times as long, and a batch has many of them.
        """
        return Reading(
            table,
            self.members,
            self.entries,
            self.rows,
            self.sets,
            self.trips,
            self.bytes,
            self.whole,
            dict(self.timings),
            self.counts,
            self.sums,
            self.origin,
        )


class StoreReader(Finder):
    """Answers from the store tier."""

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
        started = time.perf_counter()
        found_in, trips = await self.find(datasource, live, {name: scope})
        found = found_in.get(name)
        looked_up = time.perf_counter()
        timings = {"lookup": (looked_up - started) * 1000}
        if found is None or not found.entries.keys:
            if not trips:
                _, trips = await self.fetch(datasource, live, [])
            # From here on a partition without own rows is as one that doesn't exist.
            table = rowless(live.manifest.schema, columns)
            if found is None:
                return Reading(table, trips=trips)
            whole = found.target.plan.whole
            return Reading(table, sets=found.sets, trips=trips, whole=whole, timings=timings)
        (values,), more = await self.fetch(datasource, live, [found], is_checked=trips > 0)
        fetched = time.perf_counter()
        size = sum(map(len, filter(None, values)))
        await self._snapshots.dictionaries(datasource, live, found.target.partition, columns)

        def work() -> tuple[Table, int]:
            block, members = prove(found, values, live, self._seal)
            table = decode(block, members, name, live, datasource, columns, found.ids)
            return table, len(members)

        table, entries = await beside(size, work)
        done = time.perf_counter()
        timings["fetch"] = (fetched - looked_up) * 1000
        timings["decode"] = (done - fetched) * 1000
        return Reading(
            table,
            members=entries,
            entries=entries,
            rows=table.rows,
            sets=found.sets,
            trips=trips + more,
            bytes=size,
            whole=found.target.plan.whole,
            timings=timings,
        )

    async def read_query(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        scope: Scope,
        prepared: PreparedQuery,
    ) -> Reading:
        """What a query is answered from; see `read`."""
        return await self.read(datasource, live, name, scope, prepared.columns)

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


def prove(
    found: Found, values: Sequence[bytes | None], live: LiveSnapshot, using: Seal
) -> tuple[Block, Sequence[Member]]:
    """The entries that were found and fetched, and what their keys name.

    Raises:
        Damage: one is missing, altered, cut, or another's.
    """
    entries = found.entries
    layout = live.manifest.layouts[found.target.partition.layout]
    block = open_prepared(entries.prepared, values, entries.codes, layout, using)
    return block, entries.members


def decode(
    block: Block,
    members: Sequence[Member],
    name: PartitionName,
    live: LiveSnapshot,
    datasource: Datasource,
    columns: Collection[str],
    ids: EntryIds | None = None,
) -> Table:
    """Some columns of proven entries, whose dictionaries `live` has by now.

    Args:
        block: the entries.
        members: which ones, in the same order.
        name: their partition.
        live: their snapshot.
        datasource: its roles.
        columns: which columns are wanted.
        ids: of the entries, so that those that are integers needn't be parsed; None to do without.

    Raises:
        Damage: a value can't be read.
    """
    schema, roles, rows_of = live.manifest.schema, datasource.roles, block.rows_of
    positions = {f.name: i for i, f in enumerate(block.layout.fields)}
    ready: dict[str, ColumnData] = {}
    dictionaries: dict[str, Sequence[str]] = {}
    for at, each in enumerate(block.layout.fields):
        if each.text is None or each.name not in columns:
            continue
        if each.text is TextStorage.BEHIND:
            ready[each.name] = decode_column(block, at, live.dictionaries.__getitem__)
        else:
            dictionaries[each.name] = live.dictionaries[each.name]
            prove_codes(block, at, len(dictionaries[each.name]))

    def make(wanted: str) -> ColumnData:
        """Can't fail: what could be damage was looked for above and in `describe`."""
        if wanted in ready:
            return ready[wanted]
        if wanted in positions:
            return decode_column(block, positions[wanted], dictionaries.__getitem__)
        of_column = schema[wanted].type
        if wanted == roles.measure:
            return decode_constant(name.measure, block.rows, of_column)
        if wanted == roles.frequency:
            return decode_constant(name.frequency, block.rows, of_column)
        role: Role = "practice" if wanted == roles.practice else "provider"
        known = None if ids is None else ids.column(role, rows_of, of_column)
        if known is not None:
            return known
        return decode_ids([getattr(each, role) for each in members], rows_of, of_column)

    wanted = [column.name for column in schema.columns if column.name in columns]
    made = LazyColumns(wanted, make)
    return Table(made, block.rows, _factors(made, block.rows_of_each, schema, roles, ids))


def _factors(
    columns: Mapping[str, ColumnData],
    size: int,
    schema: Schema,
    roles: Roles,
    ids: EntryIds | None,
) -> Callable[[str], Factor | None] | None:
    """What gives the factors of a table of entries that have so many rows each, if all have."""
    if not size:
        return None
    of_dates = dates_factor(columns, roles.date, size)

    def factor(name: str) -> Factor | None:
        if ids is not None and name == roles.practice:
            return ids.factor("practice", size, schema[name].type)
        if ids is not None and name == roles.provider:
            return ids.factor("provider", size, schema[name].type)
        return None if of_dates is None else of_dates(name)

    return factor


def dates_factor(
    columns: Mapping[str, ColumnData], date: str | None, size: int
) -> Callable[[str], Factor | None] | None:
    """What gives the factor of a date column, for `Table.factors`; it is found out once.

    Args:
        columns: of the table.
        date: name of the date column, if there is one.
        size: how many rows each entry has; 0 where not all have as many.
    """
    if not size or date is None or date not in columns:
        return None
    found: list[Factor | None] = []

    def factor(name: str) -> Factor | None:
        if name != date:
            return None
        if not found:
            found.append(repeating_factor(columns[name], size))
        return found[0]

    return factor


def rowless(schema: Schema, columns: Collection[str]) -> Table:
    """Some columns without rows."""
    empty = {c.name: no_rows(c.type) for c in schema.columns if c.name in columns}
    return Table(empty, 0)
