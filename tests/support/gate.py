"""A source behind a gate, where whoever reads is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from warmcube.model.schema import Datasource, Schema
from warmcube.source.api import DescribedColumn, Source, SourceSnapshot

__all__ = ["Gate"]


class Gate:
    """A source that lets nobody read before it is opened, and counts who is inside.

    Attributes:
        open: whether they may read.
        inside: how many do, or wait for the gate.
        most: how many have at a time.
        opened: how many have in all.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.open = asyncio.Event()
        self.inside = self.most = self.opened = 0

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        """As the source."""
        return await self._source.describe(table)

    def snapshot(
        self,
        datasource: Datasource,
        *,
        time_limit: float | None = None,
        known: Schema | None = None,
    ) -> AbstractAsyncContextManager[SourceSnapshot]:
        """As the source, once the gate is open."""
        return self._snapshot(datasource, time_limit, known)

    @asynccontextmanager
    async def _snapshot(
        self, datasource: Datasource, time_limit: float | None, known: Schema | None
    ) -> AsyncIterator[SourceSnapshot]:
        self.inside += 1
        self.opened += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
            opened = self._source.snapshot(datasource, time_limit=time_limit, known=known)
            async with opened as snapshot:
                yield snapshot
        finally:
            self.inside -= 1

    async def ping(self) -> None:
        """As the source."""
        await self._source.ping()

    async def close(self) -> None:
        """As the source."""
        await self._source.close()
