"""Writing down a running warm: how far it is, that it is alive, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self

from warmcube.errors import StoreError, WarmInProgress
from warmcube.jobs.job import Job, JobState, failure_of
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.share import remaining_seconds, share_of
from warmcube.warm.lease import this_process
from warmcube.warm.report import Progress, ProgressCallback, WarmReport

__all__ = ["Recorder"]

PACE_SECONDS: Final = 0.1
"""Between two writes, at least."""

_END_SECONDS: Final = 10.0


class Recorder:
    """Records one warm, for as long as it is entered as an asynchronous context manager.

    What it is told is written in the background, a few times a second at most, so that the warm
    never waits for it and doesn't fail with it. Leaving it writes how the warm ended.

    Args:
        ledger: where to.
        job: already there, queued or running.
        told: told likewise.

    Raises:
        WarmInProgress: on entering, if another job has taken its place meanwhile.
        StoreError: on entering.
    """

    def __init__(self, ledger: Ledger, job: Job, told: ProgressCallback | None = None) -> None:
        self._ledger = ledger
        self._job = job
        self._told = told
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._offset_ms = 0.0
        self._report: WarmReport | None = None

    async def __aenter__(self) -> Self:
        self._offset_ms = await self._ledger.now_ms() - time.monotonic() * 1000
        self._job = self._job.changed(
            state=JobState.RUNNING,
            process=this_process(),
            started_ms=self._job.started_ms or self._now_ms(),
            updated_ms=self._now_ms(),
        )
        if not await self._ledger.write(self._job):
            error = WarmInProgress(
                f"data source {self._job.datasource} has got another job, since this one gave no "
                "sign for too long; wait for that one"
            )
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

    def tell(self, progress: Progress) -> None:
        """Take note of where the warm is."""
        if self._told is not None:
            self._told(progress)
        self._job = self._job.changed(
            phase=progress.phase.value,
            done=max(self._job.done, share_of(progress)),
            rows=progress.rows,
            total_rows=progress.total_rows,
            entries=progress.entries,
            bytes=progress.bytes,
            eta_seconds=remaining_seconds(progress),
        )
        self._news.set()

    def finish(self, report: WarmReport) -> None:
        """Take note of what the warm did; without it, leaving counts as a failure."""
        self._report = report

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ledger.beat_seconds):
                    await self._news.wait()
            self._news.clear()
            with contextlib.suppress(StoreError):  # the warm itself will notice
                await self._write(updated_ms=self._now_ms())
            await asyncio.sleep(PACE_SECONDS)

    async def _write(self, **changes: Any) -> None:
        self._job = self._job.changed(**changes)
        await self._ledger.write(self._job)

    async def _end(self, error: BaseException | None) -> None:
        now = self._now_ms()
        changes: dict[str, Any] = {"updated_ms": now, "ended_ms": now, "eta_seconds": None}
        if self._report is not None:
            changes |= {"state": JobState.DONE, "done": 1.0, "report": asdict(self._report)}
        else:
            failure = failure_of(asyncio.CancelledError() if error is None else error)
            changes |= {"state": JobState.FAILED, "failure": failure}
        with contextlib.suppress(StoreError, TimeoutError):  # it will be seen as abandoned
            async with asyncio.timeout(_END_SECONDS):
                await self._write(**changes)

    def _now_ms(self) -> int:
        return int(self._offset_ms + time.monotonic() * 1000)
