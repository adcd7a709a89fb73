"""One warm in a process of its own, so that its peak memory is its own: prints one JSON object.

``python -m benchmarks.warm_once CONFIG DATASOURCE [changed]``: only what has changed, or all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.machine import peak_bytes
from warmcube import AnalyticsCache


async def _warm(config: str, datasource: int, *, changed: bool) -> dict[str, Any]:
    async with AnalyticsCache.from_config(config) as cache:
        before = peak_bytes()
        report = await cache.warm(datasource, changed=changed)
        return asdict(report) | {"peak_bytes": peak_bytes(), "peak_bytes_before": before}


if __name__ == "__main__":
    warmed = _warm(sys.argv[1], int(sys.argv[2]), changed=sys.argv[3:] == ["changed"])
    sys.stdout.write(json.dumps(asyncio.run(warmed)))
