"""Reading for many queries at once: each entry is fetched, proven and decoded once.

What several queries want of one partition is united before it is looked up; then each gets the
rows of its own scope, picked by entry. All is of one snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from warmcube.entry.codec import Block, open_entries
from warmcube.entry.keys import Keys, Member, PartitionName
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.model.scope import Scope
from warmcube.query.judge import Judged
from warmcube.query.loading import load_partition
from warmcube.query.lookup import (
    Lookup,
    Target,
    check_pointer,
    count_commands,
    entry_commands,
    look_up,
    look_up_each,
    unpack_counts,
)
from warmcube.query.partition import ResidentPartition
from warmcube.query.plan import LONG_SET, prove_whole
from warmcube.query.read import Reading, StoreReader, beside, codes_of, decode, rowless, target_of
from warmcube.query.scan import StoreScan
from warmcube.query.snapshots import LiveSnapshot
from warmcube.store.api import Command

__all__ = ["Need", "TogetherReader", "unite"]

TRIP_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The rows that a query is answered from.

    Attributes:
        partition: where they are.
        scope: which of its practices and providers; may be empty.
        columns: which columns.
    """

    partition: PartitionName
    scope: Scope
    columns: Collection[str]


def unite(needs: Iterable[Need]) -> dict[PartitionName, Need]:
    """What has to be read for all of some needs, by partition; empty scopes need nothing."""
    found: dict[PartitionName, Need] = {}
    for need in needs:
        if need.scope.is_empty:
            continue
        before = found.get(need.partition)
        if before is None:
            found[need.partition] = need
            continue
        found[need.partition] = Need(
            partition=need.partition,
            scope=Scope.of((*before.scope.boxes, *need.scope.boxes)),
            columns={*before.columns, *need.columns},
        )
    return found


@dataclass(slots=True)
class _Slice:
    """What is read of one partition, for all that need some of it."""

    target: Target
    need: Need
    found: Lookup
    names: list[bytes]
    values: list[bytes | None]
    table: Table | None = None
    rows_of: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None

    @property
    def members(self) -> list[Member]:
        return [self.found.members[name] for name in self.names]

    @property
    def bytes(self) -> int:
        return sum(len(value) for value in self.values if value is not None)


