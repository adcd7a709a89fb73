"""Whether the index of partitions is as the manifest says, and picking entries out of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from warmcube.entry.counts import TOTAL, bins_of, unpack_total
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.store.api import Command, Reply, Store

__all__ = ["Share", "check_indexes", "pick_members", "runs_of", "shares_of"]

Share = Sequence[tuple[PartitionName, Partition]]

_COMMANDS: Final = 1000
"""So many commands go into one trip, if there is more than one partition in it."""

_RUNS: Final = 20
"""Entries are picked in so many runs of neighbours."""


def shares_of(partitions: Mapping[PartitionName, Partition]) -> Iterator[Share]:
    """Partitions in shares that are looked at in one trip each."""
    share: list[tuple[PartitionName, Partition]] = []
    room = _COMMANDS
    for name, partition in partitions.items():
        needed = 3 + 2 * bins_of(partition.entries)
        if share and needed > room:
            yield share
            share, room = [], _COMMANDS
        share.append((name, partition))
        room -= needed
    if share:
        yield share


async def check_indexes(
    store: Store, keys: Keys, using: Seal, share: Share
) -> dict[PartitionName, int | Damage]:
    """Those partitions whose index isn't as the manifest says, or doesn't prove itself.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        share: what to look at, in one trip.

    Returns:
        with how many members the index has, or what is wrong with its totals.
    """
    commands: list[Command] = []
    for name, partition in share:
        own = keys.partition(name, str(partition.version))
        commands.append((b"LLEN", own.all))
        for key in _hashes(own, partition):
            commands += [(b"HLEN", key), (b"HGET", key, TOTAL)]
    replies = iter(await store.run(commands))
    wrong: dict[PartitionName, int | Damage] = {}
    for name, partition in share:
        own = keys.partition(name, str(partition.version))
        members = next(replies)
        hashes = _hashes(own, partition)
        pairs = [(next(replies), next(replies)) for _ in hashes]
        try:
            is_right = _are_as_told(partition, hashes, pairs, using)
        except Damage as error:
            wrong[name] = error
        else:
            if members != partition.entries or not is_right:
                wrong[name] = members
    return wrong


def _hashes(own: PartitionKeys, partition: Partition) -> list[bytes]:
    """The counts of a partition, and their bins."""
    return [own.counts, *own.bins(bins_of(partition.entries))]


def _are_as_told(
    partition: Partition,
    hashes: Sequence[bytes],
    found: Sequence[tuple[int, bytes | None]],
    using: Seal,
) -> bool:
    """Whether hashes have the fields that they should, and the manifest's figures.

    Args:
        partition: what the manifest says.
        hashes: their keys.
        found: of each the number of fields, and the total.
        using: the seal.

    Raises:
        Damage: a total is missing or altered.
    """
    told = (
        partition.entries,
        partition.rows,
        partition.practices,
        partition.providers,
        partition.sums,
    )
    for key, (fields, packed) in zip(hashes, found, strict=True):
        total = unpack_total(key, packed, using)
        said = (total.entries, total.rows, total.practices, total.providers, total.sums)
        if fields != total.fields or said != told:
            return False
    owners = sum(fields - 1 for fields, _ in found)
    return owners == partition.practices + partition.providers


async def pick_members(
    store: Store, own: PartitionKeys, partition: Partition, wanted: int
) -> list[bytes]:
    """Some members of a partition, picked at random.

    Args:
        store: the store.
        own: the keys of the partition.
        partition: which one.
        wanted: how many, about.
    """
    replies: list[Reply] = await store.run(
        [(b"LRANGE", own.all, first, last) for first, last in runs_of(partition.entries, wanted)]
    )
    return [member for members in replies for member in members]


def runs_of(entries: int, wanted: int) -> Iterator[tuple[int, int]]:
    """The first and the last place of runs of entries, spread over all of them.

    Args:
        entries: how many there are.
        wanted: how many to pick, about; all of them, where there are no more.
    """
    wanted = min(wanted, entries)
    runs = min(_RUNS, wanted) if wanted < entries else 1
    for number in range(runs):
        start, end = (entries * each // runs for each in (number, number + 1))
        size = wanted * (number + 1) // runs - wanted * number // runs
        size = min(size, end - start)  # both are rounded, and not always the same way
        first = start + random.randint(0, end - start - size)  # noqa: S311 (not for secrets)
        yield first, first + size - 1
