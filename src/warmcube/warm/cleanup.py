"""Removing what no manifest names any more, found through ``master``; nothing is scanned for.

A superseded snapshot isn't unlinked at once, since readers may be in the middle of it, and nobody
has to stay to do it later: its keys get an early expiry instead, after which the next clean-up only
crosses its name off ``master``.

Nothing is crossed off of which keys may be left: see `warmcube.warm.ends`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Final

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest
from warmcube.entry.master import MasterItem, Snapshot, format_item, parse_item
from warmcube.errors import Damage
from warmcube.store.api import Store
from warmcube.store.walks import walk_set
from warmcube.store.wire import pack_expiries
from warmcube.warm.clearing import Clearing
from warmcube.warm.ends import cross_off, note_ends, read_ends
from warmcube.warm.walk import roots_of, walk

__all__ = ["expire_items", "in_lanes", "mark_retired", "master_items", "remove_items"]

LANES: Final = 2
"""How many items are removed or let expire at a time."""

UNLINKED: Final = 100
"""Keys in one UNLINK: it takes about a microsecond for each, where they are small, and ten times as
much where others have emptied the processor's caches."""

NOTED: Final = 50
"""So many items are let expire before their ends are noted, in one trip."""


async def master_items(store: Store, keys: Keys) -> list[MasterItem]:
    """Everything that exists of a data source."""
    items: list[MasterItem] = []
    async for members in walk_set(store, keys.master):
        for member in members:
            try:
                items.append(parse_item(member))
            except Damage:
                await store.run([(b"SREM", keys.master, member)])
    return list(dict.fromkeys(items))


async def remove_items(
    clearing: Clearing,
    items: Iterable[MasterItem],
    removed: Callable[[int], None] | None = None,
    *,
    may_be_written: bool = False,
) -> tuple[int, set[MasterItem]]:
    """Unlink all keys of some items, then cross off ``master`` those of which none can be left.

    Args:
        clearing: where.
        items: what to remove; must not be in use.
        removed: told the number of keys after each trip.
        may_be_written: whether a last trip of their writer's may still be under way: then what
            leads to their entries stays, for the clean-up that comes when it can't be any more.

    Returns:
        how many keys are gone, and which items are still known.
    """
    store, keys = clearing.store, clearing.keys
    count = 0
    left: set[MasterItem] = set()
    now = await store.now_ms()
    longest = now + int(clearing.life_seconds * 1000)

    async def unlink(some: list[bytes], *, counted: bool) -> int:
        nonlocal count
        del counted
        gone = await _unlink(store, some)  # apart: another lane counts meanwhile
        count += gone
        if removed is not None:
            removed(gone)
        return gone

    async def lane(items: Iterator[MasterItem]) -> None:
        for item in items:
            is_whole = await walk(store, keys, clearing.using, item, unlink)
            if may_be_written:
                left.add(item)
                continue
            if is_whole:
                # Noted before what proves it goes.
                await store.run([(b"HSET", keys.ends, format_item(item), 0)])
                await cross_off(store, keys, [item])
                continue
            await unlink(roots_of(keys, item), counted=False)
            end = (await read_ends(store, keys, [item])).get(item)
            if end is not None and end <= now + clearing.grace * 1000:
                await cross_off(store, keys, [item])  # it was retired, and expires meanwhile
                continue
            left.add(item)
            if end is None:  # else it would never be over
                await note_ends(store, keys, {item: longest})

    for some in _in_order(items):
        todo = iter(some)
        await in_lanes([lane(todo) for _ in range(LANES)])
    return count, left


def _in_order(items: Iterable[MasterItem]) -> tuple[list[MasterItem], list[MasterItem]]:
    """What goes first, and manifests.

    These go when all that they name is gone: they say that all of it was written.
    """
    parts: list[MasterItem] = []
    manifests: list[MasterItem] = []
    for item in items:
        (manifests if isinstance(item, Snapshot) else parts).append(item)
    return parts, manifests


async def _unlink(store: Store, keys: Sequence[bytes]) -> int:
    """Unlink keys in one trip, in commands so small that none holds the server for long."""
    commands = [(b"UNLINK", *keys[at : at + UNLINKED]) for at in range(0, len(keys), UNLINKED)]
    return sum(await store.run(commands))


async def mark_retired(
    store: Store, keys: Keys, versions: Iterable[Version], at_ms: int
) -> list[Version]:
    """Mark versions as about to go, so that nothing may serve or keep them again.

    Returns:
        those that are; a live one isn't.
    """
    return [
        version
        for version in versions
        if await store.script(
            "retire",
            [keys.current, keys.retired(str(version)), keys.kept],
            [str(version).encode(), at_ms],
        )
    ]


async def expire_items(
    clearing: Clearing,
    items: Sequence[MasterItem],
    at_ms: int,
    known: Manifest | None = None,
) -> None:
    """Let all keys of some items expire at an instant, and mark their versions as retired.

    Args:
        clearing: where.
        items: what is to go.
        at_ms: when, by the store's clock.
        known: the manifest that names them, which spares looking for sets that there aren't.
    """
    versions = {item.version for item in items}
    retired = await mark_retired(clearing.store, clearing.keys, versions, at_ms)
    for some in _in_order(item for item in items if item.version in retired):
        going = iter(some)
        await in_lanes([_expire(clearing, going, at_ms, known) for _ in range(LANES)])


async def _expire(
    clearing: Clearing, items: Iterator[MasterItem], at_ms: int, known: Manifest | None
) -> None:
    """Let all keys of the items that are left expire; several may take from the same items."""
    store, keys = clearing.store, clearing.keys
    longest = await store.now_ms() + int(clearing.life_seconds * 1000)
    if known is not None:
        longest = max(longest, known.serve_until_ms)

    async def expire(some: list[bytes], *, counted: bool) -> int:
        found = 0
        if counted:
            (found,) = await store.run([(b"EXISTS", *some)])
        await store.write(pack_expiries(some, at_ms))
        return found

    ends: dict[MasterItem, int] = {}
    for item in items:
        is_whole = await walk(store, keys, clearing.using, item, expire, known)
        if roots := roots_of(keys, item):
            await store.write(pack_expiries(roots, at_ms))
        ends[item] = at_ms if is_whole else longest
        if len(ends) >= NOTED:
            await note_ends(store, keys, ends)
            ends.clear()
    await note_ends(store, keys, ends)


async def in_lanes(lanes: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run some side by side: while the server does what one asks, another packs.

    None of them is left running, whatever happens; what the first of them raises is raised.
    """
    tasks = [asyncio.ensure_future(lane) for lane in lanes]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
