"""Reading what is too long for one command, piece by piece, in as few trips as that allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from warmcube.entry.counts import bins_of
from warmcube.entry.keys import PartitionKeys
from warmcube.store.api import Command, Store, pairs_of

__all__ = [
    "BINS",
    "list_trips",
    "walk_bins",
    "walk_counts",
    "walk_hash",
    "walk_list",
    "walk_set",
]

CHUNK: Final = 1000
"""Members, or fields, that one command reads."""
LISTS: Final = 8
"""Pieces of a list in one trip."""
BINS: Final = 32
"""Bins of counts in one trip."""


async def walk_set(store: Store, key: bytes) -> AsyncIterator[list[bytes]]:
    """The members of a set, in chunks; one may come twice."""
    cursor = b"0"
    while True:
        ((cursor, members),) = await store.run([(b"SSCAN", key, cursor, b"COUNT", CHUNK)])
        for at in range(0, len(members), CHUNK):
            yield members[at : at + CHUNK]
        if cursor == b"0":
            return


async def walk_list(
    store: Store, key: bytes, size: int, first: int = 0
) -> AsyncIterator[list[bytes]]:
    """The first members of a list that isn't being written, in chunks.

    Args:
        store: the store.
        key: of the list.
        size: how many members to read at most.
        first: so many of these are left out.
    """
    for at in range(first, size, LISTS * CHUNK):
        commands: list[Command] = [
            (b"LRANGE", key, first, min(first + CHUNK, size) - 1)
            for first in range(at, min(at + LISTS * CHUNK, size), CHUNK)
        ]
        for members in await store.run(commands):
            if members:
                yield members


def list_trips(size: int) -> int:
    """How many trips `walk_list` takes."""
    return -(-size // (LISTS * CHUNK))


async def walk_counts(
    store: Store, own: PartitionKeys, entries: int
) -> AsyncIterator[list[tuple[bytes, bytes, bytes]]]:
    """All fields of a partition's counts and their bins, in chunks; one may come twice.

    Args:
        store: the store.
        own: the keys of the partition.
        entries: that it has.

    Returns:
        the key of the hash, the field, and its value.
    """
    async for chunk in walk_hash(store, own.counts):
        yield chunk
    async for chunk in walk_bins(store, own, entries):
        yield chunk


async def walk_hash(store: Store, key: bytes) -> AsyncIterator[list[tuple[bytes, bytes, bytes]]]:
    """All fields of one hash, in chunks; one may come twice. See `walk_counts`."""
    cursor = b"0"
    while True:
        ((cursor, pairs),) = await store.run([(b"HSCAN", key, cursor, b"COUNT", CHUNK)])
        yield [(key, *pair) for pair in pairs_of(pairs).items()]
        if cursor == b"0":
            return


async def walk_bins(
    store: Store, own: PartitionKeys, entries: int
) -> AsyncIterator[list[tuple[bytes, bytes, bytes]]]:
    """All fields of the bins of a partition's counts, some bins at a time. See `walk_counts`."""
    bins = own.bins(bins_of(entries))
    for at in range(0, len(bins), BINS):
        some = bins[at : at + BINS]
        found = await store.run([(b"HGETALL", key) for key in some])
        yield [
            (key, *pair)
            for key, reply in zip(some, found, strict=True)
            for pair in pairs_of(reply).items()
        ]
