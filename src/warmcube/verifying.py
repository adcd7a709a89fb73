"""Verifying, with all that is told of it: the job and the figures.

Its audit, and damage to be repaired, are told by `warmcube.compare.verifier` itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any, Final

from warmcube.compare.report import Stage, VerifyProgress, VerifyReport
from warmcube.compare.verifier import MOST_SAMPLE, Verifier
from warmcube.errors import InvalidQuery, NothingToVerify, StoreError, VerifyInProgress
from warmcube.jobs.job import STOPPED, JobState
from warmcube.jobs.keeper import Keeper
from warmcube.jobs.verification import Verification, bounded_report
from warmcube.jobs.verifications import Verifications
from warmcube.model.schema import Datasource
from warmcube.observe.observer import Observer
from warmcube.observe.verified import FAILED, Verified

__all__ = ["Verifying"]

_SHARES: Final = {Stage.DATABASE: (0.0, 0.5), Stage.SLICES: (0.5, 0.6), Stage.CACHE: (0.6, 1.0)}
"""Where each stage begins and ends, as it is for tables of a million rows."""

_LEAST: Final = 0.06
"""Below that share a pace says nothing."""

_SECONDS: Final = 5.0
_NO_NEWS: Final = (STOPPED, NothingToVerify.__name__)
"""Failures that say nothing of a snapshot, so that what is known of it stays."""


class Verifying:
    """Verifies snapshots, and has everybody know what came of it.

    A record that can't be written keeps nobody from verifying: a store that takes no writes is
    one of the reasons to look.

    Args:
        verifier: compares them with their databases.
        jobs: where every verification is recorded.
        observer: told how they went.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        jobs: Verifications,
        observer: Observer,
    ) -> None:
        self._verifier = verifier
        self._jobs = jobs
        self._observer = observer

    async def verify(
        self,
        datasource: Datasource,
        *,
        actor: str,
        sample: int,
        seed: int,
        progress: VerifyProgress | None = None,
        job: Verification | None = None,
    ) -> VerifyReport:
        """Compare the live snapshot with its database, and prove it by itself.

        Args:
            datasource: which one.
            actor: who asks for it, where no job says so.
            sample: how many slices are compared row by row; a job says for itself.
            seed: what they are drawn with, likewise.
            progress: told as it goes, from the event loop.
            job: the one that asks for it; None for a new one.

        Raises:
            InvalidQuery: the sample can't be one.
            VerifyInProgress: somebody else is verifying it.
            NothingToVerify: nothing is live; what is known of the last one stays.
            VerifyError: what is live is never the same for long enough.
            Damage: the manifest isn't whole.
            SourceError: the database, and the cache by itself is whole.
            StoreError: the store.
        """
        if not 0 <= sample <= MOST_SAMPLE:
            raise InvalidQuery(f"sample is {sample}; expected slices from 0 to {MOST_SAMPLE:,}")
        if job is None:
            job = await self._begin(datasource, actor, sample, seed)
        else:
            actor, sample, seed = job.actor, job.sample, job.seed
        began = time.monotonic()
        keeper = None if job is None else Keeper(self._jobs, job)
        try:
            async with _entered(keeper) as writing:
                told = _Told(writing, progress)
                report = await self._verifier.verify(
                    datasource, actor=actor, sample=sample, seed=seed, progress=told
                )
                if writing is not None:
                    writing.note_report(bounded_report(asdict(report)))
        except VerifyInProgress:
            raise
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, NothingToVerify):
                await self._note(datasource.id, FAILED, None)
            self._observer.verified(datasource.id, FAILED, time.monotonic() - began)
            raise
        await self._note(datasource.id, report.verdict.value, report.snapshot)
        self._observer.verified(datasource.id, report.verdict.value, report.seconds)
        return report

    async def observe(self, job: Verification) -> None:
        """Count a verification that another process has done for this one.

        If that was killed or broke, nobody knows yet that it came to no verdict.
        """
        report = job.report or {}
        seconds = (job.updated_ms - (job.started_ms or job.updated_ms)) / 1000
        self._observer.verified(
            job.datasource, report.get("verdict", FAILED), report.get("seconds", seconds)
        )
        if job.failure is not None and job.failure.kind not in _NO_NEWS:
            with contextlib.suppress(StoreError):
                newest = await self._jobs.newest(job.datasource)
                if newest is None or newest.id == job.id:
                    await self._note(job.datasource, FAILED, None)

    async def _begin(
        self, datasource: Datasource, actor: str, sample: int, seed: int
    ) -> Verification | None:
        try:
            return await self._jobs.start(
                datasource.id, actor=actor, sample=sample, seed=seed, state=JobState.RUNNING
            )
        except StoreError:
            return None

    async def _note(self, datasource: int, verdict: str, snapshot: str | None) -> None:
        with contextlib.suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_SECONDS):
                at_ms = await self._jobs.now_ms()
                await self._jobs.note(
                    datasource, Verified(at_ms=at_ms, verdict=verdict, snapshot=snapshot)
                )


class _Told:
    """Passes on how far a verification is, and has it written down.

    Args:
        keeper: writes it.
        progress: told likewise.
    """

    def __init__(
        self, keeper: Keeper[Verification] | None, progress: VerifyProgress | None
    ) -> None:
        self._keeper = keeper
        self._progress = progress
        self._began = time.monotonic()
        self._done = 0.0

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        if self._progress is not None:
            self._progress(stage, done, total)
        if self._keeper is None:
            return
        begin, end = _SHARES[stage]
        within = min(1.0, done / total) if total else 0.0
        self._done = max(self._done, round(begin + (end - begin) * within, 4))
        rows: dict[str, Any] = {}
        if stage is not Stage.SLICES:
            rows = {"rows": done, "total_rows": total}
        self._keeper.note(phase=stage.value, done=self._done, eta_seconds=self._remaining(), **rows)

    def _remaining(self) -> float | None:
        if self._done < _LEAST:
            return None
        return round((time.monotonic() - self._began) * (1 - self._done) / self._done, 1)


@contextlib.asynccontextmanager
async def _entered(
    keeper: Keeper[Verification] | None,
) -> AsyncIterator[Keeper[Verification] | None]:
    """Have it written down, if that can be done."""
    async with contextlib.AsyncExitStack() as stack:
        if keeper is not None:
            try:
                await stack.enter_async_context(keeper)
            except StoreError:
                keeper = None
        yield keeper
