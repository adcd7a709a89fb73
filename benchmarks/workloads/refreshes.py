"""A refresh after one part in a hundred of the partitions has changed, against a whole warm."""

from __future__ import annotations

from statistics import median
from typing import Any, Final

from adbc_driver_postgresql import dbapi

from benchmarks.bench import Bench
from benchmarks.data import FREQUENCIES
from benchmarks.setting import DATASOURCE
from benchmarks.workloads.warms import warm_once
from warmcube import AnalyticsCache

__all__ = ["measure"]

SHARE: Final = 100
"""One partition in so many has changed; at least one."""


async def measure(bench: Bench) -> None:
    """Warm whole, and then only what has changed, in turns; each in a process of its own.

    The whole warm is one that takes no fingerprints, as plain ones don't. What is changed is an
    instant that no other workload looks at.
    """
    setting, rounds = bench.setting, bench.effort.warms
    wholes: list[dict[str, Any]] = []
    refreshes: list[dict[str, Any]] = []
    partitions = bench.shape.measures * len(FREQUENCIES)
    changed = max(1, partitions // SHARE)
    for number in range(rounds):
        bench.tell(f"refresh {number + 1} of {rounds}")
        async with AnalyticsCache.from_config(setting.config) as cache:
            await cache.invalidate(DATASOURCE)
        wholes.append(warm_once(setting))
        warm_once(setting, changed=True)  # the first one takes the fingerprints
        _touch(setting.postgres_url, setting.table(), changed)
        refreshes.append(warm_once(setting, changed=True))
        if refreshes[-1]["refreshed"] != changed or refreshes[-1]["because"]:
            raise RuntimeError(f"{refreshes[-1]['refreshed']} partitions were read, not {changed}")
    seconds = {
        name: round(median(each["seconds"] for each in found), 3)
        for name, found in (("whole", wholes), ("changed", refreshes))
    }
    ordered = sorted(refreshes, key=lambda each: float(each["seconds"]))
    bench.figures["refresh"] = {
        "rounds": rounds,
        "seconds": seconds,
        "seconds_all": {
            "whole": [each["seconds"] for each in wholes],
            "changed": [each["seconds"] for each in refreshes],
        },
        "phases": ordered[(len(ordered) - 1) // 2]["phases"],
        "refreshed": changed,
        "partitions": partitions,
        "peak_bytes": max(each["peak_bytes"] or 0 for each in refreshes),
    }
    bench.ratios.divide(
        "changed_vs_warm",
        ("refresh s", seconds["changed"]),
        ("whole warm s", seconds["whole"]),
        note=f"{changed} of {partitions} partitions changed",
    )


def _touch(url: str, table: str, partitions: int) -> None:
    """Change some rows of some partitions."""
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET updated_at = updated_at + interval '1 second'"  # noqa: S608
            f" WHERE practice_uid = (SELECT min(practice_uid) FROM {table})"
            " AND (measure, frequency) IN ("
            f"SELECT DISTINCT measure, frequency FROM {table} WHERE frequency = 'Monthly'"
            f" ORDER BY 1, 2 LIMIT {partitions})"
        )
