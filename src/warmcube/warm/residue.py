"""What crashed and superseded warms left in the store."""

from __future__ import annotations

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest
from warmcube.store.api import Store
from warmcube.warm.cleanup import is_named, master_items, remove_items

__all__ = ["remove_residue"]


async def remove_residue(
    store: Store, keys: Keys, live: Manifest | None, lease_seconds: float
) -> None:
    """Remove what crashed warms left behind and cross off what has expired.

    What another warm may still be writing is left alone: only versions whose lease has been dead
    for a whole lease are touched.
    """
    dead_below = await _dead_below(store, keys, lease_seconds)
    items = [
        item
        for item in await master_items(store, keys)
        if not is_named(item, live) and item.version.fence < dead_below
    ]
    versions = {item.version for item in items}
    in_grace: set[Version] = set()
    for version in versions:
        (held,) = await store.run([(b"EXISTS", keys.retired(str(version)))])
        if held:
            in_grace.add(version)
    gone = [item for item in items if item.version not in in_grace]
    await remove_items(store, keys, gone)


async def _dead_below(store: Store, keys: Keys, lease_seconds: float) -> int:
    """The fencing number below which every warm lost its lease at least a lease ago."""
    now, (events,) = (
        await store.now_ms(),
        await store.run([(b"XREVRANGE", keys.history, b"+", b"-", b"COUNT", 100)]),
    )
    for _, pairs in events:
        facts = dict(zip(pairs[::2], pairs[1::2], strict=True))
        if facts.get(b"event") not in (b"begin", b"invalidate"):
            continue
        if int(facts[b"at"]) <= now - lease_seconds * 1000:
            return Version.parse(facts[b"version"]).fence
    return 0
