"""A baseline's whole warm in a process of its own, on an empty place: prints one JSON object.

``python -m benchmarks.baseline_once NAME REDIS_URL POSTGRES_URL FOLDER TABLE PREFIX DATASOURCE``
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.baselines import BASELINES, Place
from benchmarks.machine import peak_bytes

__all__ = ["arguments_of"]


def arguments_of(name: str, place: Place) -> list[str]:
    """What this is started with."""
    folder, datasource = str(place.folder), str(place.datasource)
    return [
        name,
        place.redis_url,
        place.postgres_url,
        folder,
        place.table,
        place.prefix,
        datasource,
    ]


async def _warm(name: str, place: Place) -> dict[str, Any]:
    (opener,) = BASELINES[name]
    async with opener(place) as baseline:
        await baseline.clear()
        started = time.perf_counter()
        await baseline.warm()
        seconds = time.perf_counter() - started
        used = getattr(baseline, "used_bytes", None)
    return {"seconds": round(seconds, 3), "peak_bytes": peak_bytes(), "used_bytes": used}


def _main() -> None:
    name, redis_url, postgres_url, folder, table, prefix, datasource = sys.argv[1:]
    place = Place(
        redis_url=redis_url,
        postgres_url=postgres_url,
        folder=Path(folder),
        table=table,
        prefix=prefix,
        datasource=int(datasource),
    )
    sys.stdout.write(json.dumps(uvloop.run(_warm(name, place))))


if __name__ == "__main__":
    _main()
