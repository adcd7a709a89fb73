"""While the database is down, the last snapshot serves within its bound; the worker says why."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.worker.test_worker import NOTHING_KEPT, ROWS, Running, run, status_of
from tests.support.caches import TABLE, execute
from tests.support.fallback import SLACK
from tests.support.workers import configure

from warmcube import AnalyticsCache, Query
from warmcube.config import load
from warmcube.embedded import EmbeddedPostgres
from warmcube.entry.keys import Keys
from warmcube.errors import SourceUnavailable
from warmcube.worker.events import EventKind

QUERY = Query(datasource=1, measure="Charges", frequency="Monthly", practices=[101, 102])
LIFE = {"CACHE_TTL": "4", "WARMCUBE_CACHE__STALE_FOR": "5"}


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A database of the test's own, with the table, that may be gone in the end."""
    with EmbeddedPostgres(tmp_path / "postgres") as started:
        execute(started.url, TABLE)
        yield started


@pytest.mark.parametrize("keeps", [False, True])
async def test_the_last_snapshot_serves_until_its_bound(
    tmp_path: Path, redis_url: str, postgres: EmbeddedPostgres, *, keeps: bool
) -> None:
    """It is due to be warmed anew and can't be: answers go on, marked as stale once they are.

    Every process can see why. Beyond the bound there is no answer, but an error that says why.
    """
    file = configure(tmp_path, redis_url, postgres.url, more="[worker]\npause = 0.2")
    environment = LIFE | ({} if keeps else NOTHING_KEPT)
    async with AnalyticsCache(load(file, environment)) as cache:
        report = await cache.warm(1)
        root = await cache.authorize("root")
        os.kill(postgres.pid, signal.SIGQUIT)
        stale = []
        current = Keys("", 1).current
        async with Running(cache, 1) as running:
            while True:
                was_there = await run(cache, b"EXISTS", current)
                try:
                    result = await cache.query(QUERY, root)
                except SourceUnavailable:
                    assert not await run(cache, b"EXISTS", current)
                    break
                assert was_there or keeps
                assert (len(result.rows()), result.meta.snapshot) == (ROWS, report.snapshot)
                stale.append(result.meta.stale)
                await asyncio.sleep(0.05)
            failed = await running.until(EventKind.FAILED, 2)
            assert all("can't be reached" in str(event.error) for event in failed)
            told = (await status_of(cache, 1)).datasources[0].as_dict()
            assert "can't be reached" in str(told["error"])
            assert int(str(told["failures"])) >= 2
            began = time.monotonic()
            with pytest.raises(SourceUnavailable, match="can't be reached"):
                await cache.query(QUERY, root)
            assert time.monotonic() - began < 1 + SLACK
        assert stale == sorted(stale)
        assert stale[-1]
