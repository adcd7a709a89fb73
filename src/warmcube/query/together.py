"""Reading for many queries at once: each entry is fetched, proven and decoded once.

What several queries want of one partition is united before it is looked up; then each gets the
rows of its own scope, picked by entry. All is of one snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from warmcube.entry.keys import Member, PartitionName
from warmcube.errors import Damage
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.model.scope import Scope
from warmcube.query.judge import Judged
from warmcube.query.known import Found
from warmcube.query.loading import load_partition
from warmcube.query.partition import ResidentPartition
from warmcube.query.prepared import PreparedQuery
from warmcube.query.read import Reading, StoreReader, beside, decode, prove, rowless
from warmcube.query.scan import StoreScan
from warmcube.query.snapshots import LiveSnapshot

__all__ = ["Need", "TogetherReader", "unite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """The rows that a query is answered from.

    Attributes:
        partition: where they are.
        scope: which of its practices and providers; may be empty.
        columns: which columns.
        prepared: the query; None where rows are needed, whatever for.
    """

    partition: PartitionName
    scope: Scope
    columns: Collection[str]
    prepared: PreparedQuery | None = None


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
        scope = before.scope
        if scope is not need.scope and scope != need.scope:
            scope = Scope.of((*scope.boxes, *need.scope.boxes))
        columns = {*before.columns, *need.columns}
        found[need.partition] = Need(partition=need.partition, scope=scope, columns=columns)
    return found


@dataclass(slots=True)
class _Slice:
    """What is read of one partition, for all that need some of it."""

    found: Found
    need: Need
    values: list[bytes | None]
    members: Sequence[Member] = ()
    table: Table | None = None
    rows_of: np.ndarray[tuple[int], np.dtype[np.int64]] | None = None
    bytes: int = 0

    def __post_init__(self) -> None:
        self.bytes = sum(map(len, filter(None, self.values)))


class TogetherReader(StoreReader):
    """Reads from the store tier, also what many queries need at once, or piece by piece."""

    def scan(
        self, datasource: Datasource, live: LiveSnapshot, judged: Judged, piece: int
    ) -> StoreScan:
        """What answers a query piece by piece; see `StoreScan`."""
        return StoreScan(
            self,
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
        return await load_partition(self, self._snapshots, self._seal, datasource, live, name)

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
        united = unite(needs)
        scopes = {name: need.scope for name, need in united.items()}
        found, trips = await self.find(datasource, live, scopes)
        looked_up = time.perf_counter()
        timings = {"lookup": (looked_up - started) * 1000}
        full = {name: each for name, each in found.items() if each.entries.keys}
        slices: dict[PartitionName, _Slice] = {}
        if full or not trips:
            values, more = await self.fetch(
                datasource, live, list(full.values()), is_checked=trips > 0
            )
            trips += more
            fetched = time.perf_counter()
            slices = {
                name: _Slice(each, united[name], some)
                for (name, each), some in zip(full.items(), values, strict=True)
            }
            await self._decode(list(slices.values()), datasource, live)
            if full:
                timings["fetch"] = (fetched - looked_up) * 1000
                timings["decode"] = (time.perf_counter() - fetched) * 1000
        whole = Reading(
            Table({}, 0),
            sets=sum(each.sets for each in found.values()),
            trips=trips,
            whole=any(each.target.plan.whole for each in found.values()),
            timings=timings,
        )
        known: dict[tuple[PartitionName, Scope], Reading] = {}
        return [_pick(need, slices, live, whole, known) for need in needs]

    async def _decode(
        self, slices: Sequence[_Slice], datasource: Datasource, live: LiveSnapshot
    ) -> None:
        for each in slices:
            partition = each.found.target.partition
            await self._snapshots.dictionaries(datasource, live, partition, each.need.columns)

        def work() -> None:
            for each in slices:
                try:
                    block, each.members = prove(each.found, each.values, live, self._seal)
                except Damage as damage:
                    damage.partition = each.need.partition
                    raise
                each.rows_of = block.rows_of
                each.table = decode(
                    block,
                    each.members,
                    each.need.partition,
                    live,
                    datasource,
                    each.need.columns,
                    each.found.ids,
                )

        await beside(sum(each.bytes for each in slices), work)


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
        return whole.of_table(rowless(live.manifest.schema, need.columns))
    key = (need.partition, need.scope)
    found = known.get(key)
    if found is None:
        if need.scope == each.found.target.plan.scope:  # read for nobody else: all is its own
            found = _all_of(each, each.table, whole)
        else:
            allows = need.scope.allows
            is_own = [allows(member.practice, member.provider) for member in each.members]
            found = _own(each, each.table, each.rows_of, is_own, whole)
        known[key] = found
    if not found.members:
        return whole.of_table(rowless(live.manifest.schema, need.columns))
    wanted = [name for name in found.table.columns if name in need.columns]
    return found.of_table(found.table.select(wanted))


def _all_of(each: _Slice, table: Table, whole: Reading) -> Reading:
    """What a need gets whose scope is all that was read."""
    members = len(each.members)
    return replace(
        whole, table=table, members=members, entries=members, rows=table.rows, bytes=each.bytes
    )


def _own(
    each: _Slice,
    table: Table,
    rows_of: np.ndarray[tuple[int], np.dtype[np.int64]],
    is_own: Sequence[bool],
    whole: Reading,
) -> Reading:
    members = sum(is_own)
    if members == len(is_own):
        return _all_of(each, table, whole)
    own = table.take(np.repeat(np.array(is_own), rows_of))
    return replace(
        whole,
        table=own,
        members=members,
        entries=members,
        rows=own.rows,
        bytes=sum(
            len(value)
            for value, mine in zip(each.values, is_own, strict=True)
            if mine and value is not None
        ),
    )
