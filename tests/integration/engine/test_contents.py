"""What a data source holds, told by the snapshot, or else by the database."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis.asyncio as redis
from tests.support.caches import TABLE, execute, make_cache, select

from warmcube.entry.keys import PartitionName
from warmcube.errors import SourceError, UnknownDatasource


async def test_snapshot_and_database_say_the_same(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """Cold, warm, with the pointer gone, and with a manifest that is gone: each as SQL counts."""
    execute(postgres_db, TABLE)
    counted = {
        PartitionName(*(None if name is None else str(name) for name in names)): rows
        for *names, rows in select(
            postgres_db, "SELECT measure, frequency, count(*) FROM ih.facts GROUP BY 1, 2"
        )
    }
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        cold = await cache.contents(1)
        assert (dict(cold.rows), cold.is_live) == (counted, False)
        await cache.warm(1)
        warm = await cache.contents(1)
        assert (dict(warm.rows), warm.is_live) == (counted, True)
        assert warm.schema == cold.schema
    client = redis.Redis.from_url(redis_url)
    await client.delete(*await client.keys("*:snapshot:*"))
    await client.aclose()
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        damaged = await cache.contents(1)
        assert (dict(damaged.rows), damaged.is_live) == (counted, False)


async def test_what_is_not_there_is_an_error(
    tmp_path: Path, redis_url: str, postgres_db: str
) -> None:
    """No such data source, no such table."""
    async with make_cache(tmp_path, redis_url, postgres_db) as cache:
        with pytest.raises(UnknownDatasource):
            await cache.contents(2)
        with pytest.raises(SourceError):
            await cache.contents(1)
