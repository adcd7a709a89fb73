"""Starting warms from a service."""

from __future__ import annotations

from warmcube.jobs.job import ASKED, Job
from warmcube.jobs.ledger import Ledger, Seen
from warmcube.service.job_processes import JobProcesses
from warmcube.warm.refresh import Refresh

__all__ = ["Warming"]


class Warming(JobProcesses[Job]):
    """The warms that one process of a service has started. See `JobProcesses`."""

    async def start(
        self,
        datasource: int,
        *,
        actor: str,
        force: bool = False,
        reason: str = ASKED,
        after: Seen | None = None,
        refresh: Refresh | None = None,
    ) -> Job:
        """Start a job, and return while it is queued.

        Args:
            datasource: its id.
            actor: who asks.
            force: publish although most rows are gone.
            reason: why.
            after: what was seen by whoever decided upon it.
            refresh: what to read anew; None for the whole table.

        Raises:
            WarmOutrun: what was seen isn't so any more.
            UnknownDatasource: none has this id.
            WarmInProgress: it is being warmed, by whomever.
            Overloaded: the service is about to end.
            StoreError: the store.
        """
        self._check_open()
        self._settings.datasource(datasource)
        job = await self._cache.jobs.start(
            datasource, actor=actor, forced=force, reason=reason, after=after, refresh=refresh
        )
        self._begin(job)
        return job

    @property
    def _records(self) -> Ledger:
        return self._cache.jobs

    async def _observe(self, job: Job) -> None:
        self._cache.observe_warm(job)
