"""The memory of a streamed export stays bounded, whatever the size of the answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.caches import execute, make_cache

from warmcube import AnalyticsCache

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

ROWS = 500_000
LIMIT_MB = 350
ACCESS = """
[roles]
exporter = ["analytics:read:all", "analytics:export:all"]
[[users]]
id = "ana"
roles = ["exporter"]
"""
EXPORT = """
import asyncio, json, re, sys
from warmcube import AnalyticsCache, Query

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) / 1024

async def main():
    async with AnalyticsCache.from_config(sys.argv[1]) as cache:
        grant = await cache.authorize("ana")
        query = Query(datasource=1, measure="m", frequency="f")
        size = 0
        async with await cache.export_stream(query, grant, sys.argv[2]) as stream:
            async for data in stream:
                size += len(data)
        print(json.dumps([stream.meta.origin, stream.rows, size, peak()]))

asyncio.run(main())
"""


async def warm(made: AnalyticsCache) -> None:
    """Warm the table."""
    async with made as cache:
        await cache.warm(1)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    ("kind", "is_warm"),
    [
        ("csv", True),
        ("parquet", False),
        pytest.param("parquet", True, marks=pytest.mark.long),
        pytest.param("csv", False, marks=pytest.mark.long),
    ],
)
def test_a_large_export_stays_below_its_bound(
    tmp_path: Path,
    redis_url: str,
    postgres_db: str,
    kind: str,
    *,
    is_warm: bool,
) -> None:
    """From either tier: all rows, of more than 80 MB as CSV, in less than 350 MB."""
    execute(
        postgres_db,
        f"""
        CREATE UNLOGGED TABLE facts AS
        SELECT 'm' AS measure, (g % 2000)::integer AS practice_uid,
               (g / 2000 % 10)::integer AS provider_uid, 'f' AS frequency,
               DATE '2020-01-01' + (g % 3000)::integer AS date_index,
               ((g::bigint * 7919) % 10000000)::numeric(14, 2) / 100 AS measure_value,
               'text ' || g || repeat('x', 60) AS distinct_text, 'note ' || g % 50 AS note,
               now() - g * interval '1 minute' AS updated_at, g::bigint AS id
        FROM generate_series(1, {ROWS}) g
        """,
    )
    made = make_cache(tmp_path, redis_url, postgres_db, table="public.facts", access=ACCESS)
    if is_warm:
        asyncio.run(warm(made))
    untold = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, tmp_path / "warmcube.toml", kind],
        env=untold,  # what measures coverage takes memory, too
        check=True,
        capture_output=True,
        text=True,
    )
    origin, rows, size, peak_mb = json.loads(done.stdout)
    assert (origin, rows) == ("store" if is_warm else "database", ROWS)
    assert kind == "parquet" or size > 80_000_000
    assert peak_mb < LIMIT_MB
