"""Lets faults loose, one after the other, while readers read, a writer writes and warmers warm."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final

from faults.kinds import FAULTS
from faults.leftovers import leftovers, versions
from faults.moments import AT_REST, Moment
from faults.outcome import Outcome
from faults.readers import POOL, Library, Reader, Service, Way
from faults.serve import begin_service, end_service, token_of
from faults.stage import Fault, Stage
from faults.verdicts import Answer, Judge, Judged
from faults.warming import Warmers
from faults.world import World

__all__ = ["Plan", "Suite"]

_LOG: Final = logging.getLogger("faults")
_QUIET: Final = "steady"
_BEFORE: Final = 0.3
_BEFORE_AT_MOST: Final = 3.0
_LEAST: Final = 50
_PATIENCE: Final = 1.5
"""Seconds after which somebody warms, if the store doesn't answer by itself."""
_BACK: Final = 20.0
_WARM_PAUSE: Final = (0.8, 2.0)
_JUDGED: Final = 400
_BEAT: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        seed: what is repeated by it: rows, questions, users, moments.
        faults: which ones.
        seconds: faults go round until so much time has passed; each is let loose at least once.
        compared: then readers go on until so many answers have been compared.
        every_moment: whether each fault is let loose at each of its moments, and not at one.
    """

    seed: int = 1
    faults: Sequence[Fault] = FAULTS
    seconds: float = 0.0
    compared: int = 0
    every_moment: bool = False

    def runs(self) -> Iterator[tuple[Fault, Moment]]:
        """What strikes, and when: each at another moment in each round, without end."""
        turn = 0
        while self.faults:
            for fault in self.faults:
                count = len(fault.moments)
                start = Random(f"{self.seed} {fault.name}").randrange(count)
                for step in range(count if self.every_moment and not turn else 1):
                    yield fault, fault.moments[(start + turn + step) % count]
            turn += 1

    @property
    def least(self) -> int:
        """How many of them there have to be."""
        return sum(len(fault.moments) if self.every_moment else 1 for fault in self.faults)


class Suite:
    """One run.

    Args:
        plan: what to do.
        tell: is told how it goes, a line at a time.
    """

    def __init__(self, plan: Plan, tell: Callable[[str], object] = str) -> None:
        self._plan = plan
        self._tell = tell
        self._random = Random(plan.seed)
        self._phase = f"{_QUIET}/before"
        self._answers: list[Answer] = []
        self._is_warming = asyncio.Event()
        self._held_up = 0.0
        self.outcomes = {fault.name: Outcome(fault.name, fault.title) for fault in plan.faults}
        self.outcomes[_QUIET] = Outcome(_QUIET, "no fault")
        self.seconds = 0.0
        self.changes = 0
        self.warms = 0

    @property
    def compared(self) -> int:
        """How many answers were compared so far."""
        return sum(outcome.compared.total() for outcome in self.outcomes.values())

    @property
    def failures(self) -> list[str]:
        """What is wrong."""
        return [
            f"{outcome.name}: {failure}"
            for outcome in self.outcomes.values()
            for failure in outcome.failures
        ]

    async def run(self) -> None:
        """Do it all."""
        began = time.monotonic()
        world = World(self._plan.seed)
        try:
            world.disks.mount()  # by this thread, of which all others are children
            await asyncio.to_thread(world.start)
            await self._run(world, began)
        except BaseException:
            _LOG.debug("the run has broken off", exc_info=True)
            raise
        finally:
            await asyncio.to_thread(world.stop)
            self.seconds = time.monotonic() - began

    async def _run(self, world: World, began: float) -> None:
        judge = Judge(world.history)
        warmers = Warmers(world.config("warmer", world.warm_proxy, is_warmer=True))
        if (trouble := await warmers.warm()) is not None:
            raise RuntimeError(f"the first warm failed: {trouble}")
        async with self._readers(world) as readers, asyncio.TaskGroup() as group:
            tasks = [group.create_task(reader.run()) for reader in readers[:-2]]
            tasks.append(group.create_task(self._warm_always(warmers)))
            tasks.append(group.create_task(self._judge_always(judge)))
            tasks.append(group.create_task(self._see_what_holds_up()))
            probe, provoker = readers[-2:]
            stage = Stage(
                world,
                warmers,
                self._random,
                provoker.ask_clock,
                lambda way, pool: self._reader(way, world, pool),
                next(each.way.ask_once for each in readers if isinstance(each.way, Service)),
            )
            await self._all_faults(stage, probe, began)
            self._phase = f"{_QUIET}/before"
            self._is_warming.set()
            while self.compared < self._plan.compared and self._is_sound(world):
                await asyncio.sleep(0.1)
            for task in tasks:
                task.cancel()
        await asyncio.to_thread(world.writer.end)
        self._count(await asyncio.to_thread(judge.judge, self._taken(), is_last=True))
        if judge.waiting:
            self.outcomes[_QUIET].fail(f"{judge.waiting} answers could not be compared")
        if not self._is_sound(world):
            self.outcomes[_QUIET].fail(f"the writer: {world.writer.failure!r}")
        for trouble in warmers.unclear:
            self.outcomes[_QUIET].fail(f"unclear error of a warm: {trouble}")
        self.changes, self.warms = world.writer.changes, warmers.done

    @staticmethod
    def _is_sound(world: World) -> bool:
        return world.writer.failure is None

    @asynccontextmanager
    async def _readers(self, world: World) -> AsyncIterator[list[Reader]]:
        """Readers by every way; the last two are new processes each time they ask."""
        proxy = world.redis_proxy
        plain = world.config("store", proxy, resident_bytes="0")
        resident = world.config("resident", proxy)
        process, url = await asyncio.to_thread(begin_service, world.config("service", proxy))
        ways: list[Way] = [
            Library("library, store", plain),
            Library("library, resident", resident),
            Library("library, new process", plain, renewed=5),
            Service(url, token_of),
            Library("library, probe", plain, renewed=1),
            Library("library, caught at a moment", plain, renewed=1),
        ]
        try:
            yield [self._reader(way, world) for way in ways]
        finally:
            for way in ways:
                with contextlib.suppress(Exception):
                    await way.close()
            await asyncio.to_thread(end_service, process)

    def _reader(self, way: Way, world: World, pool: int = POOL) -> Reader:
        seed = self._random.randrange(1 << 30)
        return Reader(
            way, world, seed, lambda: self._phase, self._take, lambda: self._held_up, pool
        )

    async def _all_faults(self, stage: Stage, probe: Reader, began: float) -> None:
        for number, (fault, moment) in enumerate(self._plan.runs()):
            if number >= self._plan.least and time.monotonic() - began > self._plan.seconds:
                return
            await self._play(fault, moment, stage, probe)

    async def _play(self, fault: Fault, moment: Moment, stage: Stage, probe: Reader) -> None:
        """One fault, from a healthy store to a healthy store."""
        outcome = self.outcomes[fault.name]
        failed = len(outcome.failures)
        began, notes = time.monotonic(), stage.notes
        notes.clear()
        stage.failures.clear()
        self._phase = f"{fault.name}/before"
        self._is_warming.set()
        deadline = began + _BEFORE_AT_MOST
        await asyncio.sleep(_BEFORE)
        while outcome.compared["before"] < _LEAST and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        if fault.is_quiet or moment.via == "fallback":
            self._is_warming.clear()
        self._phase = f"{fault.name}/during"
        if fault.loses_index or moment.via == "fallback":
            stage.nameless |= await asyncio.to_thread(_versions, stage)
        stage.moment = moment
        try:
            await fault.inject(stage, moment)
            outcome.moments.append(moment)
            await asyncio.sleep(fault.seconds)
        except Exception as error:  # noqa: BLE001 - of the suite, or a finding: shown either way
            _LOG.debug("%s", fault.name, exc_info=True)
            outcome.fail(f"the fault can't be let loose {moment.label}: {error!r}")
        finally:
            stage.world.heal()
            try:
                await fault.heal(stage)
                await fault.review(stage, moment, await stage.finish())
            except Exception as error:  # noqa: BLE001 - likewise
                _LOG.debug("%s", fault.name, exc_info=True)
                outcome.fail(f"the fault can't be ended {moment.label}: {error!r}")
        stage.moment = AT_REST
        self._phase = f"{fault.name}/after"
        for failure in stage.failures:
            outcome.fail(f"{moment.label}: {failure}")
        await self._come_back(fault, stage, probe)
        outcome.notes.update(notes)
        for failure in outcome.failures[failed:][:3]:
            self._tell(f"  FAILURE {failure}")
        self._tell(
            f"{fault.title}, {moment.label}: {time.monotonic() - began:.1f} s,"
            f" {outcome.compared.total():,} compared, store back after {outcome.back[-1]:.2f} s"
            f"{'' if not notes else '; ' + '; '.join(notes)}"
            f"{'' if not outcome.failed else f'; {outcome.failed} FAILURES'}"
        )

    async def _come_back(self, fault: Fault, stage: Stage, probe: Reader) -> None:
        """Wait until the store answers, warm, and see that nothing is lost or left over."""
        outcome = self.outcomes[fault.name]
        healed, is_by_itself = time.monotonic(), True
        while not await self._is_back(probe):
            waited = time.monotonic() - healed
            if waited > _BACK:
                outcome.fail("the store did not answer again")
                break
            if is_by_itself and waited > _PATIENCE:
                is_by_itself = False
                if (trouble := await stage.warmers.warm_at_last()) is not None:
                    outcome.fail(f"the store can't be warmed again: {trouble}")
            await asyncio.sleep(0.05)
        outcome.back.append(time.monotonic() - healed)
        outcome.by_itself += is_by_itself
        self._is_warming.clear()
        least = stage.world.history.settled
        if (trouble := await stage.warmers.warm_at_last()) is not None:
            outcome.fail(f"it can't be warmed: {trouble}")
        answer = await probe.ask_clock()
        shown = int(answer.rows[0]["measure_value"]) if answer.rows else 0
        happened = stage.world.history.happened(1, least)
        if happened and shown < happened[0]:
            outcome.fail(f"lost: change {shown} is shown, {happened[0]} was warmed: {answer.error}")
        found = await asyncio.to_thread(_left, stage)
        new = {key: expires for key, expires in found.items() if key not in stage.told}
        stage.told |= set(new)
        outcome.left += len(new)
        lost = [
            key
            for key, expires in new.items()
            if not expires or not any(version in key for version in stage.nameless)
        ]
        if lost:
            outcome.fail(f"{len(lost)} keys that nobody knows: {lost[:3]}")

    @staticmethod
    async def _is_back(probe: Reader) -> bool:
        return (await probe.ask_clock()).snapshot is not None

    async def _warm_always(self, warmers: Warmers) -> None:
        while True:
            await self._is_warming.wait()
            async with warmers.turn:
                await warmers.warm()
            await asyncio.sleep(self._random.uniform(*_WARM_PAUSE))

    async def _judge_always(self, judge: Judge) -> None:
        while True:
            await asyncio.sleep(0.05)
            some = self._taken(_JUDGED)
            self._count(await asyncio.to_thread(judge.judge, some))

    async def _see_what_holds_up(self) -> None:
        """Add up for how long this process couldn't do what was due."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(_BEAT)
            self._held_up += time.monotonic() - began - _BEAT

    def _take(self, answers: list[Answer]) -> int:
        self._answers += answers
        return len(self._answers)

    def _taken(self, most: int | None = None) -> list[Answer]:
        taken = self._answers[:most]
        del self._answers[:most]
        return taken

    def _count(self, judged: Sequence[Judged]) -> None:
        for each in judged:
            name, _, phase = each.answer.phase.partition("/")
            self.outcomes[name].add(each, phase)


def _versions(stage: Stage) -> set[str]:
    """Of all that ``master`` knows just now."""
    with stage.store() as client:
        return versions(client)


def _left(stage: Stage) -> dict[str, bool]:
    with stage.store() as client:
        return leftovers(client)
