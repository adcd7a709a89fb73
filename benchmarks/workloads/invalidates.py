"""Invalidating: how long it takes, and how long it keeps the server from answering others."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import asdict
from typing import Self

import redis

from benchmarks.bench import Bench
from benchmarks.measure import summary
from benchmarks.setting import DATASOURCE
from benchmarks.workloads.warms import warm_once
from warmcube import AnalyticsCache

__all__ = ["measure"]


async def measure(bench: Bench) -> None:
    """Take the snapshot away, with somebody else asking the server for a PING all the time."""
    seconds: list[float] = []
    pings: list[float] = []
    for number in range(bench.effort.warms):
        bench.tell(f"invalidating, {number + 1} of {bench.effort.warms}")
        async with AnalyticsCache.from_config(bench.setting.config) as cache:
            with _Pinger(bench.setting.redis_url) as pinger:
                started = time.perf_counter()
                await cache.invalidate(DATASOURCE)
                seconds.append(time.perf_counter() - started)
            pings += pinger.seconds
        warm_once(bench.setting)
    bench.figures["invalidate"] = {
        "entries": bench.shape.entries,
        "times": asdict(summary(seconds)),
        "pings": {**asdict(summary(pings)), "longest": round(max(pings) * 1000, 3)},
    }


class _Pinger:
    """Somebody who uses the server meanwhile."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.seconds: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(redis.Redis.from_url(self._url)) as client:
            client.ping()
            while not self._is_over.is_set():
                started = time.perf_counter()
                client.ping()
                self.seconds.append(time.perf_counter() - started)
                time.sleep(0.0005)
