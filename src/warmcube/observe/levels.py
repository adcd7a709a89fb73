"""What the store holds, for gauges: read when somebody asks, never counted up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from warmcube.errors import StoreError
from warmcube.observe.stats import Stats

__all__ = ["STATES", "Levels", "read_levels"]

STATES: Final = ("never warmed", "cold", "fresh", "stale", "damaged", "disabled")
"""Those of `Stats.state`."""
_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Levels:
    """The statistics of all data sources; none if the store can't be read."""

    is_up: bool = False
    stats: tuple[Stats, ...] = ()


async def read_levels(
    read: Callable[[int], Awaitable[Stats]], datasources: Iterable[int]
) -> Levels:
    """Read them one after the other, so that a scrape never crowds out queries.

    Args:
        read: the statistics of one data source.
        datasources: their ids.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            return Levels(is_up=True, stats=tuple([await read(each) for each in datasources]))
    except (StoreError, TimeoutError):
        return Levels()
