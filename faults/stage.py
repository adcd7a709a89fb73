"""What a fault may touch, and when it strikes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random
from typing import Final

import psycopg
import redis

from faults.moments import AT_REST, Moment
from faults.proxy import Proxy, Trap
from faults.readers import Reader, Way
from faults.table import DATASOURCE, TABLE
from faults.warming import Warmers
from faults.world import World

__all__ = ["Fault", "Stage"]

_WAIT: Final = 8.0
_LOST: Final = 1.0
_END: Final = 60.0
_BEAT: Final = 0.01
_TRIES: Final = 5
_META: Final = f"cache:meta:{{ds:{DATASOURCE}}}:"


class Stage:
    """What a fault may touch.

    Args:
        world: servers and proxies.
        warmers: that warm.
        random: chooses keys.
        provoke: asks something, as a new process does.
        make_reader: makes one who asks by a way, and knows so many questions.
        ask_service: asks the service once, without trying again; tells how many seconds it took.
    """

    def __init__(
        self,
        world: World,
        warmers: Warmers,
        random: Random,
        provoke: Callable[[], Coroutine[object, object, object]],
        make_reader: Callable[[Way, int], Reader],
        ask_service: Callable[[], Coroutine[object, object, float]],
    ) -> None:
        self.world = world
        self.warmers = warmers
        self.random = random
        self.provoke = provoke
        self.make_reader = make_reader
        self.ask_service = ask_service
        self.moment = AT_REST
        """At which the fault strikes just now."""
        self.nameless: set[str] = set()
        """Versions whose keys may have lost what names them: they can only expire."""
        self.told: set[str] = set()
        """Keys that were found left over already."""
        self.notes: list[str] = []
        """What is to be told of a fault."""
        self.failures: list[str] = []
        """What it has found wrong by itself."""
        self._asked: asyncio.Task[object] | None = None
        self._warm: asyncio.Task[str | None] | None = None

    async def strike(self, moment: Moment, act: Callable[[], object]) -> None:
        """Do something at a moment, in a thread, once and certainly then.

        Raises:
            LookupError: the moment never came.
            Exception: whatever is done raises.
        """
        if moment.pattern is None:
            await asyncio.to_thread(act)
            return
        if moment.via == "fallback":
            await asyncio.to_thread(self.empty_store)
        for _ in range(_TRIES):
            trap = Trap(moment.pattern, moment.when, act)
            if await self._is_sprung(moment, trap):
                if trap.failure is not None:
                    raise trap.failure
                return
        raise LookupError(f"{moment.label} never came")

    async def finish(self) -> str | None:
        """Wait for whoever was caught at the moment; what went wrong with the warm, if anything."""
        if self._asked is not None:
            await asyncio.wait([self._asked], timeout=_END)
        if self._warm is None:
            return None
        warm, self._warm = self._warm, None
        trouble = await asyncio.wait_for(warm, _END)
        if trouble is not None:
            self.notes.append(f"the warm: {trouble.partition(':')[0]}")
        return trouble

    async def _is_sprung(self, moment: Moment, trap: Trap) -> bool:
        """Set a trap, have somebody walk into it, and wait until what is done is done."""
        through = self.proxy_of(moment)
        deadline = time.monotonic() + _WAIT
        through.trap = trap
        try:
            while trap.is_armed and time.monotonic() < deadline:
                if moment.is_warm:
                    if self._warm is not None and self._warm.done():
                        trouble, self._warm = self._warm.result(), None
                        if trouble is None and trap.is_armed:
                            return False  # such a warm doesn't come to that; the next one may
                    self._warm = self._warm or asyncio.create_task(self._warm_in_turn())
                elif self._asked is None or self._asked.done():
                    self._asked = asyncio.create_task(self.provoke())
                await asyncio.sleep(_BEAT)
            if not trap.is_begun:  # the reply is still to come, or its connection is gone
                await asyncio.to_thread(trap.sprung.wait, _LOST)
            if trap.is_begun and not await asyncio.to_thread(trap.sprung.wait, _END):
                # It may not be begun once more beside itself.
                raise TimeoutError(f"what was begun {moment.label} isn't done after {_END:g} s")
            return trap.is_begun
        finally:
            through.trap = None

    async def _warm_in_turn(self) -> str | None:
        async with self.warmers.turn:
            return await self.warmers.warm()

    def proxy_of(self, moment: Moment) -> Proxy:
        """What the bytes of a moment pass through."""
        world = self.world
        return {
            "read": world.redis_proxy,
            "warm": world.warm_proxy,
            "fallback": world.postgres_proxy,
            "gather": world.gather_proxy,
        }[moment.via]

    def empty_store(self) -> None:
        """Have the database answer."""
        with self.store() as client:
            client.flushall()

    @asynccontextmanager
    async def locked_table(self) -> AsyncIterator[None]:
        """Keep everybody from the table meanwhile."""
        url = self.world.postgres.url
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            yield

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
        found = self.pointer(client)
        if found is None:
            raise LookupError("no snapshot is live")
        return found

    @staticmethod
    def pointer(client: redis.Redis) -> str | None:
        """What the pointer holds."""
        found = client.get(f"{_META}current")
        return str(found, "ascii") if isinstance(found, bytes) else None

    def keys(self, client: redis.Redis, pattern: str) -> list[bytes]:
        """Keys of a kind, in a random order.

        They are of the snapshot that is in the making, where the fault strikes a warm that has
        written any, and else of the live one.

        Args:
            client: of the store.
            pattern: of the keys; ``{v}`` stands for the version, ``{p}`` for any partition.
        """
        versions = [self.live(client)]
        if self.moment.is_warm:
            fence = client.get(f"{_META}fence")
            versions[:0] = [str(fence, "ascii")] if isinstance(fence, bytes) else []
        for version in versions:
            text = pattern.replace("{v}", version).replace("{p}", "{ds:1:m:*}")
            if found := sorted(client.scan_iter(text, count=1000)):
                self.random.shuffle(found)
                return found
        return []


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

    async def review(self, stage: Stage, moment: Moment, trouble: str | None) -> None:
        """Look whether all is as it should be after it, before anybody warms.

        Args:
            stage: takes what isn't.
            moment: at which it struck.
            trouble: of the warm that it struck, if it struck one, and if that failed.
        """
