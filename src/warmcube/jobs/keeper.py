"""Writing down a running job: how far it is, that it is alive, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from warmcube.errors import StoreError
from warmcube.jobs.job import JobState, Record, failure_of
from warmcube.jobs.records import Records
from warmcube.warm.lease import this_process

__all__ = ["Keeper"]

R = TypeVar("R", bound=Record)

PACE_SECONDS: Final = 0.1
"""Between two writes, at least."""

_END_SECONDS: Final = 10.0


class Keeper(Generic[R]):
    """Records one job, for as long as it is entered as an asynchronous context manager.

    What it is told is written in the background, a few times a second at most, so that the job
    never waits for it and doesn't fail with it. Leaving it writes how the job ended.

    Args:
        records: where to.
        job: already there, queued or running.

    Raises:
        WarmcubeError: on entering, if another job has taken its place meanwhile.
        StoreError: on entering.
    """

    def __init__(self, records: Records[R], job: R) -> None:
        self._records = records
        self._job = job
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._offset_ms = 0.0
        self._report: Mapping[str, Any] | None = None

    async def __aenter__(self) -> Self:
        self._offset_ms = await self._records.now_ms() - time.monotonic() * 1000
        self._job = self._job.changed(
            state=JobState.RUNNING,
            process=this_process(),
            started_ms=self._job.started_ms or self.now_ms(),
            updated_ms=self.now_ms(),
        )
        if not await self._records.write(self._job):
            error = self._records.taken_over(self._job)
            await self._end(error)
            raise error
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.shield(self._end(error))

    def now_ms(self) -> int:
        """The records' clock."""
        return int(self._offset_ms + time.monotonic() * 1000)

    def note(self, **changes: Any) -> None:
        """Take note of where the job is."""
        self._job = self._job.changed(**changes)
        self._news.set()

    def note_report(self, report: Mapping[str, Any]) -> None:
        """Take note of what the job did; without it, leaving counts as a failure."""
        self._report = report

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._records.beat_seconds):
                    await self._news.wait()
            self._news.clear()
            with contextlib.suppress(StoreError):  # the job itself will notice
                await self._write(updated_ms=self.now_ms())
            await asyncio.sleep(PACE_SECONDS)

    async def _write(self, **changes: Any) -> None:
        self._job = self._job.changed(**changes)
        await self._records.write(self._job)

    async def _end(self, error: BaseException | None) -> None:
        now = self.now_ms()
        changes: dict[str, Any] = {"updated_ms": now, "ended_ms": now, "eta_seconds": None}
        if self._report is not None:
            changes |= {"state": JobState.DONE, "done": 1.0, "report": self._report}
        else:
            failure = failure_of(asyncio.CancelledError() if error is None else error)
            changes |= {"state": JobState.FAILED, "failure": failure}
        with contextlib.suppress(StoreError, TimeoutError):  # it will be seen as abandoned
            async with asyncio.timeout(_END_SECONDS):
                await self._write(**changes)
