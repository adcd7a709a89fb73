"""What a snapshot takes in Redis, by the server's own account."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any, Final

import redis

__all__ = ["measure_memory", "used_bytes"]

CHUNK: Final = 1000


def used_bytes(url: str) -> int:
    """``used_memory`` of a server."""
    with closing(redis.Redis.from_url(url)) as client:
        return int(client.info("memory")["used_memory"])


def measure_memory(url: str, used_before: int) -> dict[str, Any]:
    """Memory of the one snapshot that a server holds.

    Args:
        url: of the server.
        used_before: `used_bytes` of it when it was empty.

    Returns:
        what ``used_memory`` grew by, and ``MEMORY USAGE`` of every key, added up: index sets and
        counts (``idx:``), entries, and the rest (manifest, dictionaries, pointer). The former
        also has the tables of all keys and of their expiry, and buffers of connections.
    """
    of_part: Counter[str] = Counter()
    keys: Counter[str] = Counter()
    with closing(redis.Redis.from_url(url)) as client:
        used = int(client.info("memory")["used_memory"])
        found = list(client.scan_iter(count=CHUNK))  # a server of our own
        for at in range(0, len(found), CHUNK):
            chunk = found[at : at + CHUNK]
            pipe = client.pipeline(transaction=False)
            for key in chunk:
                pipe.memory_usage(key, samples=0)
            for key, size in zip(chunk, pipe.execute(), strict=True):
                part = _part(key)
                of_part[part] += size
                keys[part] += 1
    return {
        "used_bytes": used - used_before,
        "entry_bytes": of_part["entries"],
        "index_bytes": of_part["index"],
        "other_bytes": of_part["other"],
        "keys": dict(keys),
        "index_share_of_entries": round(of_part["index"] / of_part["entries"], 4),
    }


def _part(key: bytes) -> str:
    if key.startswith(b"idx:"):
        return "index"
    return "other" if key.startswith((b"cache:meta:", b"lock:")) else "entries"
