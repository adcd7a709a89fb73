"""Repairs where no worker is alive: by the service, in a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from warmcube.engine import AnalyticsCache
from warmcube.errors import Overloaded, StoreError, WarmInProgress, WarmOutrun
from warmcube.jobs.workers import Workers
from warmcube.service.warming import Warming
from warmcube.worker.look import Look, Looker
from warmcube.worker.schedule import Reason, plan_of
from warmcube.worker.worker import policies_of

__all__ = ["Repairs", "keep_repaired"]

_LOG: Final = logging.getLogger("warmcube")
LOOK_SECONDS: Final = 10.0
"""How often it is looked whether others have met damage; what this process meets is seen at once.
"""


class Repairs:
    """Has repaired what is damaged, unless a worker will.

    All processes of a service may do so, and several services: one of them begins.

    Args:
        cache: open.
        warming: starts the process.
    """

    def __init__(self, cache: AnalyticsCache, warming: Warming) -> None:
        settings = cache.settings
        namespace = settings.store.namespace
        self._cache = cache
        self._warming = warming
        self._policies = policies_of(settings)
        self._looker = Looker(cache.store, namespace, cache.seal, cache.jobs)
        self._workers = Workers(cache.store, namespace)
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Look now and then, and whenever this process has met damage; until cancelled."""
        self._cache.damage.heard = lambda _datasource: self._news.set()
        while True:
            try:
                await self.look()
            except StoreError:
                pass  # nobody could warm now anyway
            except Exception:  # noqa: BLE001 - whatever it is, it is looked again
                _LOG.exception("damage can't be looked for")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
            self._news.clear()

    async def look(self) -> None:
        """Begin what repairs are due.

        Raises:
            StoreError: the store.
        """
        looks = await self._looker.look(self._cache.datasources)
        due = [
            (number, look)
            for number, look in looks.items()
            if isinstance(look, Look)
            and not look.is_busy
            and (plan := plan_of(look.facts, self._policies[number])).reason is Reason.DAMAGE
            and plan.is_due(look.facts.now_ms)
        ]
        if not due:
            return
        looked_after = {each for card in await self._workers.alive() for each in card.datasources}
        for number, look in due:
            if number in looked_after:
                continue
            with contextlib.suppress(WarmInProgress, WarmOutrun, Overloaded):
                job = await self._warming.start(
                    number,
                    actor="service",
                    reason=Reason.DAMAGE,
                    refresh=look.repair,
                    after=look.seen,
                )
                _LOG.warning("data source %s is damaged, and repaired by job %s", number, job.id)


@asynccontextmanager
async def keep_repaired(cache: AnalyticsCache, warming: Warming) -> AsyncIterator[None]:
    """Have what is damaged repaired while the context lasts, where that is wanted."""
    if cache.settings.worker.repair != "auto":
        yield
        return
    task = asyncio.create_task(Repairs(cache, warming).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
