"""Invalidation: gone for readers at once, then from the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from warmcube.entry.keys import Keys, Version
from warmcube.store.api import Command, Store
from warmcube.warm.cleanup import master_items, remove_items

__all__ = ["Invalidation", "invalidate"]


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What an invalidation did.

    Attributes:
        datasource: its id.
        was_live: whether there was a snapshot.
        keys: how many keys it removed.
    """

    datasource: int
    was_live: bool
    keys: int


async def invalidate(
    store: Store, keys: Keys, actor: str, removed: Callable[[int], None] | None = None
) -> Invalidation:
    """Take a data source's snapshot away and remove everything but ``fence`` and ``history``.

    What is pinned or switched off stays so.

    One script removes the pointer and advances the fence: from then on readers find the data
    source cold, and a warm that is under way can't publish. It stops by itself and removes what it
    has written since.

    Args:
        store: the store.
        keys: of the data source.
        actor: who does it, for the history.
        removed: told the number of keys after each trip.

    Raises:
        StoreError: the store; the snapshot may be gone already.
    """
    (current,) = await store.run([(b"GET", keys.current)])
    fence = await store.script(
        "withdraw",
        [keys.current, keys.fence, keys.last_warm, keys.history, keys.kept],
        [secrets.token_hex(8).encode(), await store.now_ms(), keys.channel, actor.encode()],
    )
    # A warm that has begun since writes under a later version.
    below = Version.parse(fence).fence
    items = [item for item in await master_items(store, keys) if item.version.fence < below]
    count = await remove_items(store, keys, items, removed)
    markers = [keys.retired(str(version)) for version in {item.version for item in items}]
    commands: list[Command] = [(b"UNLINK", marker) for marker in markers]
    for at in range(0, len(commands), 1000):
        await store.run(commands[at : at + 1000])
    return Invalidation(keys.datasource, current not in (None, b"disabled"), count)
