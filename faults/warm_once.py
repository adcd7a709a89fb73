"""One warm in a process of its own: ``python -m faults.warm_once CONFIG LEASE SKEW``.

What ``warmcube warm --force`` does, with a lease that is over sooner, and with a clock that is off.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

from faults.table import DATASOURCE
from warmcube import AnalyticsCache, WarmcubeError

__all__ = ["main", "warm"]


async def warm(config: str | Path, lease_seconds: float) -> None:
    """Warm the data source.

    Args:
        config: the configuration.
        lease_seconds: how long a dead warmer, or its job, keeps others out.
    """
    async with AnalyticsCache.from_config(config) as cache:
        warmer, ledger = cache._parts.upkeep._warmer, cache._parts.jobs
        warmer._settings = replace(warmer._settings, lease_seconds=lease_seconds)
        ledger._alive_ms = int(lease_seconds * 1000)
        await cache.warm(DATASOURCE, force=True)


def _skew(seconds: float) -> None:
    """Have this process take another time for now."""
    real = time.time
    time.time = lambda: real() + seconds


def main() -> None:
    """Warm, and say what went wrong."""
    config, lease_seconds, skew = sys.argv[1:]
    if float(skew):
        _skew(float(skew))
    try:
        asyncio.run(warm(config, float(lease_seconds)))
    except WarmcubeError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
