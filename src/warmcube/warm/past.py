"""Which versions nobody writes any more, so that what is left of them may be removed.

A warm that was overtaken writes on until it notices; what it writes then must still be known.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Version
from warmcube.errors import Damage
from warmcube.store.api import pairs_of
from warmcube.warm.clearing import Clearing

__all__ = ["Past", "read_past"]

_EVENTS: Final = 100
_FENCING: Final = (b"begin", b"invalidate", b"rollback", b"disable")
"""Events that advance the fence; their version is the new one."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the store says of its own past.

    Attributes:
        fence: the last number that was handed out: below it nothing can be published any more.
        dead_below: the number below which every warm lost its lease at least a lease ago.
        published: versions that were published, and so were whole.
    """

    fence: int
    dead_below: int
    published: frozenset[Version]

    def is_over(self, version: Version, *, is_whole: bool = False) -> bool:
        """Whether nobody writes under a version any more.

        Args:
            version: which.
            is_whole: whether its manifest was written, which is written last.
        """
        if version.fence < self.dead_below or version in self.published:
            return True
        return is_whole and version.fence < self.fence


async def read_past(clearing: Clearing) -> Past:
    """Look at the fence, then at the history.

    Raises:
        StoreError: the store.
    """
    store, keys = clearing.store, clearing.keys
    long_ago = await store.now_ms() - clearing.lease_seconds * 1000
    fence, events = await store.run(
        [(b"GET", keys.fence), (b"XREVRANGE", keys.history, b"+", b"-", b"COUNT", _EVENTS)]
    )
    highest = dead_below = 0
    with contextlib.suppress(Damage):
        highest = Version.parse(fence or b"").fence
    published: set[Version] = set()
    for _, pairs in events:
        facts = pairs_of(pairs)
        event = facts.get(b"event")
        if event == b"publish":
            with contextlib.suppress(Damage):
                published.add(Version.parse(facts[b"version"]))
        elif event in _FENCING and not dead_below and int(facts[b"at"]) <= long_ago:
            dead_below = Version.parse(facts[b"version"]).fence
    return Past(highest, dead_below, frozenset(published))
