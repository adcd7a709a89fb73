"""Text dictionaries on their way into the store: those that are carried on, and what is added.

A dictionary only grows, so that what carried partitions hold of it stays what it is: values that
are new go into a further run of chunks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmcube.entry.dictionary import pack_chunks, packed_digest, unpack_chunks
from warmcube.entry.keys import Keys
from warmcube.entry.manifest import ChunkRef, Dictionary, Manifest
from warmcube.entry.master import Chunks, format_item
from warmcube.entry.seal import Seal, seal, unseal
from warmcube.errors import Damage
from warmcube.store.api import Command, Store
from warmcube.store.wire import pack_expiries
from warmcube.warm.gather import Gathered
from warmcube.warm.lease import Lease

__all__ = ["CarriedDictionary", "carry_dictionaries", "write_dictionaries"]

MOST_RUNS: Final = 16
"""A dictionary of more runs is written anew, in one, with each value in its place."""

READ_CHUNKS: Final = 8


@dataclass(frozen=True, slots=True)
class CarriedDictionary:
    """A dictionary of the live snapshot.

    Attributes:
        known: what its manifest says of it.
        values: all, each in its place.
        chunks: the same as they are stored, without their seals.
    """

    known: Dictionary
    values: list[str]
    chunks: list[bytes]


async def carry_dictionaries(
    store: Store, keys: Keys, using: Seal, base: Manifest, expires_ms: int
) -> dict[str, CarriedDictionary] | None:
    """Read a snapshot's dictionaries, and give their keys another expiry.

    Returns:
        by column; None if one isn't whole any more.
    """
    found: dict[str, CarriedDictionary] = {}
    for column, known in base.dictionaries.items():
        names = [
            keys.dictionary(column, str(run.version), chunk)
            for run in known.runs
            for chunk in range(run.chunks)
        ]
        chunks: list[bytes] = []
        try:
            for at in range(0, len(names), READ_CHUNKS):
                some = names[at : at + READ_CHUNKS]
                await store.write(pack_expiries(some, expires_ms))
                commands: list[Command] = [(b"GET", key) for key in some]
                for key, value in zip(some, await store.run(commands), strict=True):
                    chunks.append(bytes(unseal(using, key, value, "a dictionary chunk")))
            values = unpack_chunks(chunks, known.length, known.digest)
        except Damage:
            return None
        found[column] = CarriedDictionary(known, values, chunks)
    return found


async def write_dictionaries(
    store: Store,
    keys: Keys,
    using: Seal,
    lease: Lease,
    gathered: Gathered,
    carried: Mapping[str, CarriedDictionary],
    expires_ms: int,
    written: list[Chunks],
) -> dict[str, Dictionary]:
    """Write what is new in a snapshot's dictionaries.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        lease: whose version the chunks get.
        gathered: what was read.
        carried: dictionaries that go on, by column.
        expires_ms: when the chunks expire.
        written: gets each run before it is written.

    Returns:
        all dictionaries of the new snapshot, by column.
    """
    dictionaries: dict[str, Dictionary] = {}
    carried_columns = {column.name for column in gathered.carried}
    for column, text in gathered.texts.items():
        if column not in carried_columns or text.overflowed:
            continue
        before = carried.get(column)
        if before is not None and len(text.values) == len(before.values):
            dictionaries[column] = before.known
            continue
        if before is not None and len(before.known.runs) >= MOST_RUNS:
            before = None
        chunks = pack_chunks(text.values[len(before.values) if before else 0 :])
        item = Chunks(column, lease.version, len(chunks))
        written.append(item)
        for number, chunk in enumerate(chunks):
            await lease.ensure()
            key = keys.dictionary(column, str(lease.version), number)
            await store.write(
                [
                    (b"SADD", keys.master, format_item(item)),
                    (b"SET", key, seal(using, key, chunk), b"PXAT", expires_ms),
                ]
            )
        run = ChunkRef(lease.version, len(chunks))
        dictionaries[column] = Dictionary(
            (*(before.known.runs if before else ()), run),
            len(text.values),
            packed_digest([*(before.chunks if before else ()), *chunks]),
        )
    return dictionaries
