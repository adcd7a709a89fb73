"""Warmers: in this process, or in one of their own that can be killed and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from faults.serve import ROOT
from faults.table import DATASOURCE
from faults.warm_once import warm
from warmcube import AnalyticsCache, WarmcubeError

__all__ = ["LEASE", "WarmProcess", "Warmers"]

LEASE: Final = 2.0
"""Seconds for which a warmer that died keeps others out; 30 where nobody waits for it."""
_AGAIN: Final = 0.1


@dataclass(slots=True)
class WarmProcess:
    """A warm in a process of its own."""

    process: asyncio.subprocess.Process

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.process.returncode is None:
            os.kill(self.process.pid, number)

    async def end(self, seconds: float = 60) -> str | None:
        """Wait for its end; what it said was wrong, if anything."""
        try:
            async with asyncio.timeout(seconds):
                _, told = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return "it did not end in time"
        if self.process.returncode == 0:
            return None
        return told.decode(errors="replace").strip() or f"status {self.process.returncode}"


class Warmers:
    """Warms the data source, whoever is asked to.

    Args:
        config: of the warmers.
    """

    def __init__(self, config: Path) -> None:
        self._config = config
        self.unclear: list[str] = []
        """Errors of warms that warmcube doesn't raise on purpose."""
        self.turn = asyncio.Lock()
        """Whoever holds it is the only one of this process who warms."""
        self.done = 0
        """How many have published."""

    async def warm(self) -> str | None:
        """Warm once in this process; what went wrong, if anything."""
        try:
            await warm(self._config, LEASE)
        except WarmcubeError as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self.unclear.append(f"{type(error).__name__}: {error}")
            return self.unclear[-1]
        self.done += 1
        return None

    async def warm_at_last(self, seconds: float = 30) -> str | None:
        """Warm as soon as it can be done; why it couldn't, if so."""
        deadline = time.monotonic() + seconds
        while (trouble := await self.warm()) is not None and time.monotonic() < deadline:
            await asyncio.sleep(_AGAIN)
        return trouble

    async def begin_process(self, *, skew: float = 0) -> WarmProcess:
        """Begin a warm in a process of its own.

        Args:
            skew: seconds that its clock is ahead.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "faults.warm_once",
            str(self._config),
            str(LEASE),
            str(skew),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        return WarmProcess(process)

    async def invalidate(self) -> str | None:
        """Invalidate the data source; what went wrong, if anything."""
        try:
            async with AnalyticsCache.from_config(self._config) as cache:
                await cache.invalidate(DATASOURCE)
        except WarmcubeError as error:
            return f"{type(error).__name__}: {error}"
        return None
