"""Which warms are carrying something over, so that what they prolong can't be lost sight of.

A roll-back lets the keys of the snapshot that was live expire. Where a refresh is giving the same
keys more life at that moment, some may come to outlive what leads to them, and a refresh that is
killed can't put that right. So each is noted before it begins.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Keys, Version
from warmcube.entry.master import MasterItem
from warmcube.errors import Damage
from warmcube.store.api import Store, pairs_of
from warmcube.warm.past import Past

__all__ = ["Carrying", "begin_carrying", "end_carrying", "read_carrying"]

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Carrying:
    """What may have been prolonged.

    Attributes:
        running: the highest number of what those may be prolonging that may still run.
        dead: the same of those that don't run any more, which nobody has put right yet.
        ended: the versions of these.
    """

    running: int
    dead: int
    ended: tuple[Version, ...]

    def may_be_prolonged(self, item: MasterItem) -> bool:
        """Whether an item may be prolonged at any moment."""
        return item.version.fence <= self.running

    def was_prolonged(self, item: MasterItem) -> bool:
        """Whether it may have been, by a warm that is dead."""
        return item.version.fence <= self.dead


async def begin_carrying(store: Store, keys: Keys, version: Version, base: Version) -> None:
    """Note that a warm begins to carry over from a snapshot.

    Raises:
        StoreError: the store.
    """
    await store.run([(b"HSET", keys.carrying, str(version).encode(), str(base).encode())])


async def end_carrying(store: Store, keys: Keys, *versions: Version) -> None:
    """Note that some have ended, and nothing is left to be put right.

    Raises:
        StoreError: the store.
    """
    if versions:
        names = [str(version).encode() for version in versions]
        await store.run([(b"HDEL", keys.carrying, *names)])


async def read_carrying(store: Store, keys: Keys, past: Past) -> Carrying:
    """Look at all of them.

    Raises:
        StoreError: the store.
    """
    # There is one, or a few that were killed: one page has all.
    ((_, pairs),) = await store.run([(b"HSCAN", keys.carrying, b"0", b"COUNT", _PAGE)])
    running = dead = 0
    ended: list[Version] = []
    for name, base in pairs_of(pairs).items():
        with contextlib.suppress(Damage):
            version, fence = Version.parse(name), Version.parse(base).fence
            if past.is_over(version):
                dead = max(dead, fence)
                ended.append(version)
            else:
                running = max(running, fence)
    return Carrying(running, dead, tuple(ended))
