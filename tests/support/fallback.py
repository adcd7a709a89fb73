"""What tests of the fallback share: a cache whose database has a gate, and waiting for others."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.support.caches import ACCESS, make_cache
from tests.support.gate import Gate

from warmcube import AnalyticsCache, Query
from warmcube.embedded import EmbeddedPostgres

__all__ = [
    "CHARGES",
    "SEEN",
    "SLACK",
    "a_cache",
    "children_of",
    "frozen",
    "until",
    "waiting_for_flights",
]

SLACK = 3.0
"""A machine that is busy with other things may take so much longer."""
SEEN = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 3",
    "nobody": "FALSE",
}
CHARGES = Query(datasource=1, measure="Charges", frequency="Monthly", aggregate="count")


@asynccontextmanager
async def a_cache(
    folder: Path, store_url: str, facts: str, *, access: str = ACCESS, **settings: Any
) -> AsyncIterator[tuple[AnalyticsCache, Gate]]:
    """A cache that keeps no answers, and the gate before its database, which is open."""
    settings = {"cache__resident_bytes": 0, "cache__max_pointer_age": 0.0} | settings
    environment = {f"WARMCUBE_{name.upper()}": str(value) for name, value in settings.items()}
    if "cache__query_timeout" in settings:
        environment["CACHE_QUERY_TIMEOUT"] = environment.pop("WARMCUBE_CACHE__QUERY_TIMEOUT")
    async with make_cache(
        folder, store_url, facts, access=access, environment=environment
    ) as cache:
        gate = Gate(cache._parts.sources["main"])
        gate.open.set()
        cache._parts.sources["main"] = gate
        yield cache, gate


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until others have brought something about; how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - no one signals it
            await asyncio.sleep(0.002)
    return time.monotonic() - began


def waiting_for_flights(cache: AnalyticsCache) -> int:
    """How many wait for a read of the database."""
    flights = cache._parts.answerer.shared._flights._flights
    return sum(len(each.waiters) for each in flights.values())


def children_of(pid: int) -> list[int]:
    """The processes that a process has started."""
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in told.split()]


@contextmanager
def frozen(postgres: EmbeddedPostgres) -> Iterator[None]:
    """A database that is silent, with all of its connections open."""
    processes = [postgres.pid, *children_of(postgres.pid)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
