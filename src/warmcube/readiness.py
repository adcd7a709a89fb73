"""Whether a process can answer, and which of its parts can't.

What is told is for anybody: fixed words, no addresses, no names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from warmcube.audit.trail import Trail
from warmcube.directory.authoriser import Authoriser
from warmcube.errors import (
    AccessDenied,
    Damage,
    DirectoryError,
    SourceError,
    SourceUnavailable,
    StoreError,
)
from warmcube.model.schema import Datasource
from warmcube.observe.recent import Recent
from warmcube.query.snapshots import Snapshots
from warmcube.source.api import Source
from warmcube.store.api import Store

__all__ = ["Part", "Readiness"]

_KEPT_SECONDS: Final = 1.0
_STORE_SECONDS: Final = 1.0
_SOURCE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes:
        name: ``store``, ``directory``, ``database`` or ``audit``.
        is_ready: whether it does what is needed of it.
        why: what is wrong with it; may be something that doesn't keep it from being ready.
    """

    name: str
    is_ready: bool = True
    why: str | None = None


class Readiness:
    """Looks at all parts at most once a second, however many ask.

    The database is needed, and looked at, only where a data source can't be answered from the
    store.

    Args:
        store: needed unless the cache is disabled.
        snapshots: tell which data sources are warm.
        datasources: the configured ones.
        sources: by name.
        authoriser: whose directory it is.
        trail: which writes the audit.
        is_enabled: whether the cache answers at all.
        is_audit_required: no audit, no answer.
    """

    def __init__(
        self,
        *,
        store: Store,
        snapshots: Snapshots,
        datasources: Iterable[Datasource],
        sources: Mapping[str, Source],
        authoriser: Authoriser,
        trail: Trail,
        is_enabled: bool,
        is_audit_required: bool,
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._datasources = tuple(datasources)
        self._sources = sources
        self._authoriser = authoriser
        self._trail = trail
        self._is_enabled = is_enabled
        self._is_audit_required = is_audit_required
        self._parts = Recent(self._look, _KEPT_SECONDS)

    async def parts(self) -> tuple[Part, ...]:
        """All parts, as they were at most a second ago."""
        return await self._parts.get()

    async def _look(self) -> tuple[Part, ...]:
        return tuple(
            await asyncio.gather(
                self._look_at_store(),
                self._look_at_directory(),
                self._look_at_database(),
                self._look_at_audit(),
            )
        )

    async def _look_at_store(self) -> Part:
        if not self._is_enabled:
            return Part("store", why="the cache is disabled")
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store.now_ms()
        except (StoreError, TimeoutError):
            return Part("store", is_ready=False, why="it can't be reached")
        return Part("store")

    async def _look_at_directory(self) -> Part:
        try:
            await self._authoriser.directory()
        except (DirectoryError, AccessDenied):
            return Part("directory", is_ready=False, why="it can't be read")
        if self._authoriser.trouble is not None:
            return Part("directory", why="it has defects, or couldn't be read lately")
        return Part("directory")

    async def _look_at_database(self) -> Part:
        cold = [each for each in self._datasources if not await self._is_warm(each)]
        needed = {each.source: each for each in cold}
        for name, datasource in needed.items():
            try:
                async with asyncio.timeout(_SOURCE_SECONDS):
                    await self._sources[name].describe(datasource.table)
            except (SourceUnavailable, TimeoutError):
                why = "it can't be reached, and not everything can be answered from the store"
                return Part("database", is_ready=False, why=why)
            except SourceError:
                return Part("database", why="it lacks a table that is configured")
        return Part("database", why=None if needed else "it isn't needed at present")

    async def _is_warm(self, datasource: Datasource) -> bool:
        if not self._is_enabled:
            return False
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                return await self._snapshots.load(datasource) is not None
        except (StoreError, Damage, TimeoutError):
            return False

    async def _look_at_audit(self) -> Part:
        await self._trail.retry()
        if self._trail.trouble is None:
            return Part("audit")
        why = "its sink takes nothing at present"
        return Part("audit", is_ready=not self._is_audit_required, why=why)
