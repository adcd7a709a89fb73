"""What the store says of a data source's live snapshot, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.entry.manifest import Manifest, answers_for, unpack_manifest
from warmcube.entry.pointer import parse_pointer
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
        is_disabled: whether it is switched off, so that the database answers although one can.
        pinned_by: who rolled it back, so that nothing warms it without being asked.
        kept: the versions of superseded snapshots that are kept, the last one first.
        verified: what came of the last verification.
    """

    why_cold: WhyCold | None
    lock: bytes | None
    now_ms: int
    manifest: Manifest | None = None
    published_ms: int | None = None
    hits: int = 0
    misses: int = 0
    outlook: bytes | None = None
    is_disabled: bool = False
    pinned_by: str | None = None
    kept: tuple[bytes, ...] = ()
    verified: bytes | None = None


async def read_live(store: Store, keys: Keys, datasource: Datasource, using: Seal) -> Live:
    """Look once.

    Raises:
        StoreError: the store.
    """
    current, lock, last_warm, outlook, pin, kept, verified, events = await store.run(
        [
            (b"GET", keys.current),
            (b"GET", keys.lock),
            (b"GET", keys.last_warm),
            (b"GET", keys.outlook),
            (b"GET", keys.pin),
            (b"LRANGE", keys.kept, 0, -1),
            (b"GET", keys.verified),
            (b"XREVRANGE", keys.history, b"+", b"-", b"COUNT", _HISTORY),
        ]
    )
    found = partial(
        Live,
        lock=lock,
        now_ms=await store.now_ms(),
        outlook=outlook,
        is_disabled=current is not None and current.startswith(b"disabled"),
        pinned_by=None if pin is None else pin.decode(errors="replace"),
        kept=tuple(kept),
        verified=verified,
    )
    try:
        version = parse_pointer(current).version
        if version is None:
            was_warm = any(b"publish" in pairs for _, pairs in events)
            return found(why_cold=WhyCold.GONE if was_warm else WhyCold.NEVER_WARMED)
        key = keys.manifest(str(version))
        value, uses = await store.run(
            [(b"GET", key), (b"HMGET", keys.uses(str(version)), b"hit", b"miss")]
        )
        if value is None and current.startswith(b"disabled"):
            return found(why_cold=WhyCold.GONE)  # it has expired behind the switch
        manifest = unpack_manifest(unseal(using, key, value, "the manifest"))
    except Damage:
        return found(why_cold=WhyCold.DAMAGED)
    if manifest is None or not answers_for(manifest, datasource):
        return found(why_cold=WhyCold.OUTDATED)
    hits, misses = (int(count or 0) for count in uses)
    return found(
        why_cold=None,
        manifest=manifest,
        published_ms=int(last_warm) if last_warm else None,
        hits=hits,
        misses=misses,
    )
