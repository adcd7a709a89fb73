"""The worker: looks, begins what is due, shows what comes next, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from warmcube import __version__
from warmcube.config import Settings
from warmcube.engine import AnalyticsCache
from warmcube.entry.keys import Keys
from warmcube.errors import Damage, StoreError, WarmInProgress, WarmOutrun
from warmcube.jobs.job import JobState, failure_of
from warmcube.jobs.workers import WorkerCard, Workers
from warmcube.model.schema import Datasource
from warmcube.observe.outlook import Outlook, unpack_outlook, write_outlook
from warmcube.opening import warm_settings
from warmcube.warm.refresh import Refresh
from warmcube.warm.report import Progress, WarmReport
from warmcube.worker.events import Event, EventKind, Tell
from warmcube.worker.look import Look, Looker
from warmcube.worker.pauses import Pauses, chance
from warmcube.worker.schedule import LONGEST_WAIT_MS, Plan, Policy, Reason, plan_of
from warmcube.worker.seniority import digest_of, senior_of, why_left
from warmcube.worker.sweeper import Sweeper
from warmcube.worker.verifying import Rounds

__all__ = ["LOOK_SECONDS", "Worker", "policies_of"]

LOOK_SECONDS: Final = 1.0
"""Between two looks at the store, at most, where there are few data sources."""

LOOKS_PER_SECOND: Final = 50
"""Of many data sources, so many are looked at in a second."""

SIGN_SECONDS: Final = 4.0
"""How often a worker shows that it is alive, and what comes next."""

PATIENCE_SECONDS: Final = 10.0
"""For one look; a store that takes longer is away."""

PROGRESS_SECONDS: Final = 5.0
FOLD_SECONDS: Final = 60.0
"""A store that stays away is told of once in so long."""

_AWAY: Final = Pauses(first_ms=500, longest_ms=5_000)
_URGENT: Final = (Reason.DAMAGE, Reason.COLD)
"""While these last, the database answers."""


def policies_of(settings: Settings) -> Mapping[int, Policy]:
    """How each data source is kept warm, as a configuration has it."""
    worker = settings.worker
    pauses = Pauses(
        first_ms=round(worker.pause * 1000), longest_ms=round(worker.longest_pause * 1000)
    )
    return {
        each.id: Policy(
            warm_after=worker.warm_after,
            jitter=worker.jitter,
            pauses=pauses,
            repair_pause_ms=round(worker.repair_pause * 1000),
            cron=settings.warm_at.get(each.id),
            is_whole=settings.refreshes.get(each.id, worker.refresh) == "whole",
            zone=each.time_zone,
            repairs=worker.repair != "off",
            held=None if settings.cache.enabled else "the cache is disabled ([cache] enabled)",
        )
        for each in settings.datasources
    }


class Worker:
    """Keeps data sources warm, for as long as it runs.

    Any number of them may run, wherever: what is due is done by whoever is first, and a data source
    that another one has just warmed isn't due any more.

    Args:
        cache: open.
        datasources: which to look after.
        tell: told of what happens.
    """

    def __init__(
        self, cache: AnalyticsCache, datasources: Sequence[Datasource], tell: Tell
    ) -> None:
        settings = cache.settings
        namespace = settings.store.namespace
        warming = warm_settings(settings)
        self._cache = cache
        self._datasources = {each.id: each for each in datasources}
        self._tell = tell
        self._policies = policies_of(settings)
        self._section = settings.worker
        self._namespace = namespace
        self._store = cache.store
        self._looker = Looker(cache.store, namespace, cache.seal, cache.jobs)
        self._workers = Workers(cache.store, namespace)
        self._card = WorkerCard(
            id=secrets.token_hex(8),
            host=socket.gethostname(),
            process=os.getpid(),
            version=__version__,
            since_ms=0,
            datasources=tuple(self._datasources),
            concurrency=self._section.concurrency,
            configurations={each.id: digest_of(each, cache.seal.name) for each in datasources},
        )
        self._left: dict[int, WorkerCard] = {}
        self._sweeper = Sweeper(
            cache.store,
            namespace,
            cache.seal,
            grace=warming.grace,
            lease_seconds=warming.lease_seconds,
            life_seconds=float(warming.ttl + warming.stale_for),
        )
        self._rounds = Rounds(cache, datasources, tell, f"worker:{self._card.host}")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._failed: dict[int, tuple[int, float]] = {}
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
        self._given_up = asyncio.Event()
        self._outlooks: dict[int, Outlook] = {}
        self._signed = 0.0

    @property
    def name(self) -> str:
        """How people know it."""
        return f"{self._card.host} process {self._card.process}"

    def stop(self) -> None:
        """End in order: begin nothing more. Told once more, give up what runs at once."""
        if self._ending.is_set():
            self._given_up.set()
        self._ending.set()
        self._wake.set()

    async def run(self) -> None:
        """Keep everything warm until told to stop."""
        self._tell(Event(kind=EventKind.STARTED))
        away = _Away(self._tell)
        while not self._ending.is_set():
            self._wake.clear()
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    looks = await self._look()
            except (Damage, StoreError, TimeoutError) as error:
                await self._rest(away.note(error))
                continue
            away.is_over()
            if not self._signed:  # others must know of it before they see what it does
                with contextlib.suppress(Damage, StoreError):
                    await self._show(looks)
            self._begin_due(looks)
            self._sweeper.look({n: each for n, each in looks.items() if n not in self._tasks})
            with contextlib.suppress(Damage, StoreError):
                await self._rounds.begin_due(looks, self._card.since_ms)
            with contextlib.suppress(Damage, StoreError):  # by itself: else it counts as dead
                await self._show(looks)
            await self._rest(max(LOOK_SECONDS, len(self._datasources) / LOOKS_PER_SECOND))
        await self._end()

    async def run_once(self) -> int:
        """Warm what is due, each once and without regard to pauses after failures; then end.

        Returns:
            how many failed.

        Raises:
            StoreError: the store can't be reached.
        """
        begun: set[int] = set()
        self._card = replace(self._card, is_once=True)
        while not self._ending.is_set():
            self._wake.clear()
            looks = await self._look()
            if not self._begin_due(looks, begun) and not self._tasks:
                break
            with contextlib.suppress(Damage, StoreError):
                await self._show(looks)
            await self._rest(LOOK_SECONDS)
        await self._end()
        return len(self._failed)

    async def _look(self) -> dict[int, Look]:
        found = await self._looker.look(list(self._datasources.values()))
        looks: dict[int, Look] = {}
        for number, look in found.items():
            if isinstance(look, Look):
                looks[number] = look
            elif self._may_try(number):
                self._note_failure(number)
                self._tell(Event(kind=EventKind.FAILED, datasource=number, error=f"Damage: {look}"))
        if not self._card.since_ms and looks:
            now_ms = next(iter(looks.values())).facts.now_ms
            self._card = replace(self._card, since_ms=now_ms)
        await self._leave(looks)
        return looks

    async def _leave(self, looks: Mapping[int, Look]) -> None:
        """Find out what is left to workers that have another configuration."""
        foreign = [number for number, look in looks.items() if look.is_foreign]
        cards = await self._workers.alive() if foreign else ()
        left: dict[int, WorkerCard] = {}
        for number in foreign:
            senior = senior_of(self._card, cards, number)
            if senior is not None:
                left[number] = senior
                if number not in self._left or self._left[number].id != senior.id:
                    why = why_left(senior)
                    self._tell(Event(kind=EventKind.LEFT, datasource=number, error=why))
        self._left = left

    def _plan(self, id: int, look: Look, *, patient: bool = True) -> Plan:
        senior = self._left.get(id)
        facts = look.facts
        if senior is not None and facts.held is None:
            facts = replace(facts, held=why_left(senior))
        return plan_of(facts, self._policies[id], patient=patient)

    def _begin_due(self, looks: Mapping[int, Look], begun: set[int] | None = None) -> bool:
        """Begin as much as there is room for, what hurts most first.

        Args:
            looks: what was found.
            begun: those that were tried before, which aren't tried again; None to try patiently.

        Returns:
            whether something is due, begun or not.
        """
        due: list[tuple[bool, int, int, Plan]] = []
        for number, look in looks.items():
            plan = self._plan(number, look, patient=begun is None)
            is_free = not look.is_busy and number not in self._tasks and self._may_try(number)
            if is_free and plan.is_due(look.facts.now_ms) and number not in (begun or ()):
                due.append((plan.reason not in _URGENT, plan.at_ms or 0, number, plan))
        for _, _, number, plan in sorted(due, key=lambda each: each[:3]):
            if len(self._tasks) >= self._section.concurrency:
                break
            if begun is not None:
                begun.add(number)
            task = asyncio.create_task(self._warm(self._datasources[number], looks[number], plan))
            self._tasks[number] = task
            task.add_done_callback(partial(self._has_ended, number))
        return bool(due)

    def _has_ended(self, number: int, _task: asyncio.Task[None]) -> None:
        self._tasks.pop(number, None)
        self._wake.set()

    async def _warm(self, datasource: Datasource, look: Look, plan: Plan) -> None:
        """Warm one, unless somebody was faster."""
        reason = str(plan.reason)
        told = partial(Event, datasource=datasource.id, reason=reason)
        jobs = self._cache.jobs
        try:
            job = await jobs.start(
                datasource.id,
                actor=f"worker:{self._card.host}",
                reason=reason,
                refresh=self._refresh(datasource, look, plan),
                state=JobState.RUNNING,
                after=look.seen,
            )
            self._tell(told(kind=EventKind.WARMING))
            progress = _Paced(lambda each: self._tell(told(kind=EventKind.PROGRESS, progress=each)))
            report: WarmReport = await self._cache.warm(datasource.id, job=job, progress=progress)
        except (WarmInProgress, WarmOutrun):
            pass  # it is done, or being done
        except asyncio.CancelledError:
            self._tell(told(kind=EventKind.GIVEN_UP))
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            failure = failure_of(error)
            self._note_failure(datasource.id)
            self._tell(told(kind=EventKind.FAILED, error=f"{failure.kind}: {failure.message}"))
        else:
            self._failed.pop(datasource.id, None)
            self._tell(told(kind=EventKind.WARMED, report=report))

    def _refresh(self, datasource: Datasource, look: Look, plan: Plan) -> Refresh | None:
        """What to read anew; None for the whole table."""
        if plan.reason is Reason.DAMAGE:
            return look.repair
        is_cold = plan.reason is Reason.COLD
        is_whole = self._policies[datasource.id].is_whole or is_cold
        return None if is_whole else Refresh(changed=True)

    def _may_try(self, number: int) -> bool:
        """Whether a pause of this worker's own is over: a store that can't be written to has no
        record of what failed.
        """
        _, until = self._failed.get(number, (0, 0.0))
        return time.monotonic() >= until

    def _note_failure(self, number: int) -> None:
        times = self._failed.get(number, (0, 0.0))[0] + 1
        pauses = self._policies[number].pauses
        roll = chance(secrets.token_hex(4))
        pause = pauses.after(times, roll, longest_ms=LONGEST_WAIT_MS) / 1000
        self._failed[number] = (times, time.monotonic() + pause)

    async def _show(self, looks: Mapping[int, Look]) -> None:
        """Show that this worker is alive, and what comes next, if it is time to."""
        now = time.monotonic()
        card = replace(
            self._card,
            warming=tuple(self._tasks),
            is_ending=self._ending.is_set(),
            leaves=tuple(self._left),
        )
        # What comes next of the others is for those to say who see to it.
        mine = {number: look for number, look in looks.items() if number not in self._left}
        outlooks = {number: self._outlook(number, look) for number, look in mine.items()}
        is_news = card != self._card or outlooks != self._outlooks
        if not looks or (not is_news and now < self._signed + SIGN_SECONDS):
            return
        now_ms = next(iter(looks.values())).facts.now_ms
        commands = self._workers.sign(card, now_ms)
        for number, outlook in outlooks.items():
            commands.append(write_outlook(Keys(self._namespace, number), outlook))
        await self._store.run(commands)
        self._card, self._outlooks, self._signed = card, outlooks, now

    def _outlook(self, id: int, look: Look) -> Outlook:
        plan, facts = self._plan(id, look), look.facts
        state = "waiting"
        if look.is_busy or id in self._tasks:
            state = "warming"
        elif plan.held is not None:
            state = "held"
        elif plan.is_due(facts.now_ms):
            state = "due"
        failure = facts.failure
        return Outlook(
            by=self.name,
            state=state,
            next_ms=plan.at_ms,
            reason=None if plan.reason is None else str(plan.reason),
            held=plan.held,
            failures=0 if failure is None else failure.count,
            error=None if failure is None else f"{failure.kind}: {failure.message}",
            damaged=look.damaged,
            verify_ms=(
                None if self._card.is_once else self._rounds.next_ms(id, look, self._card.since_ms)
            ),
        )

    async def _rest(self, seconds: float) -> None:
        """Until there is something to do, or so many seconds are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _end(self) -> None:
        """Let what runs get done within its time; then give it up, and go."""
        await self._rounds.end()
        await self._sweeper.close()
        if self._tasks:
            self._tell(Event(kind=EventKind.ENDING))
            seconds = self._section.shutdown
            giving_up = asyncio.create_task(self._given_up.wait())
            deadline = time.monotonic() + seconds
            while self._tasks and not giving_up.done() and time.monotonic() < deadline:
                await asyncio.wait(
                    [giving_up, *self._tasks.values()],
                    timeout=min(SIGN_SECONDS, max(0.0, deadline - time.monotonic())),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                with contextlib.suppress(Damage, StoreError, TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._sign_while_ending()
            giving_up.cancel()
            for task in list(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        with contextlib.suppress(Damage, StoreError, TimeoutError):
            async with asyncio.timeout(SIGN_SECONDS):
                await self._withdraw()
        self._tell(Event(kind=EventKind.ENDED))

    async def _withdraw(self) -> None:
        await self._workers.withdraw(self._card)
        keys = [Keys(self._namespace, each).outlook for each in self._datasources]
        stored = await self._store.run([(b"GET", key) for key in keys])
        for key, outlook in zip(keys, map(unpack_outlook, stored), strict=True):
            if outlook is not None and outlook.by == self.name:
                await self._store.run([(b"DEL", key)])

    async def _sign_while_ending(self) -> None:
        now_ms = await self._store.now_ms()
        self._card = replace(self._card, warming=tuple(self._tasks), is_ending=True)
        await self._store.run(self._workers.sign(self._card, now_ms))


class _Paced:
    """Passes on how far a warm is, now and then."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._told + PROGRESS_SECONDS:
            self._told = now
            self._tell(progress)


class _Away:
    """A store that can't be reached: told of now and then, and asked again in growing pauses."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._times = 0
        self._told = 0.0

    def note(self, error: Damage | StoreError | TimeoutError) -> float:
        """Take note of a failure; how many seconds to wait."""
        self._times += 1
        now = time.monotonic()
        if self._times == 1 or now >= self._told + FOLD_SECONDS:
            self._told = now
            what = str(error) or f"it hasn't answered within {PATIENCE_SECONDS:g} s"
            self._tell(Event(kind=EventKind.WAITING, error=what))
        return _AWAY.after(self._times, chance(secrets.token_hex(4))) / 1000

    def is_over(self) -> None:
        """It answers."""
        if self._times:
            self._tell(Event(kind=EventKind.BACK))
        self._times = 0
