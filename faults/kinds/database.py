"""Faults of the database: killed, slow, out of connections, altered; and of both servers."""

from __future__ import annotations

import asyncio
from typing import Final

import psycopg

from faults.stage import Fault, Moment, Stage
from faults.table import TABLE

__all__ = ["FAULTS"]


class _Killed(Fault):
    """Postgres is killed, and later starts again.

    Args:
        name: of the fault.
        title: of the fault.
        with_store: whether the store is lost as well, so that the database is asked.
    """

    seconds = 1.0
    is_quiet = False

    def __init__(self, name: str, title: str, *, with_store: bool) -> None:
        self.name, self.title, self._with_store = name, title, with_store

    def act(self, stage: Stage) -> None:
        if self._with_store:
            stage.world.redis.kill()
        stage.world.postgres.kill()

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.start()
        if self._with_store:
            stage.world.redis.forget_data()
            stage.world.redis.start()


class _Restarted(Fault):
    """Postgres restarts while the store is empty."""

    name, title = "restart-postgres", "restart Postgres while it answers"

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            client.flushall()
        stage.world.postgres.kill()
        stage.world.postgres.start()


class _Slow(Fault):
    """The table is locked, while the store is empty."""

    name, title = "slow-postgres", "Postgres slow (30 s) while it answers"
    _released: asyncio.Event
    _locking: asyncio.Task[None]

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - at rest
        self.seconds = 30.0 if stage.is_long else 4.0
        with stage.store() as client:
            client.flushall()
        self._released, locked = asyncio.Event(), asyncio.Event()
        self._locking = asyncio.create_task(self._lock(stage.world.postgres.url, locked))
        await locked.wait()

    async def heal(self, stage: Stage) -> None:  # noqa: ARG002 - knows its own lock
        self._released.set()
        await self._locking

    async def _lock(self, url: str, locked: asyncio.Event) -> None:
        connection = await psycopg.AsyncConnection.connect(url)
        async with connection:
            await connection.execute(f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE")
            locked.set()
            await self._released.wait()


class _OutOfConnections(Fault):
    """Postgres takes no more connections, while the store is empty."""

    name, title = "no-connections", "Postgres out of connections while it answers"

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            client.flushall()
        stage.world.postgres.execute(
            "ALTER ROLE reader CONNECTION LIMIT 0",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'",
        )

    def undo(self, stage: Stage) -> None:
        stage.world.postgres.execute("ALTER ROLE reader CONNECTION LIMIT -1")


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
    _Killed("kill-postgres", "kill Postgres, the store is warm", with_store=False),
    _Killed("both-down", "both servers down", with_store=True),
    _Restarted(),
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
