"""The directory in a Postgres database: read as a whole, kept while nothing changes."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from psycopg import sql

from warmcube.access.survey import Survey
from warmcube.directory.listening import Listening
from warmcube.directory.rows import DirectoryRows, survey_rows, version_of
from warmcube.errors import DirectoryError
from warmcube.postgres.session import DRIVER_ERRORS, Session, open_session, tell
from warmcube.postgres.url import PostgresUrl

__all__ = ["DirectoryDatabase", "read_rows"]

READ_SECONDS: Final = 5.0
"""How long reading the directory may take, connecting included."""
LEAST_SECONDS: Final = 0.2
"""Between two reads, however many changes there are."""

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


def _statements() -> Mapping[str, str]:
    text = (files("warmcube.directory") / "sql" / "read.sql").read_text()
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return MappingProxyType(dict(zip(parts[1::2], parts[2::2], strict=True)))


_STATEMENTS: Final = _statements()


_T = TypeVar("_T")
_ENDING: Final[set[asyncio.Future[Any]]] = set()
"""Reads that nobody waits for any more; kept, so that they come to their end."""


def _end(task: asyncio.Future[Any]) -> None:
    _ENDING.discard(task)
    if not task.cancelled():
        task.exception()


class DirectoryDatabase:
    """Reads the directory from the tables that ``warmcube directory init`` makes.

    It is read again when the database tells of a change, and anyhow at half its age.

    Args:
        url: of the database; directly, not through a pooler.
        schema: of the tables.
        max_age: seconds that a directory counts at most since it was read.
        max_age_unheard: seconds that it counts at most since there may have been a change that
            wasn't heard of, as where LISTEN isn't to be had.
        monotonic: seconds that only grow.
    """

    takes_defects = True

    def __init__(
        self,
        url: PostgresUrl,
        schema: str,
        *,
        max_age: float = 60.0,
        max_age_unheard: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._schema = schema
        self._max_age = max_age
        self._max_age_unheard = min(max_age, max_age_unheard)
        self._monotonic = monotonic
        self._listening = Listening(url, schema, monotonic)

    @property
    def name(self) -> str:
        return f"the directory in {self._url.place}"

    def __repr__(self) -> str:
        return f"DirectoryDatabase({self._url.place}, schema {self._schema!r})"

    async def read(self, version: str | None) -> Survey | None:
        """What it holds; None if that is still the version that the caller knows.

        Raises:
            DirectoryError: it can't be read.
        """
        await self._listening.begin()
        began = self._monotonic()
        try:
            rows, is_announced = await self._within(READ_SECONDS, self._read())
        except DRIVER_ERRORS as error:
            raise DirectoryError(
                f"{self.name}, schema {self._schema!r}, can't be read: {tell(error, self._url)}; "
                "check that it is up, that `warmcube directory init` has made the tables, and that "
                "this user may SELECT from them"
            ) from None
        self._listening.settle(began, is_announced=is_announced)
        found = await asyncio.to_thread(version_of, rows)
        if found == version:
            return None
        return await asyncio.to_thread(survey_rows, rows, version=found)

    async def _read(self) -> tuple[DirectoryRows, bool]:
        async with await open_session(self._url) as session:
            return await read_rows(session, self._schema)

    @staticmethod
    async def _within(seconds: float, work: Coroutine[Any, Any, _T]) -> _T:
        """Wait so long and no longer: a driver that is cancelled may wait for a silent server.

        Raises:
            TimeoutError: it isn't done; it ends in the background.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            if not task.done():
                task.cancel()
                _ENDING.add(task)
                task.add_done_callback(_end)
        if not task.done():
            raise TimeoutError
        return task.result()

    def is_due(self, looked: float, within: float) -> bool:
        """Whether to read again: at news, or at half the age at which it no longer counts."""
        del within  # nothing is asked for that the database wouldn't tell by itself
        age = self._monotonic() - looked
        if self._listening.hears_all and self._listening.doubt_at < float("inf"):
            return age >= LEAST_SECONDS
        return age >= self._interval

    def counts_until(self, confirmed: float) -> float:
        """Until when a directory that was read then counts."""
        return min(confirmed + self._max_age, self._listening.doubt_at + self._max_age_unheard)

    async def wait_for_news(self) -> None:
        """Return when it is to be read again."""
        await asyncio.sleep(LEAST_SECONDS)
        await self._listening.wait_for_news(self._interval)

    async def close(self) -> None:
        await self._listening.close()

    @property
    def _interval(self) -> float:
        return (self._max_age if self._listening.hears_all else self._max_age_unheard) / 2


async def read_rows(session: Session, schema: str) -> tuple[DirectoryRows, bool]:
    """All tables, as they stood at one moment.

    Args:
        session: in no transaction.
        schema: of the tables.

    Returns:
        the rows, and whether each table has its trigger that announces changes.
    """
    quoted = sql.Identifier(schema)
    statements = {
        name: sql.SQL(cast("Any", text)).format(schema=quoted) for name, text in _STATEMENTS.items()
    }
    await session.execute(_BEGIN)
    await session.execute(statements.pop("lock"))
    cursor = await session.execute(statements.pop("announced"), [schema])
    is_announced = await cursor.fetchone() == (True,)
    tables: dict[str, Any] = {}
    for name, statement in statements.items():
        cursor = await session.execute(statement)
        tables[name] = await cursor.fetchall()
    await session.execute("COMMIT")
    return DirectoryRows(**tables), is_announced
