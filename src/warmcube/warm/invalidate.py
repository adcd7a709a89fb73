"""Invalidation: gone for readers at once, then from the store."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Version
from warmcube.entry.master import MasterItem
from warmcube.store.api import Command
from warmcube.warm.carrying import end_carrying, read_carrying
from warmcube.warm.cleanup import master_items, remove_items
from warmcube.warm.clearing import Clearing
from warmcube.warm.ends import cross_off, read_ends
from warmcube.warm.named import read_named
from warmcube.warm.past import Past, read_past

__all__ = ["Invalidation", "invalidate"]

_CHUNK: Final = 500


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
    clearing: Clearing, actor: str, removed: Callable[[int], None] | None = None
) -> Invalidation:
    """Take a data source's snapshot away and remove everything but ``fence`` and ``history``.

    What is pinned or switched off stays so.

    One script removes the pointer and advances the fence: from then on readers find the data
    source cold, and a warm that is under way can't publish. It stops by itself and removes what it
    has written; if it is killed before, the next warm or worker finds that.

    Args:
        clearing: where.
        actor: who does it, for the history.
        removed: told the number of keys after each trip.

    Raises:
        StoreError: the store; the snapshot may be gone already.
    """
    store, keys = clearing.store, clearing.keys
    named = await read_named(store, keys, clearing.using)
    fence = await store.script(
        "withdraw",
        [keys.current, keys.fence, keys.last_warm, keys.history, keys.kept],
        [secrets.token_hex(8).encode(), await store.now_ms(), keys.channel, actor.encode()],
    )
    # A warm that has begun since writes under a later version.
    below = Version.parse(fence).fence
    past = await read_past(clearing)
    carrying = await read_carrying(store, keys, past)
    found = [item for item in await master_items(store, keys) if item.version.fence < below]
    ends = await read_ends(store, keys, found)
    now = await store.now_ms()
    gone = {
        item
        for item, end in ends.items()
        if end <= now and not (carrying.may_be_prolonged(item) or carrying.was_prolonged(item))
    }
    await cross_off(store, keys, gone)
    found = [item for item in found if item not in gone]
    # What is retired was published, be it under a later version.
    over = await _over(clearing, past, found, named.made() | {item.version for item in ends})
    items = [item for item in found if item.version in over]
    count, left = await remove_items(clearing, items, removed)
    versions = over - {item.version for item in left}
    commands: list[Command] = [(b"UNLINK", keys.retired(str(version))) for version in versions]
    for at in range(0, len(commands), _CHUNK):
        await store.run(commands[at : at + _CHUNK])
    await end_carrying(store, keys, *carrying.ended)
    return Invalidation(keys.datasource, named.current not in (None, b"disabled"), count)


async def _over(
    clearing: Clearing, past: Past, items: Collection[MasterItem], made: set[Version]
) -> set[Version]:
    """The versions under which nobody writes any more.

    Args:
        clearing: where.
        past: what the store says of it.
        items: of which.
        made: those that published snapshots are surely made of.
    """
    store, keys = clearing.store, clearing.keys
    over = set(made)
    versions = list({item.version for item in items})
    for at in range(0, len(versions), _CHUNK):
        some = versions[at : at + _CHUNK]
        commands: list[Command] = [(b"EXISTS", keys.manifest(str(version))) for version in some]
        for version, is_whole in zip(some, await store.run(commands), strict=True):
            if past.is_over(version, is_whole=bool(is_whole)):
                over.add(version)
    return over & set(versions)
