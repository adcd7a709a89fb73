"""Warming and invalidating, with all that is told of it: the job, the audit, the figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from warmcube.audit.events import Invalidated, SnapshotSteered, Warmed
from warmcube.audit.trail import Trail
from warmcube.entry.keys import Keys
from warmcube.errors import WarmcubeError
from warmcube.jobs.job import ASKED, Job, JobState
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.recorder import Recorder
from warmcube.model.schema import Datasource
from warmcube.observe.observer import Observer
from warmcube.source.api import Source
from warmcube.store.api import Store
from warmcube.warm.invalidate import Invalidation, invalidate
from warmcube.warm.refresh import Refresh
from warmcube.warm.report import ProgressCallback, WarmReport
from warmcube.warm.steer import Steered, Steering, disable, enable, rollback, unpin
from warmcube.warm.warmer import Warmer

__all__ = ["Upkeep"]


class Upkeep:
    """What changes the live snapshots.

    Args:
        warmer: the only way from a table to a snapshot.
        sources: the databases, by name.
        store: of the snapshots.
        namespace: of their keys.
        jobs: where every warm is recorded.
        trail: has it written who did what.
        observer: told how warms went.
        forget: called with a data source of which this process must know nothing any more.
    """

    def __init__(
        self,
        *,
        warmer: Warmer,
        sources: Mapping[str, Source],
        store: Store,
        namespace: str,
        jobs: Ledger,
        trail: Trail,
        observer: Observer,
        forget: Callable[[int], None],
    ) -> None:
        self._warmer = warmer
        self._sources = sources
        self._store = store
        self._namespace = namespace
        self._jobs = jobs
        self._trail = trail
        self._observer = observer
        self._forget = forget

    async def warm(
        self,
        datasource: Datasource,
        *,
        actor: str,
        force: bool = False,
        refresh: Refresh | None = None,
        progress: ProgressCallback | None = None,
        job: Job | None = None,
    ) -> WarmReport:
        """Read a data source's table and publish it as the live snapshot.

        Args:
            datasource: which one.
            actor: who asks for it, where no job says so.
            force: publish although most rows are gone.
            refresh: what to read anew; None for everything. A job says for itself.
            progress: told as it happens.
            job: the one that asks for it; None for a new one.

        Raises:
            WarmInProgress: somebody else is warming it.
            WarmError: it did not publish; the old snapshot goes on serving.
            SourceError: the database.
            StoreError: the store.
        """
        started = time.monotonic()
        actor = actor if job is None else job.actor
        refresh = refresh if job is None else job.refresh
        warmed = partial(
            Warmed,
            actor=actor,
            datasource=datasource.id,
            forced=force,
            why=ASKED if job is None else job.reason,
        )
        try:
            if job is None:
                job = await self._jobs.start(
                    datasource.id,
                    actor=actor,
                    forced=force,
                    refresh=refresh,
                    state=JobState.RUNNING,
                )
            async with Recorder(self._jobs, job, progress) as recorder:
                source = self._sources[datasource.source]
                report = await self._warmer.warm(
                    datasource,
                    source,
                    force=force,
                    refresh=refresh,
                    progress=recorder.tell,
                    is_automatic=job.reason != ASKED,
                )
                recorder.finish(report)
        except (WarmcubeError, asyncio.CancelledError) as error:
            self._trail.note(warmed(outcome="failed", error=type(error).__name__))
            self._observer.warmed(datasource.id, None, time.monotonic() - started)
            raise
        self._observer.warmed(datasource.id, report.phases, report.seconds)
        self._trail.note(
            warmed(
                outcome="done",
                snapshot=report.snapshot,
                rows=report.rows,
                entries=report.entries,
                seconds=report.seconds,
            )
        )
        self._forget(datasource.id)
        return report

    def observe(self, job: Job) -> None:
        """Count a warm that another process has done for this one."""
        report = job.report or {}
        seconds = (job.updated_ms - (job.started_ms or job.updated_ms)) / 1000
        self._observer.warmed(job.datasource, report.get("phases"), report.get("seconds", seconds))

    async def rollback(self, datasource: Datasource, actor: str) -> Steered:
        """Serve the snapshot before the live one again, and pin the data source.

        Raises:
            RollbackRefused: there is none that can be served.
            StoreError: the store.
        """
        clearing = self._warmer.clearing(Keys(self._namespace, datasource.id))
        done = rollback(clearing, datasource, actor)
        return await self._steer("rollback", datasource, actor, done)

    async def disable(self, datasource: Datasource, actor: str) -> Steered:
        """Have the database answer everything of a data source, in every process.

        Raises:
            StoreError: the store.
        """
        keys = Keys(self._namespace, datasource.id)
        done = disable(self._store, keys, self._warmer.seal, actor)
        return await self._steer("disable", datasource, actor, done)

    async def enable(self, datasource: Datasource, actor: str) -> Steered:
        """Serve the snapshot that lies behind the switch, if it still can be.

        Raises:
            StoreError: the store.
        """
        keys = Keys(self._namespace, datasource.id)
        done = enable(self._store, keys, self._warmer.seal, datasource, actor)
        return await self._steer("enable", datasource, actor, done)

    async def unpin(self, datasource: Datasource, actor: str) -> Steered:
        """Let a data source be warmed again without anybody's asking.

        Raises:
            StoreError: the store.
        """
        keys = Keys(self._namespace, datasource.id)
        done = unpin(self._store, keys, self._warmer.seal, actor)
        return await self._steer("unpin", datasource, actor, done)

    async def _steer(
        self,
        action: Steering,
        datasource: Datasource,
        actor: str,
        done: Coroutine[Any, Any, Steered],
    ) -> Steered:
        """Wait for it, have it audited, and know nothing of what was live."""
        event = partial(SnapshotSteered, actor=actor, datasource=datasource.id, action=action)
        try:
            outcome = await done
        except (WarmcubeError, asyncio.CancelledError) as error:
            self._trail.note(event(outcome="failed", error=type(error).__name__))
            self._forget(datasource.id)  # it may have been done
            raise
        self._trail.note(event(outcome="done", changed=outcome.changed, snapshot=outcome.snapshot))
        self._forget(datasource.id)
        return outcome

    async def invalidate(self, datasource: Datasource, actor: str) -> Invalidation:
        """Take a data source's snapshot away: at once for readers, then from the store.

        Raises:
            StoreError: the store.
        """
        invalidated = partial(Invalidated, actor=actor, datasource=datasource.id)
        try:
            clearing = self._warmer.clearing(Keys(self._namespace, datasource.id))
            outcome = await invalidate(clearing, actor)
        except (WarmcubeError, asyncio.CancelledError) as error:
            self._trail.note(invalidated(outcome="failed", error=type(error).__name__))
            raise
        self._trail.note(invalidated(outcome="done", was_live=outcome.was_live, keys=outcome.keys))
        self._forget(datasource.id)
        return outcome
