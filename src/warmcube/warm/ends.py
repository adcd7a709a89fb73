"""Until when keys may be there of what nobody removes any more.

What expires by itself stays in ``master`` until it has, and nothing is looked for meanwhile: its
end is in a hash beside it, by its name. That is so of what was retired, whose keys are about to go;
and of a partition whose index is lost, since nothing leads to its entries any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.entry.master import MasterItem, format_item
from warmcube.store.api import Command, Store

__all__ = ["cross_off", "forget_ends", "note_ends", "read_ends"]

_CHUNK: Final = 500


async def read_ends(store: Store, keys: Keys, items: Sequence[MasterItem]) -> dict[MasterItem, int]:
    """When some items end, as far as that is known; Unix milliseconds by the store's clock.

    Raises:
        StoreError: the store.
    """
    found: dict[MasterItem, int] = {}
    for at in range(0, len(items), _CHUNK):
        some = items[at : at + _CHUNK]
        (ends,) = await store.run([(b"HMGET", keys.ends, *map(format_item, some))])
        for item, end in zip(some, ends, strict=True):
            if end is not None and end.isdigit():
                found[item] = int(end)
    return found


async def note_ends(store: Store, keys: Keys, ends: Mapping[MasterItem, int]) -> None:
    """Have it known when some items end; never sooner than was known before.

    Raises:
        StoreError: the store.
    """
    left = iter(ends.items())
    while some := list(islice(left, _CHUNK)):
        words: list[bytes | int] = []
        for item, end in some:
            words += (format_item(item), end)
        await store.script("ends", [keys.ends, keys.master], words)


async def forget_ends(store: Store, keys: Keys, items: Iterable[MasterItem]) -> None:
    """Know nothing of the ends of some items any more.

    Raises:
        StoreError: the store.
    """
    left = iter(items)
    while some := list(islice(left, _CHUNK)):
        await store.run([(b"HDEL", keys.ends, *map(format_item, some))])


async def cross_off(store: Store, keys: Keys, items: Iterable[MasterItem]) -> None:
    """Take what is gone off ``master``.

    Raises:
        StoreError: the store.
    """
    left = iter(items)
    while some := list(islice(left, _CHUNK)):
        names = list(map(format_item, some))
        commands: list[Command] = [(b"SREM", keys.master, *names), (b"HDEL", keys.ends, *names)]
        await store.run(commands)
