"""Reads of the database that are shared by all who ask for the same rows at the same time.

What is the same is judged rows: a partition within a judged scope. So nobody shares with others
what they may not see themselves, and everybody's own conditions, audit and deadline stay theirs.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol

from warmcube.entry.keys import PartitionName
from warmcube.errors import (
    LimitExceeded,
    Overloaded,
    QueryTimeout,
    SourceUnavailable,
    WarmcubeError,
)
from warmcube.fallback.database import DatabaseRead, open_read
from warmcube.fallback.flights import Flight, Flights, OutOfTime
from warmcube.fallback.guard import SourceGuard, closed
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource, Schema
from warmcube.model.scope import Scope
from warmcube.source.api import Source

__all__ = ["GRACE", "Asker", "Places", "SharedReads", "SharedRows", "Slice"]

TRIES: Final = 2
"""How often a transaction is begun that breaks off soon."""
SOON: Final = 1.0
"""In seconds; what took longer was stopped by the database, and would be again."""
_JITTER: Final = 0.05
GRACE: Final = 1.0
"""So many seconds after the database should have stopped a statement, it isn't waited for."""
_WORTH: Final = 0.1
"""With fewer seconds left, whoever waits doesn't have the database asked once more."""


class Slice(NamedTuple):
    """Some rows of a table.

    Attributes:
        partition: of which partition; None for the names of the partitions that have any.
        scope: within which practices and providers.
        columns: of which columns, in the table's order.
    """

    partition: PartitionName | None
    scope: Scope
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedRows:
    """What one transaction has read.

    Attributes:
        schema: the table's columns.
        as_of: when it was so.
        milliseconds: how long that took.
        rows: of each slice, its rows or the names of its partitions; None if the columns are others
            than was expected, so that nothing was read.
    """

    schema: Schema
    as_of: datetime
    milliseconds: float
    rows: Mapping[Slice, Table | list[PartitionName]] | None


class Places(Protocol):
    """Where the database is read only so often at a time."""

    def place(self, user: str, seconds: float | None) -> AbstractAsyncContextManager[None]:
        """A place of a user's, for at most so many seconds of waiting; infinity is no bound."""
        ...

    def overloaded(self, why: str) -> Overloaded:
        """The error for one who has waited in vain."""
        ...


class Asker(NamedTuple):
    """One who asks: in whose name a read takes its place, and how long they have."""

    user: str
    seconds: float


