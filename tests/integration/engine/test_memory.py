"""The memory of a warm stays bounded, whatever the shape of the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.caches import execute, make_cache

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

LIMIT_MB = 400
WARM = """
import asyncio, json, re, sys
from warmcube import AnalyticsCache

async def main():
    async with AnalyticsCache.from_config(sys.argv[1]) as cache:
        report = await cache.warm(1)
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
    print(json.dumps([report.rows, report.partitions, peak / 1024]))

asyncio.run(main())
"""
SHAPES = {
    "one partition": (1, 1000, 20),
    "one practice": (1, 1, 1000),
    "one entry": (1, 1, 1),
    "10,000 partitions": (10_000, 10, 5),
    "many entries": (20, 500, 20),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(
    "rows", [300_000, pytest.param(5_000_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_warm_stays_below_its_bound(
    tmp_path: Path, redis_url: str, postgres_db: str, shape: str, rows: int
) -> None:
    """All rows are kept, in less than 400 MB, as one entry or as 10,000 partitions."""
    measures, practices, providers = SHAPES[shape]
    execute(
        postgres_db,
        f"""
        CREATE UNLOGGED TABLE facts AS
        SELECT 'measure ' || g % {measures} AS measure,
               (g / {measures} % {practices})::integer AS practice_uid,
               (g / {measures} / {practices} % {providers})::integer AS provider_uid,
               'Monthly' AS frequency, DATE '2020-01-01' + (g % 3000)::integer AS date_index,
               ((g::bigint * 7919) % 10000000)::numeric(14, 2) / 100 AS measure_value,
               'text ' || g AS distinct_text, 'note ' || g % 50 AS note, random() AS f,
               now() - g * interval '1 minute' AS updated_at, g::bigint AS id
        FROM generate_series(0, {rows - 1}) g
        """,
    )
    make_cache(tmp_path, redis_url, postgres_db, table="public.facts")
    done = subprocess.run(
        [sys.executable, "-c", WARM, tmp_path / "warmcube.toml"],
        check=True,
        capture_output=True,
        text=True,
    )
    found_rows, partitions, peak_mb = json.loads(done.stdout)
    assert (found_rows, partitions) == (rows, measures)
    assert peak_mb < LIMIT_MB
