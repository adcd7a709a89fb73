"""What a worker clears up without warming anything: what others left who were killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Seal
from warmcube.errors import Damage, StoreError
from warmcube.store.api import Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.residue import remove_residue
from warmcube.worker.look import Look

__all__ = ["Sweeper"]

LEASES: Final = 2.0
"""So many leases after the last warm began, or the snapshot was taken away, nobody writes any more
who was overtaken by that; and what was retired has expired."""


@dataclass(slots=True)
class _Seen:
    """A fence.

    Attributes:
        fence: as it stands.
        since: when it was seen first, by the monotonic clock.
        is_swept: whether everything that is older has been cleared up.
    """

    fence: bytes
    since: float
    is_swept: bool = False


class Sweeper:
    """Clears up once after each move of a data source's fence, when that is long enough ago.

    Whatever is left in a store was left by somebody who had moved the fence, or was overtaken by
    somebody who did. So between two moves there is nothing new to be found.

    Args:
        store: the store.
        namespace: in front of every key.
        seal: what its values bear.
        grace: seconds for which readers may still be in the middle of what was live.
        lease_seconds: how long a lease is.
        life_seconds: how long what a warm writes is there, at most.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        seal: Seal,
        *,
        grace: float,
        lease_seconds: float,
        life_seconds: float,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._seal = seal
        self._grace = grace
        self._lease = lease_seconds
        self._life = life_seconds
        self._seen: dict[int, _Seen] = {}
        self._task: asyncio.Task[None] | None = None

    def look(self, looks: Mapping[int, Look]) -> None:
        """Begin to clear up where it is time to; one data source after another.

        Args:
            looks: what was found, of those that this worker doesn't warm now.
        """
        now = time.monotonic()
        due: list[int] = []
        for number, look in looks.items():
            if look.fence is None:
                continue
            seen = self._seen.get(number)
            if seen is None or seen.fence != look.fence:
                self._seen[number] = _Seen(look.fence, now)
            elif not seen.is_swept and not look.is_busy and now >= self._due(seen):
                due.append(number)
        if due and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._sweep(due))

    def _due(self, seen: _Seen) -> float:
        return seen.since + max(LEASES * self._lease, self._grace)

    async def _sweep(self, numbers: list[int]) -> None:
        for number in numbers:
            keys = Keys(self._namespace, number)
            clearing = Clearing(self._store, keys, self._seal, self._grace, self._lease, self._life)
            seen = self._seen[number]  # a fence that moves meanwhile is another, to be swept after
            with contextlib.suppress(Damage, StoreError):  # then it is tried again
                await remove_residue(clearing)
                seen.is_swept = True

    async def close(self) -> None:
        """Stop, wherever it is: the next one goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