class TogetherReader(StoreReader):
    """Reads from the store tier, also what many queries need at once, or piece by piece."""

    def scan(
        self, datasource: Datasource, live: LiveSnapshot, judged: Judged, piece: int
    ) -> StoreScan:
        """What answers a query piece by piece; see `StoreScan`."""
        return StoreScan(
            self._store,
            self._snapshots,
            self._seal,
            datasource=datasource,
            live=live,
            judged=judged,
            piece=piece,
        )

    async def load(
        self, datasource: Datasource, live: LiveSnapshot, name: PartitionName
    ) -> ResidentPartition | None:
        """A whole partition, as the system; see `load_partition`."""
        return await load_partition(
            self._store, self._snapshots, self._seal, datasource, live, name
        )

    async def read_together(
        self, datasource: Datasource, live: LiveSnapshot, needs: Sequence[Need]
    ) -> list[Reading]:
        """The rows of each need.

        Args:
            datasource: which one.
            live: the snapshot to read.
            needs: what is needed; what several need is read once.

        Returns:
            a reading for each need, in their order. Entries, rows and bytes are those in its own
            scope; sets, trips and timings are those of the whole read.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        started = time.perf_counter()
        slices, trips = await self._look_up(datasource, live, unite(needs))
        looked_up = time.perf_counter()
        timings = {"lookup": (looked_up - started) * 1000}
        full = [each for each in slices.values() if each.names]
        if full:
            trips += await self._fetch(full)
            fetched = time.perf_counter()
            await self._decode(full, datasource, live)
            timings["fetch"] = (fetched - looked_up) * 1000
            timings["decode"] = (time.perf_counter() - fetched) * 1000
        whole = Reading(
            Table({}, 0),
            sets=sum(each.found.sets for each in slices.values()),
            trips=trips,
            whole=any(each.target.plan.whole for each in slices.values()),
        )
        known: dict[tuple[PartitionName, Scope], Reading] = {}
        return [
            replace(_pick(need, slices, live, whole, known), timings=dict(timings))
            for need in needs
        ]

    async def _look_up(
        self, datasource: Datasource, live: LiveSnapshot, needs: Mapping[PartitionName, Need]
    ) -> tuple[dict[PartitionName, _Slice], int]:
        """Find all entries; one trip for those of whole partitions, one for all others."""
        keys, manifest = self._snapshots.keys(datasource.id), live.manifest
        targets = {
            name: target
            for name, need in needs.items()
            if (target := target_of(keys, manifest, name, need.scope)) is not None
        }
        if not targets:
            (current,) = await self._store.run([(b"GET", keys.current)])
            check_pointer(current, manifest.version)
            return {}, 1
        found: dict[PartitionName, Lookup] = {}
        trips = 0
        parts = {name: target for name, target in targets.items() if not target.plan.whole}
        if parts:
            looked_up = await look_up_each(
                self._store,
                keys,
                manifest.version,
                list(parts.values()),
                self._seal,
                are_fetched=True,
            )
            found |= zip(parts, looked_up, strict=True)
            trips += 1 + sum(each.trips - 1 for each in looked_up)
        wholes = {name: target for name, target in targets.items() if target.plan.whole}
        if wholes:
            more, took = await self._look_up_wholes(keys, live, wholes)
            found |= more
            trips += took
        slices = {
            name: _Slice(target, needs[name], found[name], sorted(found[name].members), [])
            for name, target in targets.items()
        }
        return slices, trips

    async def _look_up_wholes(
        self, keys: Keys, live: LiveSnapshot, targets: Mapping[PartitionName, Target]
    ) -> tuple[dict[PartitionName, Lookup], int]:
        """All entries of some partitions; a long set is read piece by piece, on its own."""
        found: dict[PartitionName, Lookup] = {}
        trips = 0
        version = live.manifest.version
        short = {n: t for n, t in targets.items() if t.partition.entries <= LONG_SET}
        if short:
            commands: list[Command] = []
            starts = []
            for target in short.values():
                starts.append(len(commands))
                commands += [(b"SMEMBERS", target.own.all), *count_commands(target.own, ())]
            replies = await self._store.run([*commands, (b"GET", keys.current)])
            check_pointer(replies[-1], version)
            ends = [*starts[1:], len(commands)]
            for (name, target), start, end in zip(short.items(), starts, ends, strict=True):
                unpack_counts(
                    target.own, (), replies[start + 1 : end], target.partition, self._seal
                )
                found[name] = Lookup(prove_whole(replies[start], target.partition.entries), 1, 1)
            trips += 1
        for name, target in targets.items():
            if name not in short:
                found[name] = await look_up(self._store, keys, version, target, self._seal)
                trips += found[name].trips
        return found, trips

    async def _fetch(self, slices: Sequence[_Slice]) -> int:
        """The values of all entries, in as few trips as their size allows."""
        trips = held = 0
        commands: list[Command] = []
        into: list[_Slice] = []
        for each in slices:
            for command, size in entry_commands(each.target.own, each.names, each.target.partition):
                if commands and held + size > TRIP_BYTES:
                    await self._take(commands, into)
                    trips, held, commands, into = trips + 1, 0, [], []
                commands.append(command)
                into.append(each)
                held += size
        await self._take(commands, into)
        return trips + 1

    async def _take(self, commands: Sequence[Command], into: Sequence[_Slice]) -> None:
        for each, reply in zip(into, await self._store.run(commands), strict=True):
            each.values += reply

    async def _decode(
        self, slices: Sequence[_Slice], datasource: Datasource, live: LiveSnapshot
    ) -> None:
        for each in slices:
            for column in live.manifest.layouts[each.target.partition.layout].fields:
                if column.name in each.need.columns and column.name in live.manifest.dictionaries:
                    await self._snapshots.dictionary(datasource, live, column.name)

        def work() -> None:
            for each in slices:
                block = self._proven(each, datasource, live)
                each.rows_of = block.rows_of
                each.table = decode(
                    block, each.members, each.need.partition, live, datasource, each.need.columns
                )

        await beside(sum(each.bytes for each in slices), work)

    def _proven(self, each: _Slice, datasource: Datasource, live: LiveSnapshot) -> Block:
        manifest = live.manifest
        return open_entries(
            [each.target.own.entry(name) for name in each.names],
            each.values,
            codes_of(manifest.schema, datasource, each.members),
            manifest.layouts[each.target.partition.layout],
            self._seal,
        )


def _pick(
    need: Need,
    slices: Mapping[PartitionName, _Slice],
    live: LiveSnapshot,
    whole: Reading,
    known: dict[tuple[PartitionName, Scope], Reading],
) -> Reading:
    """What a need gets of all that was read: the rows of its own scope.

    Args:
        need: whose.
        slices: what was read.
        live: the snapshot.
        whole: how it was read.
        known: the rows, with all columns that anybody needs, of scopes that were picked before.
    """
    each = slices.get(need.partition)
    if need.scope.is_empty or each is None or each.table is None or each.rows_of is None:
        return replace(whole, table=rowless(live.manifest.schema, need.columns))
    key = (need.partition, need.scope)
    if key not in known:
        allows = need.scope.allows
        is_own = [allows(member.practice, member.provider) for member in each.members]
        known[key] = _own(each.table, each.rows_of, each.values, is_own, whole)
    found = known[key]
    if not found.members:
        return replace(whole, table=rowless(live.manifest.schema, need.columns))
    wanted = [name for name in found.table.columns if name in need.columns]
    return replace(found, table=found.table.select(wanted))


def _own(
    table: Table,
    rows_of: np.ndarray[tuple[int], np.dtype[np.int64]],
    values: Sequence[bytes | None],
    is_own: Sequence[bool],
    whole: Reading,
) -> Reading:
    members = sum(is_own)
    own = table if members == len(is_own) else table.take(np.repeat(np.array(is_own), rows_of))
    return replace(
        whole,
        table=own,
        members=members,
        entries=members,
        rows=own.rows,
        bytes=sum(
            len(value)
            for value, mine in zip(values, is_own, strict=True)
            if mine and value is not None
        ),
    )
