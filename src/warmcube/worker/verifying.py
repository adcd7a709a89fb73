"""Verifying by a schedule: of each data source that has one, at its times, one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from warmcube.compare.verifier import DEFAULT_SAMPLE
from warmcube.engine import AnalyticsCache
from warmcube.errors import Damage, StoreError, VerifyInProgress, VerifyOutrun
from warmcube.jobs.job import JobFailure, JobState, failure_of
from warmcube.jobs.ledger import Seen
from warmcube.jobs.verification import Verification
from warmcube.model.schema import Datasource
from warmcube.worker.cron import next_fire
from warmcube.worker.events import Event, EventKind, Tell
from warmcube.worker.look import Look
from warmcube.worker.schedule import Reason

__all__ = ["Rounds"]

LOOK_SECONDS: Final = 10.0
"""How often it is looked whether others have verified."""


class Rounds:
    """Has data sources verified whose ``verify_at`` has come; several workers share them.

    What is cold, switched off or pinned isn't verified: its table is known to be another. What came
    due while no worker ran isn't made up for, since it would be read at another time than was
    wanted.

    Args:
        cache: open.
        datasources: which the worker looks after.
        tell: told of what happens.
        actor: who asks.
    """

    def __init__(
        self, cache: AnalyticsCache, datasources: Sequence[Datasource], tell: Tell, actor: str
    ) -> None:
        crons = cache.settings.verify_at
        self._cache = cache
        self._scheduled = {each.id: each for each in datasources if each.id in crons}
        self._tell = tell
        self._actor = actor
        self._newest: dict[int, Verification | None] = {}
        self._failed_ms: dict[int, int] = {}
        self._unreadable: set[int] = set()
        self._looked = -LOOK_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def begin_due(self, looks: Mapping[int, Look], since_ms: int) -> None:
        """Begin one that is due, if none runs.

        Args:
            looks: what was found of the data sources.
            since_ms: when the worker started, by the store's clock.

        Raises:
            StoreError: the store.
        """
        if not self._scheduled or self._task is not None:
            return
        now = time.monotonic()
        if now >= self._looked + LOOK_SECONDS:
            for number in self._scheduled:
                await self._look(number)
            self._looked = now
        due = []
        for number, look in looks.items():
            at_ms = self.next_ms(number, look, since_ms)
            if at_ms is not None and at_ms <= look.facts.now_ms and not look.is_busy:
                due.append((at_ms, number))
        if due:
            _, number = min(due)
            self._task = asyncio.create_task(self._verify(number, looks[number]))
            self._task.add_done_callback(self._has_ended)

    async def _tell_if_lost(self, job: Verification) -> None:
        """Have it known that the worker that did a verification is gone: nobody waited for it."""
        is_lost = job.state is JobState.ABANDONED and job.failure is None
        if not is_lost or job.reason != Reason.SCHEDULED:
            return
        with contextlib.suppress(StoreError):  # the next look tries again
            now_ms = await self._cache.verifications.now_ms()
            lost = job.changed(
                failure=JobFailure("Killed", "its worker gave no sign any more; start it anew"),
                ended_ms=now_ms,
            )
            if await self._cache.verifications.write(lost):
                await self._cache.observe_verification(lost)

    async def _look(self, number: int) -> None:
        """Look whether others have verified; told once of what can't be read."""
        try:
            newest = self._newest[number] = await self._cache.verifications.newest(number)
        except Damage as damage:
            if number not in self._unreadable:
                what = f"Damage: {damage}"
                self._tell(Event(kind=EventKind.UNVERIFIED, datasource=number, error=what))
            self._unreadable.add(number)
        else:
            self._unreadable.discard(number)
            if newest is not None:
                await self._tell_if_lost(newest)

    def next_ms(self, number: int, look: Look, since_ms: int) -> int | None:
        """When a data source is verified next; None if it isn't without being asked."""
        datasource, facts = self._scheduled.get(number), look.facts
        if datasource is None or facts.version is None or facts.held is not None:
            return None
        if number in self._unreadable:
            return None
        newest = self._newest.get(number)
        # Of what couldn't be begun there is no record: it is tried at the next time again.
        began_ms = since_ms if newest is None else newest.queued_ms
        after_ms = max(since_ms, began_ms, self._failed_ms.get(number, 0))
        cron = self._cache.settings.verify_at[number]
        return next_fire(cron, datasource.time_zone, after_ms)

    async def end(self) -> None:
        """Give up what runs: nothing is lost but its time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _has_ended(self, _task: asyncio.Task[None]) -> None:
        self._task = None
        self._looked = -LOOK_SECONDS

    async def _verify(self, number: int, look: Look) -> None:
        """Verify one, unless somebody was faster."""
        told = partial(Event, datasource=number, reason=str(Reason.SCHEDULED))
        newest = self._newest.get(number)
        try:
            job = await self._cache.verifications.start(
                number,
                actor=self._actor,
                sample=DEFAULT_SAMPLE,
                seed=secrets.randbelow(1 << 32),
                reason=str(Reason.SCHEDULED),
                state=JobState.RUNNING,
                after=Seen(
                    current=look.seen.current,
                    newest=None if newest is None else newest.id.encode(),
                ),
            )
            self._tell(told(kind=EventKind.VERIFYING))
            report = await self._cache.verify(number, job=job)
        except (VerifyInProgress, VerifyOutrun):
            pass  # it is done, or being done
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            self._failed_ms[number] = look.facts.now_ms
            failure = failure_of(error)
            what = f"{failure.kind}: {failure.message}"
            self._tell(told(kind=EventKind.UNVERIFIED, error=what))
        else:
            self._tell(told(kind=EventKind.VERIFIED, verified=report))
