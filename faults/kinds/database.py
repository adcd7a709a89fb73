"""Faults of the database: killed, slow, out of connections, altered; and of both servers."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

from faults.moments import AT_REST, FALLBACK, GATHERING, Moment
from faults.rules import SETTLED
from faults.stage import Fault, Stage
from faults.table import TABLE
from faults.world import READER

__all__ = ["FAULTS"]

_ASKED: Final = 20


class _Killed(Fault):
    """Postgres is killed, and later starts again; the store is warm."""

    name, title = "kill-postgres", "kill Postgres, the store is warm"
    moments = (AT_REST, *GATHERING)
    seconds = 1.0
    is_quiet = False

    def act(self, stage: Stage) -> None:
        stage.world.postgres.kill()

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.start()


class _BothDead(Fault):
    """Neither server can answer; once breakers are open, that has to be said in under a second.

    Args:
        name: of the fault.
        title: of the fault.
        settled: seconds after which every breaker has to be open.
    """

    is_quiet = False

    def __init__(self, name: str, title: str, settled: float) -> None:
        self.name, self.title = name, title
        self._settled = settled
        self.seconds = 0.0

    async def inject(self, stage: Stage, moment: Moment) -> None:
        rules = stage.world.rules
        await super().inject(stage, moment)
        await asyncio.sleep(self._settled)
        rules.dead_since = time.monotonic()
        await asyncio.sleep(1.0)
        seconds = [await stage.ask_service() for _ in range(_ASKED)]
        slowest = max(seconds)
        stage.notes.append(
            f"breakers open: the slowest error of the service {slowest * 1000:.0f} ms"
        )
        if slowest > SETTLED:
            stage.failures.append(f"the service took {slowest:.2f} s to say that it can't answer")

    async def heal(self, stage: Stage) -> None:
        stage.world.rules.dead_since = None
        await super().heal(stage)


class _BothKilled(_BothDead):
    def act(self, stage: Stage) -> None:
        stage.world.redis.kill()
        stage.world.postgres.kill()

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.start()
        stage.world.redis.forget_data()
        stage.world.redis.start()


class _BothFrozen(_BothDead):
    def act(self, stage: Stage) -> None:
        stage.world.redis.freeze()
        stage.world.postgres.freeze()

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.thaw()
        stage.world.redis.thaw()


class _Restarted(Fault):
    """Postgres restarts while the store is empty."""

    name, title = "restart-postgres", "restart Postgres while it answers"
    moments = FALLBACK

    def act(self, stage: Stage) -> None:
        stage.world.postgres.kill()
        stage.world.postgres.start()


class _Cut(Fault):
    """Connections to Postgres are cut, those of readers or of a warm."""

    name, title = "cut-postgres", "all connections to Postgres cut at once"
    moments = (*FALLBACK, *GATHERING)

    async def inject(self, stage: Stage, moment: Moment) -> None:
        await stage.strike(moment, stage.proxy_of(moment).cut_all)


class _Silent(Fault):
    """Nothing arrives at Postgres any more, nor from there, and nobody is told."""

    name, title = "silent-postgres", "the network to Postgres swallows everything"
    moments = FALLBACK
    seconds = 5.0

    def act(self, stage: Stage) -> None:
        stage.world.postgres_proxy.is_swallowing = True


class _Slow(Fault):
    """The table is locked, while the store is empty."""

    name, title = "slow-postgres", "Postgres slow (30 s) while it answers"
    seconds = 30.0

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - at rest
        await asyncio.to_thread(stage.empty_store)
        self._lock = AsyncExitStack()
        await self._lock.enter_async_context(stage.locked_table())

    async def heal(self, stage: Stage) -> None:  # noqa: ARG002 - knows its own lock
        await self._lock.aclose()


class _OutOfConnections(Fault):
    """Postgres takes no more connections, while the store is empty or while somebody warms."""

    name, title = "no-connections", "Postgres out of connections"
    moments = (*FALLBACK, *GATHERING)

    def act(self, stage: Stage) -> None:
        stage.world.postgres.execute(
            f"ALTER ROLE {READER} CONNECTION LIMIT 0",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{READER}'",
        )

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.execute(f"ALTER ROLE {READER} CONNECTION LIMIT -1")


class _Altered(Fault):
    """The table is altered between a warm and the questions; half the time the database answers.

    Args:
        name: of the fault.
        title: of the fault.
        forth: what alters it.
        back: what makes it as it was.
        lacking: the columns that it lacks meanwhile.
    """

    seconds = 0.9

    def __init__(self, name: str, title: str, forth: str, back: str, *lacking: str) -> None:
        self.name, self.title = name, title
        self._forth, self._back, self._lacking = forth, back, frozenset(lacking)

    async def inject(self, stage: Stage, moment: Moment) -> None:
        await super().inject(stage, moment)
        await asyncio.sleep(0.3)
        with stage.store() as client:
            client.flushall()
        trouble = await stage.warmers.warm()
        if trouble is not None:
            stage.notes.append(f"the warm: {trouble}")

    def act(self, stage: Stage) -> None:
        if self._lacking:
            stage.world.writer.hold.acquire()
            stage.world.lacking = self._lacking
        stage.world.postgres.execute(f"ALTER TABLE {TABLE} {self._forth}")

    def undo(self, stage: Stage) -> None:
        statement = f"ALTER TABLE {TABLE} {self._back}"
        if not self._lacking:
            stage.world.postgres.execute(statement)
            return
        try:
            stage.world.writer.refill(statement)
        finally:
            stage.world.writer.hold.release()

    async def heal(self, stage: Stage) -> None:
        await super().heal(stage)
        await stage.warmers.warm_at_last()
        await asyncio.sleep(0.6)  # what is resident may be as old
        stage.world.lacking = frozenset()


FAULTS: Final[tuple[Fault, ...]] = (
    _Killed(),
    _BothKilled("both-down", "both servers down", 1.0),
    _BothFrozen("both-frozen", "both servers stand still", 6.0),
    _Restarted(),
    _Cut(),
    _Silent(),
    _Slow(),
    _OutOfConnections(),
    _Altered(
        "add-column",
        "the table altered: a column added",
        "ADD extra text DEFAULT 'more'",
        "DROP extra",
    ),
    _Altered(
        "drop-column",
        "the table altered: a column dropped",
        "DROP region",
        "ADD region text",
        "region",
    ),
    _Altered(
        "retype-column",
        "the table altered: a column retyped",
        "ALTER measure_value TYPE numeric(18,4)",
        "ALTER measure_value TYPE numeric(14,2)",
    ),
)
