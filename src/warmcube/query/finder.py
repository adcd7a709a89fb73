"""Finding entries through the index, and fetching them.

What is known of the index (`warmcube.query.known`) isn't looked up again. The trip that looks up
ends with the pointer, and where nothing is looked up, the one that fetches does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from xxhash import xxh3_64_intdigest

from warmcube.entry.keys import Keys, PartitionKeys, PartitionName
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Seal
from warmcube.model.schema import Datasource
from warmcube.model.scope import Scope
from warmcube.query.entries import Entries, describe, fetching
from warmcube.query.known import Found, KnownIndex, Sets, choose, missing
from warmcube.query.lookup import (
    Target,
    average_bytes,
    check_pointer,
    look_up_each,
    most_at_once,
)
from warmcube.query.plan import plan_lookup
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.store.api import Command, Store

__all__ = ["Finder", "Place", "place_of", "target_of"]

TRIP_BYTES: Final = 64 << 20


class Finder:
    """Finds and fetches entries.

    Args:
        store: the store.
        snapshots: what is known of live snapshots.
        seal: what the store's values bear.
        known: what is known of the index; by default nothing is kept.
    """

    def __init__(
        self, store: Store, snapshots: Snapshots, seal: Seal, known: KnownIndex | None = None
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._seal = seal
        self._known = KnownIndex(0) if known is None else known

    async def find(
        self, datasource: Datasource, live: LiveSnapshot, scopes: Mapping[PartitionName, Scope]
    ) -> tuple[dict[PartitionName, Found], int]:
        """Find the entries of some scopes; what isn't known is looked up, all in one trip.

        Args:
            datasource: which one.
            live: the snapshot to read.
            scopes: by partition.

        Returns:
            what was found, without those where nothing needs to be looked up since nothing is
            wanted or the manifest says that there is nothing; and the number of trips.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something in the store isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        keys, manifest = self._snapshots.keys(datasource.id), live.manifest
        found: dict[PartitionName, Found] = {}
        unknown: list[tuple[PartitionName, Target, Target, Sets]] = []
        for name, scope in scopes.items():
            chosen = self._known.chosen(datasource.id, live, name, scope)
            if chosen is not None:
                found[name] = chosen
                continue
            target = target_of(keys, manifest, name, scope)
            if target is None:
                continue
            sets = self._known.sets(datasource.id, live, name)
            left = missing(target.plan, sets)
            if left is None:
                found[name] = self._choose(datasource, live, name, target, sets)
            else:
                part = Target(target.own, target.partition, left, is_absent=target.is_absent)
                unknown.append((name, target, part, sets))
        if not unknown:
            return found, 0
        looked_up = await look_up_each(
            self._store, keys, manifest.version, [part for _, _, part, _ in unknown], self._seal
        )
        for (name, target, _, sets), lookup in zip(unknown, looked_up, strict=True):
            learned = {
                each: describe(target.own, members, manifest.schema, datasource, self._seal)
                for each, members in lookup.found.items()
            }
            self._known.learn(datasource.id, live, name, learned)
            made = self._choose(datasource, live, name, target, {**sets, **learned})
            found[name] = replace(made, sets=lookup.sets)
        trips = 1 + sum(lookup.trips - 1 for lookup in looked_up)
        return {name: found[name] for name in scopes if name in found}, trips

    def _choose(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        name: PartitionName,
        target: Target,
        sets: Sets,
    ) -> Found:
        pieces = choose(target.plan, sets)
        commands = fetching(pieces, most_at_once(target.partition))
        entries = pieces[0] if len(pieces) == 1 else Entries.join(pieces)
        found = Found(target, entries, commands)
        self._known.keep(datasource.id, live, name, found)
        return found

    async def fetch(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        wanted: Sequence[Found],
        *,
        is_checked: bool = False,
    ) -> tuple[list[list[bytes | None]], int]:
        """The values of found entries, in as few trips as their size allows.

        Args:
            datasource: which one.
            live: the snapshot to read.
            wanted: what was found.
            is_checked: whether a trip of this read has looked at the pointer already, as each does
                that looks something up; otherwise these do.

        Returns:
            the values, and the number of trips.

        Raises:
            PointerMoved: another snapshot is live by now.
            StoreError: the store.
        """
        values: list[list[bytes | None]] = [[] for _ in wanted]
        pointer: list[Command] = []
        if not is_checked:
            pointer.append((b"GET", self._snapshots.keys(datasource.id).current))

        async def take(commands: Sequence[Command], into: Sequence[int]) -> None:
            replies = await self._store.run([*commands, *pointer])
            if pointer:
                check_pointer(replies.pop(), live.manifest.version)
            for number, reply in zip(into, replies, strict=True):
                values[number].extend(reply)

        commands: list[Command] = []
        into: list[int] = []
        held = trips = 0
        for number, each in enumerate(wanted):
            partition = each.target.partition
            average = average_bytes(partition)
            for command in each.commands:
                size = average * len(command)
                if commands and held + size > TRIP_BYTES:
                    await take(commands, into)
                    trips, held, commands, into = trips + 1, 0, [], []
                commands.append(command)
                into.append(number)
                held += size
        await take(commands, into)
        return values, trips + 1


def target_of(keys: Keys, manifest: Manifest, name: PartitionName, scope: Scope) -> Target | None:
    """Where to look; None where nothing is to be looked up.

    A partition that the snapshot lacks is looked up like another one that it has, picked by the
    name. So the work is that for some partition of which one has no rows, and tells nobody whether
    this one exists.
    """
    if scope.is_empty:
        return None
    place = place_of(keys, manifest, name)
    if place is None or (place.is_absent and scope.is_everything):
        return None
    plan = plan_lookup(scope, place.partition)
    return Target(place.own, place.partition, plan, is_absent=place.is_absent)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the work for a partition is done; see `Target`."""

    own: PartitionKeys
    partition: Partition
    is_absent: bool


def place_of(keys: Keys, manifest: Manifest, name: PartitionName) -> Place | None:
    """Where to look, whatever is wanted; None where the snapshot has nothing at all."""
    partition = manifest.partitions.get(name)
    is_absent = partition is None
    if partition is None:
        if not manifest.partitions:
            return None
        partition = _like(manifest, name)
    return Place(keys.partition(name, str(partition.version)), partition, is_absent)


def _like(manifest: Manifest, name: PartitionName) -> Partition:
    picked = xxh3_64_intdigest(repr((name.measure, name.frequency)).encode())
    place = picked % len(manifest.partitions)
    return next(islice(manifest.partitions.values(), place, None))
