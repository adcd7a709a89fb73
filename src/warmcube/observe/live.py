"""What the store says of a data source's live snapshot, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest, answers_for, unpack_manifest
from warmcube.entry.seal import Seal, unseal
from warmcube.errors import Damage
from warmcube.model.schema import Datasource
from warmcube.store.api import Store

__all__ = ["Live", "WhyCold", "read_live"]

_HISTORY: Final = 500  # as many events as scripts keep


class WhyCold(StrEnum):
    """Why no snapshot can serve."""

    NEVER_WARMED = "never warmed"
    GONE = "its snapshot has expired or was invalidated"
    DAMAGED = "its manifest is damaged"
    OUTDATED = "its snapshot is of another table, or of another version of warmcube"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What one look found.

    Attributes:
        why_cold: None if a snapshot can serve.
        lock: the lease of whoever is warming.
        now_ms: the store's clock, Unix milliseconds.
        manifest: of the snapshot that can serve.
        published_ms: when it was published; None if that is lost.
        hits: answers from it, as far as processes have reported them.
        misses: answers that the database had to give meanwhile.
        outlook: what a worker has written of what comes next.
    """

    why_cold: WhyCold | None
    lock: bytes | None
    now_ms: int
    manifest: Manifest | None = None
    published_ms: int | None = None
    hits: int = 0
    misses: int = 0
    outlook: bytes | None = None


async def read_live(store: Store, keys: Keys, datasource: Datasource, using: Seal) -> Live:
    """Look once.

    Raises:
        StoreError: the store.
    """
    current, lock, last_warm, outlook, events = await store.run(
        [
            (b"GET", keys.current),
            (b"GET", keys.lock),
            (b"GET", keys.last_warm),
            (b"GET", keys.outlook),
            (b"XREVRANGE", keys.history, b"+", b"-", b"COUNT", _HISTORY),
        ]
    )
    now = await store.now_ms()
    if current is None:
        was_warm = any(b"publish" in pairs for _, pairs in events)
        why = WhyCold.GONE if was_warm else WhyCold.NEVER_WARMED
        return Live(why_cold=why, lock=lock, now_ms=now, outlook=outlook)
    try:
        version = Version.parse(current)
        key = keys.manifest(str(version))
        value, uses = await store.run(
            [(b"GET", key), (b"HMGET", keys.uses(str(version)), b"hit", b"miss")]
        )
        manifest = unpack_manifest(unseal(using, key, value, "the manifest"))
    except Damage:
        return Live(why_cold=WhyCold.DAMAGED, lock=lock, now_ms=now, outlook=outlook)
    if manifest is None or not answers_for(manifest, datasource):
        return Live(why_cold=WhyCold.OUTDATED, lock=lock, now_ms=now, outlook=outlook)
    hits, misses = (int(count or 0) for count in uses)
    return Live(
        why_cold=None,
        lock=lock,
        now_ms=now,
        manifest=manifest,
        published_ms=int(last_warm) if last_warm else None,
        hits=hits,
        misses=misses,
        outlook=outlook,
    )
