"""What lies in Redis, by the server's own account."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any, Final

import redis

from benchmarks.data import FREQUENCIES
from benchmarks.setting import DATASOURCE, Setting
from warmcube.entry.keys import Keys, PartitionName, member_of

__all__ = ["describe", "measure_memory", "used_bytes"]

CHUNK: Final = 1000


def used_bytes(url: str) -> int:
    """``used_memory`` of a server."""
    with closing(redis.Redis.from_url(url)) as client:
        return int(client.info("memory")["used_memory"])


def measure_memory(setting: Setting, datasource: int = DATASOURCE) -> dict[str, Any]:
    """Memory of the one snapshot that there is of a data source.

    Returns:
        ``MEMORY USAGE`` of every key, added up: index sets and counts (``idx:``), entries,
        practice-level sums, and the rest (manifest, dictionaries, pointer).
    """
    of_part: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    tag = f"{{ds:{datasource}".encode()
    with closing(redis.Redis.from_url(setting.redis_url)) as client:
        found = [
            key
            for key in client.scan_iter(match=f"{setting.namespace}*", count=CHUNK)
            if tag + b":" in key or tag + b"}" in key
        ]
        for at in range(0, len(found), CHUNK):
            chunk = found[at : at + CHUNK]
            pipe = client.pipeline(transaction=False)
            for key in chunk:
                pipe.memory_usage(key, samples=0)
            for key, size in zip(chunk, pipe.execute(), strict=True):
                part = _part(key.removeprefix(setting.namespace.encode()))
                of_part[part] += size
                keys[part] += 1
    return {
        "entry_bytes": of_part["entries"],
        "index_bytes": of_part["index"],
        "sums_bytes": of_part["sums"],
        "other_bytes": of_part["other"],
        "snapshot_bytes": of_part.total(),
        "keys": dict(keys),
        "index_share_of_entries": round(of_part["index"] / of_part["entries"], 4),
    }


def describe(setting: Setting, datasource: int = DATASOURCE) -> dict[str, Any]:
    """The width of a record, and whether practices have sums of their own, as the store says."""
    keys = Keys(setting.namespace, datasource)
    with closing(redis.Redis.from_url(setting.redis_url)) as client:
        current: Any = client.get(keys.current)
        sizes = {}
        for frequency in ("Monthly", "Quarterly"):
            own = keys.partition(PartitionName("Measure 0", frequency), current.decode())
            sizes[frequency] = client.strlen(own.entry(member_of("100", "10000")))
        has_sums = client.exists(own.entry_prefix + b"p:100:sums")
    dates = FREQUENCIES["Monthly"] - FREQUENCIES["Quarterly"]
    return {
        "record_bytes": (sizes["Monthly"] - sizes["Quarterly"]) // dates,
        "practice_sums": bool(has_sums),
    }


def _part(key: bytes) -> str:
    if key.startswith(b"idx:"):
        return "index"
    if key.startswith((b"cache:meta:", b"lock:")):
        return "other"
    return "sums" if key.endswith(b":sums") else "entries"
