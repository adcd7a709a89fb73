"""Reading one partition of a snapshot, all of it, and proving it by itself, as the system.

Nothing that the process knows is taken: the index, the counts and every entry are read from the
store.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.entry.codec import open_prepared
from warmcube.entry.counts import TOTAL, SetCount, bins_of, fold, unpack_set, unpack_total
from warmcube.entry.keys import (
    Member,
    PartitionKeys,
    PartitionName,
    parse_field,
    practice_field,
    provider_field,
)
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.columns import Array, Table
from warmcube.model.schema import Datasource
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.entries import Entries, describe
from warmcube.query.lookup import Target, check_pointer, look_up, most_at_once
from warmcube.query.plan import LONG_SET, plan_lookup
from warmcube.query.read import decode
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Command, Store
from warmcube.store.walks import walk_counts, walk_set

__all__ = ["EVERYTHING", "Chunk", "StoredSnapshot"]

EVERYTHING: Final = Scope((Box(ALL, ALL),))

SETS: Final = 50


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some entries of a partition.

    Attributes:
        table: all columns of their rows.
        members: which entries, in order.
        rows_of: how many rows each has.
    """

    table: Table
    members: Sequence[Member]
    rows_of: Array


class StoredSnapshot:
    """One snapshot as it lies in the store.

    Args:
        store: the store.
        snapshots: its own, so that nothing is known of before.
        seal: what values bear.
        datasource: which one.
        live: the snapshot.
    """

    def __init__(
        self,
        store: Store,
        snapshots: Snapshots,
        seal: Seal,
        datasource: Datasource,
        live: LiveSnapshot,
    ) -> None:
        self.store = store
        self.seal = seal
        self.datasource = datasource
        self.live = live
        self.keys = snapshots.keys(datasource.id)
        self._snapshots = snapshots

    def own(self, name: PartitionName) -> PartitionKeys:
        """The keys of a partition."""
        partition = self.live.manifest.partitions[name]
        return self.keys.partition(name, str(partition.version))

    async def check_pointer(self) -> None:
        """That the snapshot is still the live one.

        Raises:
            PointerMoved: it isn't.
        """
        (current,) = await self.store.run([(b"GET", self.keys.current)])
        check_pointer(current, self.live.manifest.version)

    async def members(
        self, name: PartitionName, scope: Scope = EVERYTHING
    ) -> Mapping[bytes, Member]:
        """The entries of a partition within a scope, as its index has them.

        Raises:
            Damage: they don't prove themselves.
            PointerMoved: another snapshot is live.
        """
        partition = self.live.manifest.partitions[name]
        target = Target(self.own(name), partition, plan_lookup(scope, partition))
        version = self.live.manifest.version
        return (await look_up(self.store, self.keys, version, target, self.seal)).members

    async def chunks(
        self, name: PartitionName, members: Mapping[bytes, Member]
    ) -> AsyncIterator[Chunk]:
        """The rows of some entries, each proven, in the order of their members.

        Raises:
            Damage: one is missing, altered, cut, or another's.
            PointerMoved: another snapshot is live.
        """
        manifest, schema = self.live.manifest, self.live.manifest.schema
        partition = manifest.partitions[name]
        layout = manifest.layouts[partition.layout]
        await self._snapshots.dictionaries(self.datasource, self.live, partition, schema.names)
        entries = describe(self.own(name), members, schema, self.datasource, self.seal)
        most = most_at_once(partition)
        for at in range(0, len(entries.keys), most):
            part = entries.part(at, at + most)
            commands: list[Command] = [(b"MGET", *part.keys), (b"GET", self.keys.current)]
            values, current = await self.store.run(commands)
            check_pointer(current, manifest.version)

            def work(part: Entries = part, values: list[bytes | None] = values) -> Chunk:
                block = open_prepared(part.prepared, values, part.codes, layout, self.seal)
                table = decode(block, part.members, name, self.live, self.datasource, schema.names)
                return Chunk(table, part.members, block.rows_of)

            yield await asyncio.to_thread(work)

    async def check_index(
        self, name: PartitionName, members: Mapping[bytes, Member]
    ) -> tuple[list[str], dict[bytes, str | None]]:
        """Whether counts and sets name just the members that there are.

        Returns:
            what is wrong; and the fields of the practices that have sums, with the practices.

        Raises:
            Damage: a count isn't what was written.
        """
        own, partition = self.own(name), self.live.manifest.partitions[name]
        expected: dict[bytes, list[bytes]] = {}
        for member, parsed in members.items():
            expected.setdefault(practice_field(parsed.practice), []).append(member)
            expected.setdefault(provider_field(parsed.provider), []).append(member)
        troubles: set[str] = set()
        with_sums: dict[bytes, str | None] = {}
        apart: list[tuple[bytes, list[bytes]]] = []
        counts: dict[bytes, bytes] = {}
        for key, fields in (await self._counts(own, partition)).items():
            troubles.update(_total_troubles(key, fields, partition, self.seal))
            counts |= fields
        counts.pop(TOTAL, None)
        for field, value in counts.items():
            kind, owner = parse_field(field)
            count = unpack_set(own.counts, field, value, self.seal)
            theirs = expected.get(field, [])
            if count.has_sums:
                with_sums[field] = owner
            if count.members is None:
                apart.append((field, theirs))
            trouble = self._set_trouble(own, count, theirs)
            if trouble is not None:
                troubles.add(f"a {kind}'s {trouble}")
        if expected.keys() - counts.keys():
            troubles.add("practices or providers that have entries lack their counts")
        if len(with_sums) != partition.sums:
            troubles.add("another number of practices has sums than the manifest says")
        if not await self._are_as_expected(own, apart):
            troubles.add("an index set has other members than there are entries")
        return sorted(troubles), with_sums

    def _set_trouble(
        self, own: PartitionKeys, count: SetCount, theirs: Sequence[bytes]
    ) -> str | None:
        """What a count says of a set that isn't so."""
        if count.size != len(theirs):
            return "count isn't the number of its entries"
        if count.members is None:
            is_same = count.folded == fold(own.counts, theirs, self.seal)
            return None if is_same else "fold isn't that of its entries"
        return None if set(count.members) == set(theirs) else "inlined set isn't its entries"

    async def owners(self, name: PartitionName) -> tuple[list[str | None], list[str]]:
        """The practices of a partition, NULL included, and its providers but for NULL; sorted.

        Raises:
            Damage: one can't be read.
        """
        practices: set[str | None] = set()
        providers: set[str] = set()
        entries = self.live.manifest.partitions[name].entries
        async for chunk in walk_counts(self.store, self.own(name), entries):
            for _, field, _ in chunk:
                if field == TOTAL:
                    continue
                kind, owner = parse_field(field)
                if kind == "practice":
                    practices.add(owner)
                elif owner is not None:
                    providers.add(owner)
        return sorted(practices, key=lambda each: (each is None, each or "")), sorted(providers)

    async def _counts(
        self, own: PartitionKeys, partition: Partition
    ) -> dict[bytes, dict[bytes, bytes]]:
        """All fields of each hash of the counts, by its key."""
        hashes: dict[bytes, dict[bytes, bytes]] = {
            key: {} for key in (own.counts, *own.bins(bins_of(partition.entries)))
        }
        async for chunk in walk_counts(self.store, own, partition.entries):
            for key, field, value in chunk:
                hashes[key][field] = value
        return hashes

    async def _are_as_expected(
        self, own: PartitionKeys, apart: Sequence[tuple[bytes, list[bytes]]]
    ) -> bool:
        """Whether sets of their own have just the members that they should."""
        short = [each for each in apart if len(each[1]) <= LONG_SET]
        for at in range(0, len(short), SETS):
            some = short[at : at + SETS]
            commands: list[Command] = [(b"SMEMBERS", own.set(field)) for field, _ in some]
            found = await self.store.run(commands)
            for (_, theirs), members in zip(some, found, strict=True):
                if set(members) != set(theirs):
                    return False
        for field, theirs in apart:
            if len(theirs) > LONG_SET and await self._long_set(own.set(field)) != set(theirs):
                return False
        return True

    async def _long_set(self, key: bytes) -> set[bytes]:
        return {member async for chunk in walk_set(self.store, key) for member in chunk}


def _total_troubles(
    key: bytes, fields: Mapping[bytes, bytes], partition: Partition, using: Seal
) -> list[str]:
    """What is wrong with the total of one hash of a partition's counts."""
    try:
        total = unpack_total(key, fields.get(TOTAL), using)
    except Damage as error:
        return [str(error)]
    theirs = (
        partition.entries,
        partition.rows,
        partition.practices,
        partition.providers,
        partition.sums,
        len(fields),
    )
    own_figures = (
        total.entries,
        total.rows,
        total.practices,
        total.providers,
        total.sums,
        total.fields,
    )
    return [] if own_figures == theirs else ["the total isn't what the manifest says"]
