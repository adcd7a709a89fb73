"""A worker in a process of its own: ``python -m faults.work CONFIG LEASE``.

``warmcube worker``, with a lease that is over sooner.
"""

from __future__ import annotations

import sys
from typing import Any

from faults.warm_once import shorten
from warmcube import AnalyticsCache
from warmcube.cli import main as warmcube

__all__ = ["main"]


def main() -> None:
    """Work until told to stop."""
    config, lease_seconds = sys.argv[1:]
    enter = AnalyticsCache.__aenter__

    async def enter_shortened(cache: AnalyticsCache) -> Any:
        await enter(cache)
        shorten(cache, float(lease_seconds))
        return cache

    AnalyticsCache.__aenter__ = enter_shortened  # type: ignore[method-assign,assignment]
    sys.argv = ["warmcube", "--config", config, "worker", "--json"]
    warmcube()


if __name__ == "__main__":
    main()
