"""What crashed and superseded warms left in the store."""

from __future__ import annotations

from typing import Final

from warmcube.entry.keys import Keys, Version
from warmcube.entry.seal import Seal
from warmcube.store.api import Command, Store, pairs_of
from warmcube.warm.cleanup import expire_items, master_items, remove_items
from warmcube.warm.named import read_named

__all__ = ["remove_residue"]

_VERSIONS: Final = 500
_FENCING: Final = (b"begin", b"invalidate", b"rollback", b"disable")
"""Events that advance the fence; their version is the new one."""


async def remove_residue(
    store: Store, keys: Keys, using: Seal, lease_seconds: float, grace: float
) -> None:
    """Remove what crashed warms left behind and cross off what has expired.

    What another warm may still be writing is left alone: only versions whose lease has been dead
    for a whole lease are touched. What a reader may be in the middle of, since it may have been
    live, goes by a retirement.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        lease_seconds: how long a lease is.
        grace: how long readers may be in the middle of what was live.
    """
    dead_below = await _dead_below(store, keys, lease_seconds)
    found = await master_items(store, keys)
    named = await read_named(store, keys, using)  # what is named later was named by now
    items = [item for item in named.without(found) if item.version.fence < dead_below]
    versions = list({item.version for item in items})
    going: set[Version] = set()
    in_grace: set[Version] = set()
    for at in range(0, len(versions), _VERSIONS):
        some = versions[at : at + _VERSIONS]
        commands: list[Command] = []
        for version in some:
            commands += [
                (b"EXISTS", keys.retired(str(version))),
                (b"PTTL", keys.manifest(str(version))),
            ]
        replies = await store.run(commands)
        for version, held, left in zip(some, replies[::2], replies[1::2], strict=True):
            if left > grace * 1000:  # the manifest goes last: its retirement wasn't finished
                going.add(version)
            elif held or left >= 0:
                in_grace.add(version)
    at_ms = await store.now_ms() + int(grace * 1000)
    await expire_items(store, keys, [item for item in items if item.version in going], at_ms)
    gone = [item for item in items if item.version not in going | in_grace]
    await remove_items(store, keys, gone)


async def _dead_below(store: Store, keys: Keys, lease_seconds: float) -> int:
    """The fencing number below which every warm lost its lease at least a lease ago."""
    now, (events,) = (
        await store.now_ms(),
        await store.run([(b"XREVRANGE", keys.history, b"+", b"-", b"COUNT", 100)]),
    )
    for _, pairs in events:
        facts = pairs_of(pairs)
        if facts.get(b"event") not in _FENCING:
            continue
        if int(facts[b"at"]) <= now - lease_seconds * 1000:
            return Version.parse(facts[b"version"]).fence
    return 0
