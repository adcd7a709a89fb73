"""Writing down a running warm: how far it is, that it is alive, and how it ended."""

from __future__ import annotations

from dataclasses import asdict

from warmcube.jobs.job import Job
from warmcube.jobs.keeper import Keeper
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.share import remaining_seconds, share_of
from warmcube.warm.report import Progress, ProgressCallback, WarmReport

__all__ = ["Recorder"]


class Recorder(Keeper[Job]):
    """Records one warm; see `Keeper`.

    Args:
        ledger: where to.
        job: already there, queued or running.
        told: told likewise.

    Raises:
        WarmInProgress: on entering, if another job has taken its place meanwhile.
        StoreError: on entering.
    """

    def __init__(self, ledger: Ledger, job: Job, told: ProgressCallback | None = None) -> None:
        super().__init__(ledger, job)
        self._told = told

    def tell(self, progress: Progress) -> None:
        """Take note of where the warm is."""
        if self._told is not None:
            self._told(progress)
        self.note(
            phase=progress.phase.value,
            done=max(self._job.done, share_of(progress)),
            rows=progress.rows,
            total_rows=progress.total_rows,
            entries=progress.entries,
            bytes=progress.bytes,
            eta_seconds=remaining_seconds(progress),
        )

    def finish(self, report: WarmReport) -> None:
        """Take note of what the warm did; without it, leaving counts as a failure."""
        self.note_report(asdict(report))
