"""Postgres tables, views and foreign tables as a source, through ADBC."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Final

from warmcube.errors import SourceUnavailable
from warmcube.model.schema import Datasource, Schema
from warmcube.postgres.url import PostgresUrl
from warmcube.source.api import DescribedColumn, SourceSnapshot
from warmcube.source.names import TableName, parse_table
from warmcube.source.postgres_catalog import describe, public, relation_kind
from warmcube.source.postgres_connection import PostgresConnection, PostgresDatabase
from warmcube.source.postgres_errors import LockNotAvailable
from warmcube.source.postgres_snapshot import THREADS, PostgresSnapshot, in_thread, stop
from warmcube.source.roles import check_roles

__all__ = ["PostgresSource"]

_BEGIN: Final = (files("warmcube.source") / "sql" / "begin.sql").read_text()

_LOCKABLE: Final = ("r", "p")
_IDLE_CONNECTIONS: Final = 8
"""As many as read at a time by default: a busy server needn't open sessions all the time."""
_ATTEMPTS: Final = 10
LOCK_SECONDS: Final = 60.0
"""So long whoever has no time limit, as a warm, waits for others' locks on a table: most who change
one are done by then, and behind one who isn't a warm would keep its lease, and its worker's place,
from all others."""
_ROLLBACK_SECONDS: Final = 1.0
_IMPATIENT: Final = "SET LOCAL lock_timeout = '200ms';"
_PATIENT: Final = "SET LOCAL lock_timeout TO DEFAULT"


class PostgresSource:
    """A Postgres database.

    Args:
        name: the source's name in the configuration, for messages.
        url: a libpq URL.

    Raises:
        ConfigError: the URL can't be read.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = PostgresUrl.parse(url, f"[sources.{name}] url")
        self._database: PostgresDatabase | None = None
        self._opening = asyncio.Lock()
        self._idle: list[PostgresConnection] = []
        self._abandoned: set[asyncio.Future[PostgresConnection]] = set()

    def __repr__(self) -> str:
        return f"PostgresSource({self._name!r}, {self._url.place})"

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        name = parse_table(table)
        async with self._connection(name) as (connection, _):
            described = await in_thread(connection, lambda: describe(connection, name))
        return tuple(map(public, described.columns))

    @asynccontextmanager
    async def snapshot(
        self,
        datasource: Datasource,
        *,
        time_limit: float | None = None,
        known: Schema | None = None,
    ) -> AsyncIterator[SourceSnapshot]:
        table = parse_table(datasource.table)
        async with contextlib.AsyncExitStack() as stack:
            connection = await self._begin(stack, table, time_limit)
            described = await in_thread(connection, lambda: describe(connection, table))
            check_roles([public(column) for column in described.columns], datasource)

            def beside(name: str) -> PostgresConnection:
                return self._begin_beside(table, time_limit, name)

            opened = PostgresSnapshot(connection, table, datasource, described, beside)
            await opened.resolve(known)
            yield opened

    async def ping(self) -> None:
        connection = await self._connect()
        await in_thread(connection, connection.close)

    async def close(self) -> None:
        if self._abandoned:
            await asyncio.wait(self._abandoned)
        idle, self._idle = self._idle, []
        database, self._database = self._database, None
        await asyncio.to_thread(_close, idle, database)

    async def _begin(
        self, stack: contextlib.AsyncExitStack, table: TableName, time_limit: float | None
    ) -> PostgresConnection:
        """A transaction whose snapshot was taken while the table was locked."""
        async with self._connection(table) as (_, kind):
            pass
        if kind in _LOCKABLE:
            connection, _ = await stack.enter_async_context(self._connection(table))
            lock = f"LOCK TABLE {table.sql} IN ACCESS SHARE MODE;"
            lock = f"{_waiting(time_limit)}{lock}{_PATIENT};"
            with self._naming_the_lock(table, time_limit):
                await stack.enter_async_context(_transaction(connection, table, lock, time_limit))
            return connection
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(LockNotAvailable):
                return await self._begin_guarded(stack, table, time_limit)
        raise SourceUnavailable(
            f"source {self._name!r} ({self._url.place}): {table} or what it reads from is being "
            "rewritten all the time; try again later"
        )

    async def _begin_guarded(
        self, stack: contextlib.AsyncExitStack, table: TableName, time_limit: float | None
    ) -> PostgresConnection:
        """The same for what LOCK TABLE doesn't know: materialized views, and views of them.

        To plan a SELECT takes every lock that there is to take, but only after the snapshot. So
        another transaction holds them while this one takes its snapshot, and then its own locks.
        A writer who queues up in between would wait for the one and keep the other waiting for
        ever; then both give way, and try again behind the writer.
        """
        touch = f"SELECT 1 FROM {table.sql} LIMIT 0"  # noqa: S608 (quoted)
        doing = f"locking {table}"
        async with contextlib.AsyncExitStack() as attempt, self._connection(table) as (guard, _):
            async with _transaction(guard, table, _waiting(time_limit), time_limit):
                with self._naming_the_lock(table, time_limit):
                    await in_thread(guard, lambda: guard.query(touch, doing))
                connection, _ = await attempt.enter_async_context(self._connection(table))
                await attempt.enter_async_context(
                    _transaction(connection, table, _IMPATIENT, time_limit)
                )
                await in_thread(connection, lambda: connection.query(touch, doing))
            await in_thread(connection, lambda: connection.execute(_PATIENT, doing))
            stack.push_async_exit(attempt.pop_all())
            return connection

    @contextlib.contextmanager
    def _naming_the_lock(self, table: TableName, time_limit: float | None) -> Iterator[None]:
        """Say what is in the way where others' locks were waited for in vain."""
        try:
            yield
        except LockNotAvailable:
            if time_limit is not None:
                raise
            raise SourceUnavailable(
                f"source {self._name!r} ({self._url.place}), locking {table}: another transaction "
                f"has had it locked, or waited to, for {LOCK_SECONDS:g} s; find it in pg_locks and "
                "pg_stat_activity, and have it come to its end"
            ) from None

    def _begin_beside(
        self, table: TableName, time_limit: float | None, snapshot: str
    ) -> PostgresConnection:
        """One more connection, whose transaction sees an exported snapshot; blocks.

        It takes the table's lock too, or gives up at once: a TRUNCATE that has queued up in between
        would keep it waiting until the transaction that exported the snapshot is over.
        """
        database = self._database
        if database is None:
            raise SourceUnavailable(f"source {self._name!r} ({self._url.place}) is closed")
        connection = database.connect()
        lock = f"LOCK TABLE {table.sql} IN ACCESS SHARE MODE; {_PATIENT};"
        script = f"{_begin(time_limit)}{_IMPATIENT}{lock}SET TRANSACTION SNAPSHOT '{snapshot}'"
        try:
            connection.execute(script, f"locking {table}")
        except BaseException:
            connection.close()
            raise
        return connection

    @asynccontextmanager
    async def _connection(self, table: TableName) -> AsyncIterator[tuple[PostgresConnection, str]]:
        """A connection for oneself, and what kind of relation the table is."""
        connection, kind = await self._checked_connection(table)
        try:
            yield connection, kind
        finally:
            if connection.is_broken or len(self._idle) >= _IDLE_CONNECTIONS:
                connection.close()
            else:
                self._idle.append(connection)

    async def _checked_connection(self, table: TableName) -> tuple[PostgresConnection, str]:
        while self._idle:
            connection = self._idle.pop()
            try:
                return connection, await _looked(connection, table)
            except SourceUnavailable:
                # The server was restarted, or closed what lay idle: so it may be with the others.
                connection.close()
            except BaseException:
                connection.close()
                raise
        connection = await self._connect()
        try:
            return connection, await _looked(connection, table)
        except BaseException:
            connection.close()
            raise

    async def _connect(self) -> PostgresConnection:
        async with self._opening:
            if self._database is None:
                self._database = await asyncio.to_thread(PostgresDatabase, self._name, self._url)
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(THREADS, self._database.connect)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._abandoned.add(opening)
            opening.add_done_callback(self._close_abandoned)
            raise

    def _close_abandoned(self, opening: asyncio.Future[PostgresConnection]) -> None:
        """Close what nobody waited for any more when it was opened."""
        self._abandoned.discard(opening)
        if not opening.cancelled() and opening.exception() is None:
            opening.result().close()


