"""Faults of ``warmcube worker``: one of two is killed, stopped or ended, and the other goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path
from typing import Final

from faults.kinds.warmers import Signalled
from faults.moments import AT_REST, Moment
from faults.processes import Process, begin
from faults.stage import Fault, Stage
from faults.warming import LEASE
from warmcube.errors import RollbackRefused

__all__ = ["FAULTS"]

_LIFE: Final = 4
"""Seconds that the snapshots of these workers are fresh: they warm anew every second or two."""
_SECTION: Final = "[worker]\nwarm_after = 0.25\npause = 0.3\nlongest_pause = 1.0\nshutdown = 5.0"
_TAKEN_OVER: Final = LEASE + 15.0
"""Seconds after which the other one has to have warmed: a lease, two looks, and a warm."""


class _OfTwo(Signalled):
    """A worker gets a signal at a moment of its warm, and another one has to take over."""

    def __init__(self, name: str, title: str, number: signal.Signals) -> None:
        super().__init__(name, title, number)
        self._other: Process | None = None

    async def begin(self, stage: Stage) -> Process:
        return await _begin(stage, "one")

    async def inject(self, stage: Stage, moment: Moment) -> None:
        await super().inject(stage, moment)
        with stage.store() as client:
            before = stage.pointer(client)
        began = time.monotonic()
        self._other = await _begin(stage, "other")
        while (seen := await asyncio.to_thread(_pointer, stage)) == before or seen is None:
            if time.monotonic() > began + _TAKEN_OVER:
                stage.failures.append(
                    f"no worker took over within {_TAKEN_OVER:g} s; {_told(stage)}"
                )
                return
            await asyncio.sleep(0.05)
        stage.notes.append(f"another worker had warmed after {time.monotonic() - began:.1f} s")

    async def heal(self, stage: Stage) -> None:
        for each, is_hit in ((self.process, True), (self._other, False)):
            if each is None:
                continue
            each.signal(signal.SIGCONT)
            if is_hit and self.number is signal.SIGSTOP:
                await asyncio.sleep(0.5)  # so that it goes on with what it was at
            each.signal(signal.SIGTERM)
            trouble = await each.end()
            if trouble and not (is_hit and self.number is signal.SIGKILL):
                stage.failures.append(f"a worker: {trouble.splitlines()[-1]}")
        self.process = self._other = None


class _Pinned(Fault):
    """A rollback while two workers keep the data source warm: it stays, until it is unpinned."""

    name, title = "pin-workers", "rollback (and pin) beside two workers, then unpin"
    moments = (AT_REST,)
    seconds = 0.0

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - at rest
        self._workers = [await _begin(stage, "one"), await _begin(stage, "other")]
        for _ in range(3):
            await _await_other(stage, _pointer(stage))
        before = _pointer(stage)
        try:
            await stage.warmers.steer("rollback")
        except RollbackRefused as error:
            stage.failures.append(f"there was nothing to go back to: {error}")
            return
        stage.world.rules.withdraw(before)
        pinned = _pointer(stage)
        stage.world.rules.restore(pinned)
        await asyncio.sleep(_LIFE)
        if (seen := _pointer(stage)) != pinned:
            stage.failures.append(f"{seen} was published although {pinned} is pinned")
        await stage.warmers.steer("unpin")
        await _await_other(stage, pinned)

    async def heal(self, stage: Stage) -> None:
        for each in self._workers:
            each.signal(signal.SIGTERM)
        for each in self._workers:
            if trouble := await each.end():
                stage.failures.append(f"a worker: {trouble.splitlines()[-1]}")
        self._workers = []


async def _begin(stage: Stage, name: str) -> Process:
    """Start a worker."""
    world = stage.world
    life = {"ttl": str(_LIFE)}
    config = world.config(f"worker-{name}", world.warm_proxy, is_warmer=True, more=_SECTION, **life)
    return await begin("faults.work", config, str(LEASE), log=_log(stage, name))


def _log(stage: Stage, name: str) -> Path:
    return stage.world.folder / f"worker-{name}.log"


def _told(stage: Stage) -> str:
    """The last things that workers have told, for whoever looks for a reason."""
    logs = {name: _log(stage, name) for name in ("one", "other")}
    lines = {name: log.read_text().splitlines()[-6:] for name, log in logs.items() if log.exists()}
    return f"they told {lines}"


def _pointer(stage: Stage) -> str | None:
    with stage.store() as client:
        return stage.pointer(client)


async def _await_other(stage: Stage, snapshot: str | None) -> None:
    """Wait until another snapshot is live."""
    deadline = time.monotonic() + _TAKEN_OVER
    while (seen := await asyncio.to_thread(_pointer, stage)) == snapshot or seen is None:
        if time.monotonic() > deadline:
            stage.failures.append(
                f"no worker had published after {_TAKEN_OVER:g} s; {_told(stage)}"
            )
            return
        await asyncio.sleep(0.05)


FAULTS: Final[tuple[Fault, ...]] = (
    _OfTwo("kill-worker", "kill -9 one of two workers", signal.SIGKILL),
    _OfTwo("stop-worker", "SIGSTOP one of two workers past its lease, SIGCONT", signal.SIGSTOP),
    _OfTwo("end-worker", "SIGTERM one of two workers", signal.SIGTERM),
    _Pinned(),
)