class SharedReads:
    """Reads the database for those who ask at the same time.

    Args:
        sources: by name.
        places: what bounds the reads that go on at a time.
        seconds: that a read may take.
        most_rows: that it may fetch.
    """

    def __init__(
        self, sources: Mapping[str, Source], places: Places, *, seconds: float, most_rows: int
    ) -> None:
        self._sources = sources
        self._places = places
        self._seconds = seconds
        self._most_rows = most_rows
        self._flights: Flights[SharedRows] = Flights()
        self._schemas: dict[int, Schema] = {}
        self._guards: dict[str, SourceGuard] = {}
        self._is_closed = False

    @property
    def flights(self) -> int:
        """How many reads go on or wait for their place."""
        return len(self._flights)

    def known(self, datasource: Datasource) -> Schema | None:
        """The table's columns as they were when it was last read."""
        return self._schemas.get(datasource.id)

    async def schema(self, datasource: Datasource, asker: Asker) -> Schema:
        """The table's columns as they are.

        Raises:
            Overloaded: too many read the database.
            QueryTimeout: that took too long.
            SourceError: the database.
        """
        return (await self._join(datasource, None, (), asker)).schema

    async def read(
        self, datasource: Datasource, expected: Schema, slices: Sequence[Slice], asker: Asker
    ) -> SharedRows:
        """Some rows, all of one transaction.

        Args:
            datasource: of which table.
            expected: the columns by which the slices were judged.
            slices: which rows.
            asker: who asks.

        Raises:
            LimitExceeded: they are too many.
            Overloaded: too many read the database.
            QueryTimeout: that took too long.
            SourceError: the database.
        """
        return await self._join(datasource, expected, slices, asker)

    async def close(self) -> None:
        """End all reads, those included that only the guards know of."""
        self._is_closed = True
        guards = [each.close() for each in self._guards.values()]
        await asyncio.gather(self._flights.close(closed()), *guards)

    def guard(self, source: str) -> SourceGuard:
        """What lets reads of a database begin, and watches over them.

        Raises:
            NotUsable: the cache is closed.
        """
        if self._is_closed:
            raise closed()
        found = self._guards.get(source)
        if found is None:

            async def ping() -> None:
                await self._sources[source].ping()

            found = self._guards[source] = SourceGuard(source, ping)
        return found

    async def _join(
        self,
        datasource: Datasource,
        expected: Schema | None,
        slices: Sequence[Slice],
        asker: Asker,
    ) -> SharedRows:
        """Wait for a read of others, or begin one; each has the time that they have themselves.

        A read that others began ends with the time that the database is given for one. To whoever
        came later, and has more left, that is no answer: the next one is theirs.
        """
        key: Hashable = (datasource.id, expected, frozenset(slices))
        work = partial(self._fly, datasource, expected, tuple(slices), asker.user)
        now = asyncio.get_running_loop().time
        left = asker.seconds
        until = now() + left
        while True:
            self.guard(datasource.source).require()
            try:
                return await self._flights.join(key, work, left)
            except OutOfTime as error:
                if error.has_begun:
                    raise self._too_long() from None
                why = f"and none became free in {asker.seconds:.3g} s"
                raise self._places.overloaded(why) from None
            except QueryTimeout:
                left = until - now()
                if left < _WORTH:
                    raise

    async def _fly(
        self,
        datasource: Datasource,
        expected: Schema | None,
        slices: Sequence[Slice],
        user: str,
        flight: Flight[SharedRows],
    ) -> SharedRows:
        guard = self.guard(datasource.source)
        # As long as anybody waits for it, who all have deadlines of their own.
        async with self._places.place(user, math.inf):
            flight.has_begun = True
            began = time.monotonic()
            async with guard.watch(self._seconds + GRACE, self._seconds):
                try:
                    found = await self._read(datasource, expected, slices)
                except SourceUnavailable as error:
                    if error.is_unreachable or time.monotonic() - began < self._seconds:
                        raise
                    raise self._too_long() from error  # the database has stopped it
        self._schemas[datasource.id] = found.schema
        return found

    def _too_long(self) -> QueryTimeout:
        return QueryTimeout.at("reading the database", self._seconds)

    async def _read(
        self, datasource: Datasource, expected: Schema | None, slices: Sequence[Slice]
    ) -> SharedRows:
        """Read, in another transaction if the first breaks off soon."""
        for remaining in reversed(range(TRIES)):
            began = time.monotonic()
            try:
                return await self._read_once(datasource, expected, slices)
            except SourceUnavailable:
                if not remaining or time.monotonic() - began > SOON:
                    raise
            await asyncio.sleep(random.uniform(0, _JITTER))  # noqa: S311 (no secret)
        raise AssertionError

    async def _read_once(
        self, datasource: Datasource, expected: Schema | None, slices: Sequence[Slice]
    ) -> SharedRows:
        source = self._sources[datasource.source]
        async with open_read(source, datasource, seconds=self._seconds, known=expected) as read:
            schema, as_of = read.schema, read.as_of
            if schema != expected:
                return SharedRows(schema, as_of, read.milliseconds, None)
            while True:
                rows = await self._fetch(read, slices)
                if read.schema == schema:  # no numeric has more digits than were known
                    return SharedRows(schema, as_of, read.milliseconds, rows)
                schema = read.schema

    async def _fetch(
        self, read: DatabaseRead, slices: Sequence[Slice]
    ) -> dict[Slice, Table | list[PartitionName]]:
        found: dict[Slice, Table | list[PartitionName]] = {}
        left = self._most_rows
        for each in slices:
            if each.partition is None:
                found[each] = await read.partitions(each.scope)
                continue
            table = await read.fetch(each.partition, each.scope, each.columns, left)
            left -= table.rows
            if left < 0:
                raise self._too_many()
            found[each] = table
        return found

    def _too_many(self) -> WarmcubeError:
        return LimitExceeded(
            "the cache can't answer now, and the database would have to give more than [limits] "
            f"fallback_rows = {self._most_rows:,} rows for that; ask for less, or again when the "
            "cache answers"
        )