async def _looked(connection: PostgresConnection, table: TableName) -> str:
    return await in_thread(connection, lambda: relation_kind(connection, table))


@asynccontextmanager
async def _transaction(
    connection: PostgresConnection, table: TableName, lock: str, time_limit: float | None
) -> AsyncIterator[None]:
    script = f"{_begin(time_limit)}{lock}"
    await in_thread(connection, lambda: connection.execute(script, f"locking {table}"))
    try:
        yield
    finally:
        if connection.is_streaming:
            await stop(connection)
        elif not connection.is_broken:
            # What was read is whole; a server that has fallen silent since keeps nobody waiting.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ROLLBACK_SECONDS):
                    await in_thread(
                        connection, lambda: connection.execute("ROLLBACK", f"closing {table}")
                    )


def _waiting(time_limit: float | None) -> str:
    """How long to wait for locks, where the statement's own limit doesn't say it."""
    if time_limit is not None:
        return ""
    return f"SET LOCAL lock_timeout = {max(1, round(LOCK_SECONDS * 1000))};"


def _begin(time_limit: float | None) -> str:
    if time_limit is None:
        return _BEGIN
    return f"{_BEGIN}SET LOCAL statement_timeout = {max(1, round(time_limit * 1000))};"


def _close(idle: Sequence[PostgresConnection], database: PostgresDatabase | None) -> None:
    for connection in idle:
        connection.close()
    if database is not None:
        # A connection whose server is silent can't be closed, and ends with the process.
        with contextlib.suppress(RuntimeError):
            database.close()
