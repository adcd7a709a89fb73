"""Running the jobs of a service: one at a time, each in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

from warmcube.config import Settings
from warmcube.config.handover import pack_settings
from warmcube.engine import AnalyticsCache
from warmcube.errors import Overloaded, StoreError, UnknownJob
from warmcube.jobs.job import JobFailure, JobState, Record, failure_of, pack_job
from warmcube.jobs.records import Records

__all__ = ["JOB_COMMAND", "JobProcesses"]

R = TypeVar("R", bound=Record)

_LOG: Final = logging.getLogger("warmcube")
JOB_COMMAND: Final = (sys.executable, "-P", "-m", "warmcube.service.job_process")
START_SECONDS: Final = 60.0
"""A process that gives no sign for so long after its start is dead."""

END_SECONDS: Final = 15.0
"""How long a process may take to end in order."""

HUNG_SECONDS: Final = 20.0
"""Of a job that is over or gives no sign, a process that is there for so long after that hangs."""

_SETTLE_SECONDS: Final = 2.0
"""How long the end of a process may take to be recorded."""

_FOR_WORK: Final = 0.6
"""Of the time that the service has to end, the share in which a job may still get done."""


class JobProcesses(ABC, Generic[R]):
    """The jobs of one kind that one process of a service has started and that aren't over.

    Those of a process wait for each other, so that warming everything doesn't take all cores and
    all memory at once; those of several processes don't.

    Args:
        settings: given to the processes, through a pipe.
        cache: open whenever this is used.
        command: what runs the process of a job; None for what does these jobs.
    """

    command: ClassVar[Sequence[str]] = JOB_COMMAND

    def __init__(
        self, settings: Settings, cache: AnalyticsCache, command: Sequence[str] | None = None
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._command = tuple(self.command if command is None else command)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work: asyncio.Task[None] | None = None
        self._working: asyncio.subprocess.Process | None = None
        self._is_closing = False

    @property
    @abstractmethod
    def _records(self) -> Records[R]:
        """Where these jobs are."""

    @abstractmethod
    async def _observe(self, job: R) -> None:
        """Count a job that its process has done, or hasn't."""

    def _check_open(self) -> None:
        """Begin nothing when the service ends.

        Raises:
            Overloaded: it is about to.
        """
        if self._is_closing:
            raise Overloaded("the service is about to end; ask again", retry_after=5.0)

    def _begin(self, job: R) -> None:
        """Have a job done that is recorded as queued."""
        task = asyncio.create_task(self._run(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def drain(self) -> None:
        """Start no job any more."""
        self._is_closing = True

    async def close(self, seconds: float) -> None:
        """End in order: what is queued at once; what runs when most of the time is over.

        Args:
            seconds: how long this may take, in all.
        """
        self._is_closing = True
        await asyncio.sleep(0)  # so that even the youngest task has begun, and records its end
        at_work = self._at_work
        for task in self._tasks:
            if task is not at_work:
                task.cancel()
        if at_work is not None:
            await asyncio.wait([at_work], timeout=seconds * _FOR_WORK)
            await _end(self._working, seconds * (1 - _FOR_WORK))
            await asyncio.wait([at_work], timeout=_SETTLE_SECONDS)
            at_work.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: R) -> None:
        try:
            beating = asyncio.create_task(self._beat(job))
            try:
                async with self._turn:
                    self._at_work = asyncio.current_task()
                    await _stop(beating)
                    await self._work(job)
            finally:
                if self._at_work is asyncio.current_task():
                    self._at_work = None
                await _stop(beating)  # a late sign of life would keep the next job out
        except asyncio.CancelledError as error:
            await self._close_record(job, JobState.FAILED, failure_of(error))
            raise
        except Exception as error:  # noqa: BLE001 - no job may stay as if it ran
            _LOG.exception("job %s", job.id)
            await self._settle(job, JobState.FAILED, failure_of(error))

    async def _beat(self, job: R) -> None:
        jobs = self._records
        while True:
            await asyncio.sleep(jobs.beat_seconds)
            with contextlib.suppress(StoreError):
                await jobs.beat(job)

    async def _work(self, job: R) -> None:
        with contextlib.suppress(StoreError):
            await self._records.beat(job, START_SECONDS)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is for the service, which drains
        )
        self._working = process
        hangs = asyncio.Event()
        watching = asyncio.create_task(self._watch(job, process, hangs))
        try:
            await process.communicate(pack_job(job) + b"\n" + pack_settings(self._settings))
        finally:
            self._working = None
            await _stop(watching)
            await _end(process)
        status = process.returncode or 0
        if status < 0:
            name = signal.Signals(-status).name
            failure = JobFailure("Killed", f"its process was ended by {name}; start it anew")
            if hangs.is_set():
                why = (
                    f"its process {process.pid} gave no sign any more and was ended; start it anew"
                )
                failure = JobFailure("Hung", why)
            await self._settle(job, JobState.ABANDONED, failure)
        else:
            failure = JobFailure(
                "Unrecorded",
                f"its process ended with status {status} and recorded nothing; its log, which is "
                "the service's, says why",
            )
            await self._settle(job, JobState.FAILED, failure)

    async def _watch(
        self, job: R, process: asyncio.subprocess.Process, hangs: asyncio.Event
    ) -> None:
        """End the process of a job that is over, or gives no sign, and that doesn't end itself.

        Others wait for their turn behind it, which would otherwise be for ever.
        """
        jobs, now = self._records, asyncio.get_running_loop().time
        since: float | None = None
        while since is None or now() - since < HUNG_SECONDS:
            await asyncio.sleep(jobs.beat_seconds)
            try:
                is_over = (await jobs.find(job.id)).state.has_ended
            except UnknownJob:
                is_over = False  # the store was emptied: what it does goes on, or fails of that
            except StoreError:
                continue
            since = (since or now()) if is_over else None
        _LOG.warning(
            "job %s: its process %d is over or gives no sign, and hangs; it is ended",
            job.id,
            process.pid,
        )
        hangs.set()
        await _end(process)

    async def _settle(self, job: R, state: JobState, failure: JobFailure) -> None:
        """Have the end of a job known, as recorded by its process or else as it is seen here."""
        ended = await self._close_record(job, state, failure)
        if ended is not None:
            await self._observe(ended)

    async def _close_record(self, job: R, state: JobState, failure: JobFailure) -> R | None:
        """Record the end of a job whose process didn't; how it ended, if the store tells."""
        jobs = self._records
        with contextlib.suppress(StoreError):
            now = await jobs.now_ms()
            with contextlib.suppress(UnknownJob):
                job = await jobs.find(job.id)
            is_recorded = job.state is not JobState.ABANDONED or job.failure is not None
            if job.state.has_ended and is_recorded:  # not only seen so, for want of a sign
                return job
            job = job.changed(
                state=state, failure=failure, updated_ms=now, ended_ms=now, eta_seconds=None
            )
            await jobs.write(job)
            return job
        return None


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _end(process: asyncio.subprocess.Process | None, seconds: float = END_SECONDS) -> None:
    """End a job's process, in order if it will."""
    if process is None or process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(seconds):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
