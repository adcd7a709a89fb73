"""Records of jobs in the store: one at most is alive of each data source, and the last stay."""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar, Final, Generic, NamedTuple, TypeVar

from warmcube.entry.keys import Keys
from warmcube.errors import Damage, InProgress, UnknownJob
from warmcube.jobs.job import JobState, Record, datasource_of_job, pack_job
from warmcube.store.api import Reply, Store

__all__ = ["ALIVE_SECONDS", "RecordKeys", "Records", "Seen", "new_id", "since_of"]

R = TypeVar("R", bound=Record)

ALIVE_SECONDS: Final = 10.0
"""A job whose process has given no sign for so long is abandoned."""

_KEEP_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What somebody saw of a data source who then decides to begin a job.

    Attributes:
        current: what its pointer held; None if there was none.
        newest: the id of its newest job of that kind; None if there was none.
    """

    current: bytes | None
    newest: bytes | None


class RecordKeys(NamedTuple):
    """Where the jobs of one kind and data source are: the active one, all, and their order."""

    active: bytes
    records: bytes
    order: bytes


class Records(ABC, Generic[R]):
    """Starts, updates and lists the jobs of one kind; every process sees the same.

    Args:
        store: where they are.
        namespace: in front of every key.
        alive_seconds: how long a job counts as alive after each sign of its process.
    """

    most: ClassVar[int]
    """So many are kept of each data source."""

    listed_at: ClassVar[str]
    """Where a service lists them."""

    doing: ClassVar[str]
    """What is being done to a data source that has one."""

    in_progress: ClassVar[type[InProgress]]
    """The error for whoever finds another one active."""

    def __init__(
        self, store: Store, namespace: str, *, alive_seconds: float = ALIVE_SECONDS
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._alive_ms = int(alive_seconds * 1000)

    @abstractmethod
    def taken_over(self, job: R) -> Exception:
        """The error for whoever works on a job in whose place there is another one."""

    @abstractmethod
    def _own(self, keys: Keys) -> RecordKeys:
        """Where they are."""

    @abstractmethod
    def _unpack(self, stored: bytes) -> R:
        """What a record holds.

        Raises:
            Damage: it can't be read.
        """

    @property
    def beat_seconds(self) -> float:
        """How often a job's process has to give a sign."""
        return self._alive_ms / 5000

    async def now_ms(self) -> int:
        """The clock that all times of jobs come from."""
        return await self._store.now_ms()

    async def write(self, job: R) -> bool:
        """Write how far a job is, which also says that it is alive, or that it has ended.

        Returns:
            whether it is the active job of its data source; False if another one is.
        """
        other = await self._store.script(
            "job_write",
            list(self._of(job.datasource)),
            [
                job.id.encode(),
                pack_job(job),
                0 if job.state.has_ended else self._alive_ms,
                _KEEP_MS,
            ],
        )
        return other is None

    async def beat(self, job: R, seconds: float | None = None) -> None:
        """Say that a job is alive, without news of it.

        Args:
            job: which one.
            seconds: for how long, if not as long as usual.
        """
        alive = self._alive_ms if seconds is None else int(seconds * 1000)
        await self._store.script(
            "job_beat", [self._of(job.datasource).active], [job.id.encode(), alive]
        )

    async def last(self, datasource: int) -> tuple[R, ...]:
        """The last jobs of a data source, the newest first; of those that haven't ended, the dead
        ones as abandoned.
        """
        own = self._of(datasource)
        (order,) = await self._store.run([(b"LRANGE", own.order, 0, self.most - 1)])
        if not order:
            return ()
        # The active job is read first: one that ends meanwhile is then seen as ended.
        active, records = await self._store.run(
            [(b"GET", own.active), (b"HMGET", own.records, *order)]
        )
        found = (self._seen(record, active) for record in records)
        return tuple(job for job in found if job is not None)

    async def newest(self, datasource: int) -> R | None:
        """The newest job of a data source, as `last` has it; None if there is none."""
        own = self._of(datasource)
        (name,) = await self._store.run([(b"LINDEX", own.order, 0)])
        if name is None:
            return None
        active, stored = await self._store.run([(b"GET", own.active), (b"HGET", own.records, name)])
        return self._seen(stored, active)

    async def find(self, id: str) -> R:
        """One job.

        Raises:
            UnknownJob: there is none with this id.
        """
        datasource = datasource_of_job(id)
        job = None
        if datasource is not None:
            own = self._of(datasource)
            active, stored = await self._store.run(
                [(b"GET", own.active), (b"HGET", own.records, id.encode())]
            )
            job = self._seen(stored, active)
        if job is None:
            raise UnknownJob(
                f"there is no job {id[:40]!r}; GET {self.listed_at} lists the last {self.most} of "
                "each data source"
            )
        return job

    def _of(self, datasource: int) -> RecordKeys:
        return self._own(Keys(self._namespace, datasource))

    async def _begin(self, job: R, lease: bytes, after: Seen | None) -> Sequence[Reply]:
        """Record a new job, unless something stands against it; what ``job_start`` says."""
        own, keys = self._of(job.datasource), Keys(self._namespace, job.datasource)
        found: Sequence[Reply] = await self._store.script(
            "job_start",
            [own.active, lease, own.records, own.order, keys.current],
            [
                *(job.id.encode(), pack_job(job), self._alive_ms, _KEEP_MS, self.most),
                *(() if after is None else (after.current or b"", after.newest or b"")),
            ],
        )
        return found

    def _taken(self, datasource: int, id: bytes, stored: bytes) -> InProgress:
        """The error for whoever finds another one active, as ``job_start`` tells of it."""
        job = self._seen(stored, id) if stored else None
        name = id.decode("ascii", "replace")
        is_busy = f"data source {datasource} is being {self.doing} by"
        if job is None:
            return self.in_progress(f"{is_busy} job {name}; wait for it", job=name)
        since = since_of(job)
        return self.in_progress(
            f"{is_busy} {job.actor} ({job.process}) since {since:%H:%M:%S UTC}, as job {name}; "
            "wait for it",
            by=job.actor,
            since=since.isoformat(timespec="milliseconds"),
            job=name,
            retry_after=max(1.0, job.eta_seconds or 1.0),
        )

    def _seen(self, stored: bytes | None, active: bytes | None) -> R | None:
        """A record as whoever reads it now has to see it; None if it is gone or can't be read."""
        if stored is None:
            return None
        with contextlib.suppress(Damage):
            job = self._unpack(stored)
            if job.state.has_ended or active == job.id.encode():
                return job
            return replace(
                job, state=JobState.ABANDONED, revision=job.revision + 1, eta_seconds=None
            )
        return None


def new_id(datasource: int) -> str:
    """An id that was never used before."""
    return f"{datasource}-{secrets.token_hex(8)}"


def since_of(job: Record) -> datetime:
    """Since when somebody works on a job, or waits to."""
    return datetime.fromtimestamp((job.started_ms or job.queued_ms) / 1000, UTC)
