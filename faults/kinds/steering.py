"""What operators do, and clean-ups, while somebody warms: each at every step of the warm."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final

from faults.moments import AT_REST, WARMING, Moment
from faults.proxy import Trap
from faults.rules import AT_ONCE
from faults.stage import Fault, Stage
from faults.table import DATASOURCE
from faults.warming import LEASE, LONG_LEASE, Action
from warmcube.entry.keys import Keys
from warmcube.errors import RollbackRefused

__all__ = ["FAULTS"]

_KEYS: Final = Keys("", DATASOURCE)


class _Steered(Fault):
    """An operator does something to the data source while it is warmed.

    A warm that had begun before may not publish after what takes a snapshot from readers; nothing
    but what was done may have moved the pointer then.

    Args:
        name: of the fault, and what is done.
        fences: whether it advances the fence.
    """

    moments = (AT_REST, *WARMING)
    name: Action

    def __init__(self, name: Action, title: str, *, fences: bool) -> None:
        self.name, self.title, self._fences = name, title, fences
        self._left: str | None = None

    async def inject(self, stage: Stage, moment: Moment) -> None:
        stage.warmers.lease = LONG_LEASE
        await self.prepare(stage)
        loop = asyncio.get_running_loop()

        def act() -> None:
            asyncio.run_coroutine_threadsafe(self._do(stage), loop).result(30)

        await stage.strike(moment, act)

    async def heal(self, stage: Stage) -> None:
        stage.warmers.lease = LEASE

    async def prepare(self, stage: Stage) -> None:
        """Have there be what it is done to."""

    async def _do(self, stage: Stage) -> None:
        with stage.store() as client:
            before = stage.pointer(client)
        await stage.warmers.steer(self.name)
        with stage.store() as client:
            self._left = stage.pointer(client)
        self.know(stage, before, self._left)

    def know(self, stage: Stage, before: str | None, after: str | None) -> None:
        """Have readers be held to it."""

    async def review(self, stage: Stage, moment: Moment, trouble: str | None) -> None:
        with stage.store() as client:
            found = stage.pointer(client)
        had_begun = moment.pattern is not None and (moment.step, moment.when) != ("lease", "before")
        if self._fences and (had_begun or moment.pattern is None) and found != self._left:
            stage.failures.append(
                f"{found} was published over {self.name}, which left {self._left}"
            )
        is_done = moment.step == "clean-up" or (moment.step, moment.when) in _PUBLISHED
        if self._fences and had_begun and not is_done and trouble is None:
            stage.failures.append(f"the warm says that it has published over {self.name}")
        if not self._fences and moment.pattern is not None and trouble is not None:
            stage.failures.append(f"{self.name} ended the warm: {trouble}")


_PUBLISHED: Final = (("publish", "middle"), ("publish", "after"))
"""When a warm has published, whether it knows it or not."""


class _Invalidated(_Steered):
    def __init__(self) -> None:
        super().__init__("invalidate", "invalidate racing a warm", fences=True)

    def know(self, stage: Stage, before: str | None, after: str | None) -> None:  # noqa: ARG002
        stage.world.rules.withdraw(before)


class _RolledBack(_Steered):
    """Which pins the data source too."""

    def __init__(self) -> None:
        super().__init__("rollback", "rollback (and pin) racing a warm", fences=True)

    async def prepare(self, stage: Stage) -> None:
        await _have_kept(stage)

    async def _do(self, stage: Stage) -> None:
        try:
            await super()._do(stage)
        except RollbackRefused as error:
            stage.failures.append(f"there was nothing to go back to: {error}")

    def know(self, stage: Stage, before: str | None, after: str | None) -> None:
        stage.world.rules.withdraw(before)
        stage.world.rules.restore(after)


class _Unpinned(_Steered):
    def __init__(self) -> None:
        super().__init__("unpin", "unpin racing a warm", fences=False)

    async def prepare(self, stage: Stage) -> None:
        await _have_kept(stage)
        await stage.warmers.steer("rollback")


class _Disabled(_Steered):
    def __init__(self) -> None:
        super().__init__("disable", "disable racing a warm", fences=True)

    seconds = AT_ONCE + 1.0

    def know(self, stage: Stage, before: str | None, after: str | None) -> None:  # noqa: ARG002
        stage.world.rules.off_since = time.monotonic()

    async def review(self, stage: Stage, moment: Moment, trouble: str | None) -> None:
        try:
            await super().review(stage, moment, trouble)
        finally:
            stage.world.rules.off_since = None
            await stage.warmers.steer("enable")


class _Enabled(_Steered):
    def __init__(self) -> None:
        super().__init__("enable", "enable racing a warm", fences=False)

    async def prepare(self, stage: Stage) -> None:
        await stage.warmers.steer("disable")
        stage.world.rules.off_since = time.monotonic()
        await asyncio.sleep(AT_ONCE + 0.3)

    async def _do(self, stage: Stage) -> None:
        stage.world.rules.off_since = None
        await super()._do(stage)

    async def heal(self, stage: Stage) -> None:
        await super().heal(stage)
        stage.world.rules.off_since = None
        await stage.warmers.steer("enable")  # if it never came to that


class _CleanedUp(Fault):
    """Another warms, and cleans up after crashed and superseded warms, in the middle of a warm.

    The lease is over by then, as if the first had been held up; it has to find that out, and may
    neither publish nor remove what is the other's.
    """

    name, title = "clean-up", "a whole warm with its clean-up racing another, whose lease is over"
    moments = WARMING

    async def inject(self, stage: Stage, moment: Moment) -> None:
        await _leave_residue(stage)
        loop = asyncio.get_running_loop()
        self._left: str | None = None

        def act() -> None:
            with stage.store() as client:
                client.delete(_KEYS.lock, _KEYS.job)
            work = asyncio.run_coroutine_threadsafe(stage.warmers.warm_at_last(), loop)
            if (trouble := work.result(60)) is not None:
                stage.failures.append(f"the other warm: {trouble}")
            with stage.store() as client:
                self._left = stage.pointer(client)

        await stage.strike(moment, act)

    async def review(self, stage: Stage, moment: Moment, trouble: str | None) -> None:  # noqa: ARG002 - pointer tells
        with stage.store() as client:
            found = stage.pointer(client)
        if found != self._left:
            stage.failures.append(f"{found} was published over {self._left}")


async def _have_kept(stage: Stage) -> None:
    """Have a snapshot behind the live one, to go back to."""
    for _ in range(2):
        if (trouble := await stage.warmers.warm_at_last()) is not None:
            stage.failures.append(f"it can't be warmed: {trouble}")


async def _leave_residue(stage: Stage) -> None:
    """Kill a warmer in the middle of its writing, and wait until what it left may be removed."""
    write = next(each for each in WARMING if (each.step, each.when) == ("write", "after"))
    assert write.pattern is not None
    loop = asyncio.get_running_loop()
    begun: asyncio.Future[None] = loop.create_future()
    process = None

    def kill() -> None:
        asyncio.run_coroutine_threadsafe(_wait(begun), loop).result(30)
        assert process is not None
        process.signal(signal.SIGKILL)

    trap = stage.proxy_of(write).trap = Trap(write.pattern, write.when, kill)
    process = await stage.warmers.begin_process()
    begun.set_result(None)
    await process.end()
    stage.proxy_of(write).trap = None
    if not trap.is_begun:
        raise LookupError("no warmer could be killed while it wrote")
    await asyncio.sleep(2 * LEASE + 0.2)


async def _wait(begun: asyncio.Future[None]) -> None:
    await begun


FAULTS: Final[tuple[Fault, ...]] = (
    _Invalidated(),
    _RolledBack(),
    _Unpinned(),
    _Disabled(),
    _Enabled(),
    _CleanedUp(),
)
