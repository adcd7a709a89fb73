"""The verifications of each data source in the store: one that is alive, and the last twenty."""

from __future__ import annotations

from typing import ClassVar, Final

from warmcube.entry.keys import Keys
from warmcube.errors import InProgress, VerifyInProgress, VerifyOutrun
from warmcube.jobs.job import ASKED, JobState
from warmcube.jobs.records import RecordKeys, Records, Seen, new_id
from warmcube.jobs.verification import Verification, unpack_verification
from warmcube.observe.verified import VERIFIED_MS, Verified, pack_verified
from warmcube.warm.lease import this_process

__all__ = ["MOST_VERIFICATIONS", "Verifications"]

MOST_VERIFICATIONS: Final = 20


class Verifications(Records[Verification]):
    """The verifications, whoever asked for them; they stand in no warm's way. See `Records`."""

    most: ClassVar[int] = MOST_VERIFICATIONS
    listed_at: ClassVar[str] = "/api/admin/analytics/cache/verify/status"
    doing: ClassVar[str] = "verified"
    in_progress: ClassVar[type[InProgress]] = VerifyInProgress

    async def start(
        self,
        datasource: int,
        *,
        actor: str,
        sample: int,
        seed: int,
        reason: str = ASKED,
        state: JobState = JobState.QUEUED,
        after: Seen | None = None,
    ) -> Verification:
        """Record a new one; of several who try at once, one succeeds.

        Args:
            datasource: its id.
            actor: who asks for it.
            sample: how many slices are compared row by row.
            seed: what they are drawn with.
            reason: why it is begun.
            state: queued, unless whoever calls does the work at once.
            after: what was seen by whoever decided upon it; see `Ledger.start`.

        Raises:
            VerifyOutrun: something has happened since.
            VerifyInProgress: it is being verified, or about to be.
            StoreError: the store.
        """
        now = await self.now_ms()
        job = Verification(
            id=new_id(datasource),
            datasource=datasource,
            actor=actor,
            process=this_process(),
            reason=reason,
            sample=sample,
            seed=seed,
            state=state,
            queued_ms=now,
            started_ms=now if state is JobState.RUNNING else None,
            updated_ms=now,
        )
        # A warm's lease stands in no verification's way: it is enough to look at itself twice.
        own = self._of(datasource)
        outcome, *facts = await self._begin(job, own.active, after)
        if outcome == b"since":
            raise VerifyOutrun(
                f"data source {datasource} was warmed, invalidated or begun to be verified by "
                "somebody else meanwhile; look again"
            )
        if outcome == b"job":
            raise self._taken(datasource, *facts)
        return job

    async def note(self, datasource: int, verified: Verified) -> None:
        """Have everybody know what came of the last one.

        Raises:
            StoreError: the store.
        """
        key = Keys(self._namespace, datasource).verified
        await self._store.run([(b"SET", key, pack_verified(verified), b"PX", VERIFIED_MS)])

    def taken_over(self, job: Verification) -> VerifyInProgress:
        """See `Records`."""
        return VerifyInProgress(
            f"data source {job.datasource} has got another verification, since this one gave no "
            "sign for too long; wait for that one"
        )

    def _own(self, keys: Keys) -> RecordKeys:
        return RecordKeys(keys.verifying, keys.verifications, keys.verifications_order)

    def _unpack(self, stored: bytes) -> Verification:
        return unpack_verification(stored)
