"""Keys that nobody knows any more: neither the manifest nor ``master``."""

from __future__ import annotations

import re
from typing import Final

import redis

from faults.table import DATASOURCE

__all__ = ["leftovers", "versions"]

_MASTER: Final = f"idx:{{ds:{DATASOURCE}}}:master"
# Written from the design's §2, not from `warmcube.entry`, which it judges.
_VERSIONED: Final = re.compile(
    r"(?:cache|idx):\{ds:\d+:(?P<name>m:[^{}]*:freq:[^{}]*)\}:v(?P<version>\d+-[0-9a-f]{16})(?::.*)?"
)
_CHUNK: Final = re.compile(
    r"cache:meta:\{ds:\d+\}:dict:(?P<column>[^:]*):v(?P<version>\d+-[0-9a-f]{16}):\d+"
)
_VERSION: Final = re.compile(r"\d+-[0-9a-f]{16}")
_SNAPSHOT: Final = re.compile(r"cache:meta:\{ds:\d+\}:snapshot:(?P<version>\d+-[0-9a-f]{16})")


def leftovers(client: redis.Redis) -> dict[str, bool]:
    """All keys of partitions, dictionaries and snapshots that ``master`` doesn't know.

    Returns:
        for each, whether it expires.
    """
    master = {_text(member) for member in client.smembers(_MASTER)}
    known = {
        member.rpartition(":")[0] if member.startswith("dict:") else member for member in master
    }
    found = {}
    for raw in client.scan_iter(count=1000):
        key = _text(raw)
        if match := _VERSIONED.fullmatch(key):
            item = f"{match['name']}:v{match['version']}"
        elif match := _CHUNK.fullmatch(key):
            item = f"dict:{match['column']}:v{match['version']}"
        elif match := _SNAPSHOT.fullmatch(key):
            item = f"snapshot:{match['version']}"
        else:
            continue
        if item not in known:
            found[key] = client.pttl(raw) != -1
    return found


def versions(client: redis.Redis) -> set[str]:
    """Every version that ``master`` knows."""
    members = (_text(member) for member in client.smembers(_MASTER))
    return {found[0] for member in members if (found := _VERSION.search(member))}


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode(errors="replace")
