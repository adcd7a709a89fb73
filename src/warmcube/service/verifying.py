"""Starting verifications from a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from warmcube.jobs.verification import Verification
from warmcube.jobs.verifications import Verifications
from warmcube.service.job_processes import JOB_COMMAND, JobProcesses

__all__ = ["VerifyJobs"]


class VerifyJobs(JobProcesses[Verification]):
    """The verifications that one process of a service has started. See `JobProcesses`.

    They wait for each other, and for no warm, which is why they are apart.
    """

    command: ClassVar[Sequence[str]] = (*JOB_COMMAND, "verify")

    async def start(self, datasource: int, *, actor: str, sample: int, seed: int) -> Verification:
        """Start a verification, and return while it is queued.

        Args:
            datasource: its id.
            actor: who asks.
            sample: how many slices are compared row by row.
            seed: what they are drawn with.

        Raises:
            UnknownDatasource: none has this id.
            VerifyInProgress: it is being verified, by whomever.
            Overloaded: the service is about to end.
            StoreError: the store.
        """
        self._check_open()
        self._settings.datasource(datasource)
        job = await self._cache.verifications.start(
            datasource, actor=actor, sample=sample, seed=seed
        )
        self._begin(job)
        return job

    @property
    def _records(self) -> Verifications:
        return self._cache.verifications

    async def _observe(self, job: Verification) -> None:
        await self._cache.observe_verification(job)
