"""The jobs of each data source in the store: at most one that is alive, and the last fifty."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.errors import Damage, UnknownJob, WarmInProgress, WarmOutrun
from warmcube.jobs.job import ASKED, Job, JobState, datasource_of_job, pack_job, unpack_job
from warmcube.store.api import Store
from warmcube.warm.lease import busy, holder_of, this_process
from warmcube.warm.refresh import Refresh

__all__ = ["ALIVE_SECONDS", "MOST_JOBS", "Ledger", "Seen"]

ALIVE_SECONDS: Final = 10.0
"""A job whose process has given no sign for so long is abandoned."""

MOST_JOBS: Final = 50
_KEEP_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What somebody saw of a data source who then decides to warm it.

    Attributes:
        current: what its pointer held; None if there was none.
        newest: the id of its newest job; None if there was none.
    """

    current: bytes | None
    newest: bytes | None


class Ledger:
    """Starts, updates and lists jobs; every process sees the same.

    Args:
        store: where they are.
        namespace: in front of every key.
        alive_seconds: how long a job counts as alive after each sign of its process.
    """

    def __init__(
        self, store: Store, namespace: str, *, alive_seconds: float = ALIVE_SECONDS
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._alive_ms = int(alive_seconds * 1000)

    @property
    def beat_seconds(self) -> float:
        """How often a job's process has to give a sign."""
        return self._alive_ms / 5000

    async def now_ms(self) -> int:
        """The clock that all times of jobs come from."""
        return await self._store.now_ms()

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
        keys = self._keys(datasource)
        now = await self._store.now_ms()
        job = Job(
            id=f"{datasource}-{secrets.token_hex(8)}",
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
        outcome, *facts = await self._store.script(
            "job_start",
            [keys.job, keys.lock, keys.jobs, keys.jobs_order, keys.current],
            [
                *(job.id.encode(), pack_job(job), self._alive_ms, _KEEP_MS, MOST_JOBS),
                *(() if after is None else (after.current or b"", after.newest or b"")),
            ],
        )
        if outcome == b"since":
            raise WarmOutrun(
                f"data source {datasource} was warmed, invalidated or begun to be warmed by "
                "somebody else meanwhile; look again"
            )
        if outcome == b"job":
            raise _taken(datasource, *facts)
        if outcome == b"lock":
            raise busy(datasource, *facts)
        return job

    async def write(self, job: Job) -> bool:
        """Write how far a job is, which also says that it is alive, or that it has ended.

        Returns:
            whether it is the active job of its data source; False if another one is.
        """
        keys = self._keys(job.datasource)
        other = await self._store.script(
            "job_write",
            [keys.job, keys.jobs, keys.jobs_order],
            [
                job.id.encode(),
                pack_job(job),
                0 if job.state.has_ended else self._alive_ms,
                _KEEP_MS,
            ],
        )
        return other is None

    async def beat(self, job: Job, seconds: float | None = None) -> None:
        """Say that a job is alive, without news of it.

        Args:
            job: which one.
            seconds: for how long, if not as long as usual.
        """
        alive = self._alive_ms if seconds is None else int(seconds * 1000)
        await self._store.script(
            "job_beat", [self._keys(job.datasource).job], [job.id.encode(), alive]
        )

    async def last(self, datasource: int) -> tuple[Job, ...]:
        """The last jobs of a data source, the newest first; of those that haven't ended, the dead
        ones as abandoned.
        """
        keys = self._keys(datasource)
        (order,) = await self._store.run([(b"LRANGE", keys.jobs_order, 0, MOST_JOBS - 1)])
        if not order:
            return ()
        # The active job is read first: one that ends meanwhile is then seen as ended.
        active, records = await self._store.run([(b"GET", keys.job), (b"HMGET", keys.jobs, *order)])
        found = (_seen(record, active) for record in records)
        return tuple(job for job in found if job is not None)

    async def find(self, id: str) -> Job:
        """One job.

        Raises:
            UnknownJob: there is none with this id.
        """
        datasource = datasource_of_job(id)
        job = None
        if datasource is not None:
            keys = self._keys(datasource)
            active, stored = await self._store.run(
                [(b"GET", keys.job), (b"HGET", keys.jobs, id.encode())]
            )
            job = _seen(stored, active)
        if job is None:
            raise UnknownJob(
                f"there is no job {id[:40]!r}; GET /api/admin/analytics/cache/warming/status "
                f"lists the last {MOST_JOBS} of each data source"
            )
        return job

    async def holder(self, datasource: int) -> str | None:
        """Who holds the lease of a data source, job or not; None if nobody does."""
        (lock,) = await self._store.run([(b"GET", self._keys(datasource).lock)])
        return None if lock is None else holder_of(lock)

    def _keys(self, datasource: int) -> Keys:
        return Keys(self._namespace, datasource)


def _seen(stored: bytes | None, active: bytes | None) -> Job | None:
    """A record as whoever reads it now has to see it; None if it is gone or can't be read."""
    if stored is None:
        return None
    with contextlib.suppress(Damage):
        job = unpack_job(stored)
        if job.state.has_ended or active == job.id.encode():
            return job
        return replace(job, state=JobState.ABANDONED, revision=job.revision + 1, eta_seconds=None)
    return None


def _taken(datasource: int, id: bytes, stored: bytes) -> WarmInProgress:
    """The error for whoever finds another job active."""
    job = _seen(stored, id) if stored else None
    name = id.decode("ascii", "replace")
    if job is None:
        return WarmInProgress(
            f"data source {datasource} is being warmed by job {name}; wait for it", job=name
        )
    since = datetime.fromtimestamp((job.started_ms or job.queued_ms) / 1000, UTC)
    return WarmInProgress(
        f"data source {datasource} is being warmed by {job.actor} ({job.process}) since "
        f"{since:%H:%M:%S UTC}, as job {name}; wait for it",
        by=job.actor,
        since=since.isoformat(timespec="milliseconds"),
        job=name,
        retry_after=max(1.0, job.eta_seconds or 1.0),
    )
