"""Warmers: in this process, or in one of their own that can be killed and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Literal, TypeAlias

from faults.processes import Process, begin
from faults.table import DATASOURCE
from faults.warm_once import warm
from warmcube import AnalyticsCache, WarmcubeError
from warmcube.warm.steer import Steered

__all__ = ["LEASE", "LONG_LEASE", "Action", "Warmers"]

Action: TypeAlias = Literal["invalidate", "rollback", "unpin", "disable", "enable"]
"""What an operator may do to a live snapshot."""

LEASE: Final = 2.0
"""Seconds for which a warmer that died keeps others out, where somebody waits for that."""
LONG_LEASE: Final = 30.0
"""The same where no lease may run out, however busy the machine is."""
_AGAIN: Final = 0.1


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
        self.lease = LEASE
        """Seconds of the leases of warms that begin from now on."""

    async def warm(self) -> str | None:
        """Warm once in this process; what went wrong, if anything."""
        try:
            await warm(self._config, self.lease)
        except WarmcubeError as error:
            return f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self.unclear.append(f"{type(error).__name__}: {error}")
            return self.unclear[-1]
        self.done += 1
        return None

    async def warm_at_last(self, seconds: float = 30) -> str | None:
        """Warm as soon as it can be done; why it couldn't, if so."""
        trouble: str | None = None
        try:
            async with asyncio.timeout(seconds):
                while (trouble := await self.warm()) is not None:
                    await asyncio.sleep(_AGAIN)
        except TimeoutError:
            return trouble or f"it was not done within {seconds:g} s"
        return None

    async def begin_process(self, *, skew: float = 0) -> Process:
        """Begin a warm in a process of its own.

        Args:
            skew: seconds that its clock is ahead.
        """
        return await begin("faults.warm_once", self._config, str(self.lease), skew=skew)

    async def steer(self, action: Action) -> Steered | None:
        """Do what an operator does.

        Returns:
            how the data source stands then; None of an invalidation.

        Raises:
            WarmcubeError: it can't be done.
        """
        async with AnalyticsCache.from_config(self._config) as cache:
            done = await getattr(cache, action)(DATASOURCE)
        return done if isinstance(done, Steered) else None
