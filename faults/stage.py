"""What a fault may touch, and when it strikes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

import redis

from faults import proxy
from faults.proxy import Proxy, Trap
from faults.table import DATASOURCE
from faults.warming import Warmers
from faults.world import World

__all__ = ["AT_REST", "READING", "WARMING", "Fault", "Moment", "Stage"]

_WAIT: Final = 4.0
_PHASES: Final[tuple[proxy.Moment, ...]] = ("before", "middle", "after")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a fault strikes.

    Attributes:
        label: how the report calls it.
        pattern: of the bytes that are then under way; None for any time.
        when: before they are passed on, in the middle of the reply, or after it.
        is_warm: whether it is a warm that sends them, and not a reader.
    """

    label: str
    pattern: bytes | None = None
    when: proxy.Moment = "before"
    is_warm: bool = False


def _moments(label: str, pattern: bytes, *, is_warm: bool) -> tuple[Moment, ...]:
    names = {"before": "before", "middle": "in the middle of", "after": "after"}
    return tuple(Moment(f"{names[when]} {label}", pattern, when, is_warm) for when in _PHASES)


AT_REST: Final = Moment("at rest")
READING: Final = (
    AT_REST,
    *_moments("lookup", b":counts", is_warm=False),
    *_moments("fetch", b"cache:{ds:", is_warm=False),
)
"""The moments of a read."""
WARMING: Final = (
    *_moments("taking the lease", b"Start a warm", is_warm=True),
    *_moments("write", b"cache:{ds:", is_warm=True),
    *_moments("verify", b"HLEN", is_warm=True),
    *_moments("publish", b"Make a snapshot the live one", is_warm=True),
    *_moments("clean-up", b"retired:", is_warm=True),
)
"""The moments of a warm."""


class Stage:
    """What a fault may touch.

    Args:
        world: servers and proxies.
        warmers: that warm.
        random: chooses keys.
    """

    def __init__(self, world: World, warmers: Warmers, random: Random) -> None:
        self.world = world
        self.warmers = warmers
        self.random = random
        self.is_long = False
        """Whether faults may take half a minute."""
        self.nameless: set[str] = set()
        """Versions whose keys may have lost what names them: they can only expire."""
        self.told: set[str] = set()
        """Keys that were found left over already."""
        self.notes: list[str] = []
        """What is to be told of a fault."""

    async def strike(self, moment: Moment, act: Callable[[], object]) -> None:
        """Do something at a moment, in a thread."""
        if moment.pattern is None:
            await asyncio.to_thread(act)
            return
        through: Proxy = self.world.warm_proxy if moment.is_warm else self.world.redis_proxy
        trap = Trap(moment.pattern, moment.when, act)
        if moment.is_warm:
            async with self.warmers.turn:
                through.trap = trap
                trouble = await self.warmers.warm()
            if trouble is not None:
                self.notes.append(f"the warm: {trouble.partition(':')[0]}")
        else:
            through.trap = trap
        struck = await asyncio.to_thread(trap.sprung.wait, _WAIT)
        through.trap = None
        if not struck:
            self.notes.append(f"{moment.label} never came")
            if trap.is_armed:
                trap.is_armed = False
                await asyncio.to_thread(act)

    @contextmanager
    def store(self) -> Iterator[redis.Redis]:
        """A connection to the store, past all proxies."""
        with self.world.redis.client() as client:
            yield client

    def live(self, client: redis.Redis) -> str:
        """The version of the live snapshot.

        Raises:
            LookupError: there is none.
        """
        found = client.get(f"cache:meta:{{ds:{DATASOURCE}}}:current")
        if found is None:
            raise LookupError("no snapshot is live")
        return str(found, "ascii") if isinstance(found, bytes) else found

    def keys(self, client: redis.Redis, pattern: str) -> list[bytes]:
        """Keys of the live snapshot, in a random order.

        Args:
            client: of the store.
            pattern: of the keys; ``{v}`` stands for the version, ``{p}`` for any partition.
        """
        text = pattern.replace("{v}", self.live(client)).replace("{p}", "{ds:1:m:*}")
        found = sorted(client.scan_iter(text, count=1000))
        self.random.shuffle(found)
        return found


class Fault:
    """One fault: what it does, and how it ends.

    Attributes:
        name: for ``--only``.
        title: for the report.
        moments: when it strikes; each run takes another.
        seconds: how long it lasts.
        is_quiet: whether nobody warms meanwhile.
    loses_index: whether what names a snapshot's keys may be gone, so that nothing can remove
        them before they expire.
    """

    name: str
    title: str
    moments: tuple[Moment, ...] = (AT_REST,)
    seconds: float = 0.6
    is_quiet: bool = True
    loses_index: bool = False

    async def inject(self, stage: Stage, moment: Moment) -> None:
        """Let it happen."""
        await stage.strike(moment, lambda: self.act(stage))

    def act(self, stage: Stage) -> None:
        """What is done, in a thread."""
        raise NotImplementedError

    async def heal(self, stage: Stage) -> None:
        """Take away what would not go by itself."""
        await asyncio.to_thread(self.undo, stage)

    def undo(self, stage: Stage) -> None:
        """The same, in a thread."""
