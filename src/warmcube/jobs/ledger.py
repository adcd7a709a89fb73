"""The warms of each data source in the store: at most one that is alive, and the last fifty."""

from __future__ import annotations

from typing import ClassVar, Final

from warmcube.entry.keys import Keys
from warmcube.errors import InProgress, WarmInProgress, WarmOutrun
from warmcube.jobs.job import ASKED, Job, JobState, unpack_job
from warmcube.jobs.records import ALIVE_SECONDS, RecordKeys, Records, Seen, new_id
from warmcube.warm.lease import busy, holder_of, this_process
from warmcube.warm.refresh import Refresh

__all__ = ["ALIVE_SECONDS", "MOST_JOBS", "Ledger", "Seen"]

MOST_JOBS: Final = 50


class Ledger(Records[Job]):
    """The warms, whoever asked for them. See `Records`."""

    most: ClassVar[int] = MOST_JOBS
    listed_at: ClassVar[str] = "/api/admin/analytics/cache/warming/status"
    doing: ClassVar[str] = "warmed"
    in_progress: ClassVar[type[InProgress]] = WarmInProgress

    async def start(
        self,
        datasource: int,
        *,
        actor: str,
        forced: bool = False,
        reason: str = ASKED,
        refresh: Refresh | None = None,
        state: JobState = JobState.QUEUED,
        after: Seen | None = None,
    ) -> Job:
        """Record a new job; of several who try at once, one succeeds.

        Args:
            datasource: its id.
            actor: who asks for it.
            forced: whether to publish although most rows are gone.
            reason: why it is begun.
            refresh: what to read anew; None for the whole table.
            state: queued, unless whoever calls does the work at once.
            after: what was seen by whoever decided that this shall be done; None for whoever
                doesn't mind what has happened since.

        Raises:
            WarmOutrun: something has happened since.
            WarmInProgress: the data source is being warmed, or about to be.
            StoreError: the store.
        """
        now = await self.now_ms()
        job = Job(
            id=new_id(datasource),
            datasource=datasource,
            actor=actor,
            process=this_process(),
            forced=forced,
            reason=reason,
            refresh=refresh,
            state=state,
            queued_ms=now,
            started_ms=now if state is JobState.RUNNING else None,
            updated_ms=now,
        )
        lease = Keys(self._namespace, datasource).lock
        outcome, *facts = await self._begin(job, lease, after)
        if outcome == b"since":
            raise WarmOutrun(
                f"data source {datasource} was warmed, invalidated or begun to be warmed by "
                "somebody else meanwhile; look again"
            )
        if outcome == b"job":
            raise self._taken(datasource, *facts)
        if outcome == b"lock":
            raise busy(datasource, *facts)
        return job

    async def holder(self, datasource: int) -> str | None:
        """Who holds the lease of a data source, job or not; None if nobody does."""
        (lock,) = await self._store.run([(b"GET", Keys(self._namespace, datasource).lock)])
        return None if lock is None else holder_of(lock)

    def taken_over(self, job: Job) -> WarmInProgress:
        """See `Records`."""
        return WarmInProgress(
            f"data source {job.datasource} has got another job, since this one gave no sign for "
            "too long; wait for that one"
        )

    def _own(self, keys: Keys) -> RecordKeys:
        return RecordKeys(keys.job, keys.jobs, keys.jobs_order)

    def _unpack(self, stored: bytes) -> Job:
        return unpack_job(stored)
