"""Faults of warmers: killed, stopped past their lease, raced, with a clock of their own."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

from faults.proxy import Trap
from faults.stage import AT_REST, WARMING, Fault, Moment, Stage
from faults.warming import LEASE, WarmProcess

__all__ = ["FAULTS"]

_START: Final = 20.0
_HOUR: Final = 3600


class _Signalled(Fault):
    """A warmer in a process of its own gets a signal at a moment.

    Args:
        name: of the fault.
        title: of the fault.
        number: the signal.
    """

    moments = WARMING

    def __init__(self, name: str, title: str, number: signal.Signals) -> None:
        self.name, self.title, self._number = name, title, number
        self._process: WarmProcess | None = None

    async def inject(self, stage: Stage, moment: Moment) -> None:
        assert moment.pattern is not None
        loop = asyncio.get_running_loop()
        started = loop.create_future()

        def strike() -> None:
            asyncio.run_coroutine_threadsafe(_signal(started, self._number), loop).result(10)

        trap = Trap(moment.pattern, moment.when, strike)
        stage.world.warm_proxy.trap = trap
        self._process = await stage.warmers.begin_process()
        started.set_result(self._process)
        if not await asyncio.to_thread(trap.sprung.wait, _START):
            stage.notes.append(f"{moment.label} never came")
        stage.world.warm_proxy.trap = None

    async def heal(self, stage: Stage) -> None:
        if self._process is not None:
            self._process.signal(signal.SIGCONT)
            trouble = await self._process.end()
            if trouble and self._number is not signal.SIGKILL:
                stage.notes.append(f"the warm: {trouble.splitlines()[-1].partition(':')[0]}")
            self._process = None


class _Stopped(_Signalled):
    """A warmer is stopped until another has taken its lease and published, and then goes on."""

    seconds = LEASE + 0.3

    async def heal(self, stage: Stage) -> None:
        trouble = await stage.warmers.warm_at_last()
        if trouble is not None:
            stage.notes.append(f"the other warm: {trouble}")
        await super().heal(stage)


async def _signal(started: asyncio.Future[WarmProcess], number: signal.Signals) -> None:
    (await started).signal(number)


class _Invalidated(Fault):
    """The data source is invalidated while it is warmed."""

    name, title = "invalidate", "invalidate racing a warm"
    moments = (AT_REST, *WARMING)

    async def inject(self, stage: Stage, moment: Moment) -> None:
        loop = asyncio.get_running_loop()

        def strike() -> None:
            work = asyncio.run_coroutine_threadsafe(stage.warmers.invalidate(), loop)
            trouble = work.result(20)
            if trouble is not None:
                stage.notes.append(f"the invalidation: {trouble}")

        await stage.strike(moment, strike)


class _Skewed(Fault):
    """Warmers whose clocks are hours off.

    Args:
        name: of the fault.
        title: of the fault.
        hours: that the clock is ahead.
    """

    def __init__(self, name: str, title: str, hours: float) -> None:
        self.name, self.title, self._hours = name, title, hours

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - it is long
        process = await stage.warmers.begin_process(skew=self._hours * _HOUR)
        trouble = await process.end()
        if trouble is not None:
            stage.notes.append(f"the warm: {trouble.splitlines()[-1]}")


class _TwoAtOnce(Fault):
    """Several warmers at once."""

    name, title = "warm-twice", "a clean-up racing a warm: several warmers at once"
    seconds = 0.3

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - likewise
        found = await asyncio.gather(*(stage.warmers.warm() for _ in range(3)))
        unexpected = [each for each in found if each and not each.startswith("WarmInProgress")]
        stage.notes += unexpected


FAULTS: Final[tuple[Fault, ...]] = (
    _Signalled("kill-warmer", "kill -9 the warmer", signal.SIGKILL),
    _Stopped("stop-warmer", "SIGSTOP the warmer past its lease, SIGCONT", signal.SIGSTOP),
    _Invalidated(),
    _Skewed("clock-ahead", "a warmer's clock 5 hours ahead", 5),
    _Skewed("clock-behind", "a warmer's clock 5 hours behind", -5),
    _TwoAtOnce(),
)
