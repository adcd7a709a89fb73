"""One warm in a process of its own: ``python -m faults.warm_once CONFIG LEASE``.

What ``warmcube warm --force`` does, with a lease that is over sooner.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from faults.table import DATASOURCE
from warmcube import AnalyticsCache, WarmcubeError

__all__ = ["main", "shorten", "warm"]


def shorten(cache: AnalyticsCache, lease_seconds: float) -> None:
    """Let leases of warms, and of their jobs, be over so soon."""
    warmer, ledger = cache._parts.upkeep._warmer, cache._parts.jobs
    warmer._settings = replace(warmer._settings, lease_seconds=lease_seconds)
    ledger._alive_ms = int(lease_seconds * 1000)


async def warm(config: str | Path, lease_seconds: float) -> None:
    """Warm the data source.

    Args:
        config: the configuration.
        lease_seconds: how long a dead warmer, or its job, keeps others out.
    """
    async with AnalyticsCache.from_config(config) as cache:
        shorten(cache, lease_seconds)
        await cache.warm(DATASOURCE, force=True)


def main() -> None:
    """Warm, and say what went wrong."""
    config, lease_seconds = sys.argv[1:]
    try:
        asyncio.run(warm(config, float(lease_seconds)))
    except WarmcubeError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
