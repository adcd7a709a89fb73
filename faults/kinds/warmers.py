"""Faults of warmers: killed, stopped past their lease, several at once, with other clocks."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from typing import Final

from faults.moments import AT_REST, WARMING, Moment
from faults.processes import Process
from faults.proxy import Trap
from faults.readers import Service
from faults.serve import begin_service, end_service, token_of
from faults.stage import Fault, Stage
from faults.warming import LEASE, LONG_LEASE

__all__ = ["FAULTS", "Signalled"]

_TRIES: Final = 4
_LONGEST: Final = 60.0
_HOUR: Final = 3600
_QUESTIONS: Final = 400
_ONE_AT_A_TIME: Final = "WarmInProgress"


class Signalled(Fault):
    """A warmer in a process of its own gets a signal at a moment.

    Args:
        name: of the fault.
        title: of the fault.
        number: the signal.
    """

    moments = WARMING

    def __init__(self, name: str, title: str, number: signal.Signals) -> None:
        self.name, self.title, self.number = name, title, number
        self.process: Process | None = None

    async def prepare(self, stage: Stage) -> None:
        """Do what has to be done before it starts."""

    async def begin(self, stage: Stage) -> Process:
        """Start it."""
        return await stage.warmers.begin_process()

    async def inject(self, stage: Stage, moment: Moment) -> None:
        async with stage.warmers.turn:  # so that nobody else walks into the trap
            for _ in range(_TRIES):
                await self.prepare(stage)
                if await self._is_struck(stage, moment):
                    return
        raise LookupError(f"{moment.label} never came")

    async def _is_struck(self, stage: Stage, moment: Moment) -> bool:
        """Start a warmer, and have it signalled; False if it ended without coming to that."""
        assert moment.pattern is not None
        through = stage.proxy_of(moment)
        loop = asyncio.get_running_loop()
        started: asyncio.Future[Process] = loop.create_future()

        def strike() -> None:
            asyncio.run_coroutine_threadsafe(_signal(started, self.number), loop).result(10)

        trap = through.trap = Trap(moment.pattern, moment.when, strike)
        self.process = await self.begin(stage)
        started.set_result(self.process)
        ended = asyncio.create_task(self.process.process.wait())
        deadline = time.monotonic() + _LONGEST
        while not (trap.sprung.is_set() or ended.done() or time.monotonic() > deadline):
            await asyncio.sleep(0.02)
        ended.cancel()
        through.trap = None
        if trap.is_begun and not await asyncio.to_thread(trap.sprung.wait, _LONGEST):
            raise TimeoutError(f"it has not got its signal {moment.label}")
        if trap.failure is not None:
            raise trap.failure
        if not trap.is_begun:
            self.process.signal(signal.SIGKILL)
            await self.process.end()
        return trap.is_begun

    async def heal(self, stage: Stage) -> None:
        if self.process is not None:
            self.process.signal(signal.SIGCONT)
            trouble = await self.process.end()
            if trouble and self.number is not signal.SIGKILL:
                stage.notes.append(f"the warm: {trouble.splitlines()[-1].partition(':')[0]}")
            self.process = None


class _Stopped(Signalled):
    """A warmer is stopped until another has taken its lease and published, and then goes on."""

    seconds = LEASE + 0.3

    async def heal(self, stage: Stage) -> None:
        try:
            trouble = await stage.warmers.warm_at_last()
            if trouble is not None:
                stage.failures.append(f"the other warm: {trouble}")
            with stage.store() as client:
                self._left = stage.pointer(client)
        finally:
            await super().heal(stage)  # whatever else: it has to go on

    async def review(self, stage: Stage, moment: Moment, trouble: str | None) -> None:  # noqa: ARG002
        with stage.store() as client:
            found = stage.pointer(client)
        if found != self._left:
            stage.failures.append(f"{found} was published over {self._left}, after its lease")


async def _signal(started: asyncio.Future[Process], number: signal.Signals) -> None:
    (await started).signal(number)


class _Skewed(Fault):
    """A warmer's clock is hours off one way, and a service's the other way.

    Args:
        name: of the fault.
        title: of the fault.
        hours: that the warmer's clock is ahead.
    """

    seconds = 1.0

    def __init__(self, name: str, title: str, hours: float) -> None:
        self.name, self.title, self._hours = name, title, hours

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - it is long
        config = stage.world.config(self.name, stage.world.redis_proxy)
        service, url = await asyncio.to_thread(begin_service, config, skew=-self._hours * _HOUR)
        way = Service(url, token_of, name="service, its clock hours off")
        reader = asyncio.create_task(stage.make_reader(way, _QUESTIONS).run())
        stage.warmers.lease = LONG_LEASE
        try:
            process = await stage.warmers.begin_process(skew=self._hours * _HOUR)
            if (trouble := await process.end()) is not None:
                stage.failures.append(f"the warm: {trouble.splitlines()[-1]}")
            await asyncio.sleep(self.seconds)
        finally:
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            await way.close()
            await asyncio.to_thread(end_service, service)

    async def heal(self, stage: Stage) -> None:
        stage.warmers.lease = LEASE


class _SeveralAtOnce(Fault):
    """Several warmers at once."""

    name, title = "warm-twice", "several warmers at once"
    moments = (AT_REST,)
    seconds = 0.3

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - likewise
        stage.warmers.lease = LONG_LEASE
        found = await asyncio.gather(*(stage.warmers.warm() for _ in range(3)))
        if None not in found:
            stage.failures.append("none of them has warmed")
        stage.failures += [each for each in found if each and not each.startswith(_ONE_AT_A_TIME)]

    async def heal(self, stage: Stage) -> None:
        stage.warmers.lease = LEASE


FAULTS: Final[tuple[Fault, ...]] = (
    Signalled("kill-warmer", "kill -9 the warmer", signal.SIGKILL),
    _Stopped("stop-warmer", "SIGSTOP the warmer past its lease, SIGCONT", signal.SIGSTOP),
    _Skewed("clock-ahead", "a warmer's clock 5 hours ahead, a service's 5 hours behind", 5),
    _Skewed("clock-behind", "a warmer's clock 5 hours behind, a service's 5 hours ahead", -5),
    _SeveralAtOnce(),
)
