"""The workers that are alive, as the store has them: each shows itself, and lapses by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Final

from warmcube.entry.keys import WORKER_KEYS
from warmcube.store.api import Command, Store

__all__ = ["ALIVE_MS", "WorkerCard", "Workers"]

ALIVE_MS: Final = 15_000
"""A worker that has given no sign for so long is dead."""

_KEEP_MS: Final = 3_600_000
_MOST: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCard:
    """What a worker says of itself.

    Attributes:
        id: of the worker; new with each start.
        host: where it runs.
        process: its number there.
        version: of warmcube.
        since_ms: when it started, Unix milliseconds by the store's clock.
        datasources: the ids of those that it looks after.
        warming: the ids of those that it warms now.
        concurrency: how many it warms at a time.
        is_ending: whether it was told to end, and begins nothing any more.
        is_once: whether it does what is due, and ends.
        configurations: by the ids of those that it looks after, what stands for how they are
            configured.
        leaves: the ids of those that it leaves to a worker with another configuration.
    """

    id: str
    host: str
    process: int
    version: str
    since_ms: int
    datasources: tuple[int, ...]
    warming: tuple[int, ...] = ()
    concurrency: int = 1
    is_ending: bool = False
    is_once: bool = False
    configurations: Mapping[int, str] = field(default_factory=dict)
    leaves: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it, with the instant in ISO 8601."""
        facts = asdict(self)
        since = datetime.fromtimestamp(facts.pop("since_ms") / 1000, UTC)
        return {**facts, "since": since.isoformat(timespec="milliseconds")}


class Workers:
    """Shows workers, and lists those that are alive.

    Args:
        store: where they are.
        namespace: in front of every key.
    """

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._all = namespace.encode() + WORKER_KEYS

    def sign(self, card: WorkerCard, now_ms: int) -> list[Command]:
        """What has the store know that a worker is alive."""
        key = self._key(card.id)
        packed = json.dumps(asdict(card), separators=(",", ":")).encode()
        return [
            (b"SET", key, packed, b"PX", ALIVE_MS),
            (b"ZADD", self._all, now_ms, card.id.encode()),
            (b"ZREMRANGEBYSCORE", self._all, b"-inf", now_ms - _KEEP_MS),
            (b"PEXPIRE", self._all, _KEEP_MS),
        ]

    async def withdraw(self, card: WorkerCard) -> None:
        """Know that a worker is gone.

        Raises:
            StoreError: the store.
        """
        await self._store.run(
            [(b"DEL", self._key(card.id)), (b"ZREM", self._all, card.id.encode())]
        )

    async def alive(self) -> tuple[WorkerCard, ...]:
        """Those that are alive, the oldest first.

        Raises:
            StoreError: the store.
        """
        (ids,) = await self._store.run([(b"ZRANGE", self._all, 0, _MOST - 1)])
        if not ids:
            return ()
        cards = await self._store.run([(b"GET", self._key(each.decode())) for each in ids])
        found = filter(None, map(_unpack, cards))
        return tuple(sorted(found, key=lambda card: (card.since_ms, card.id)))

    def _key(self, id: str) -> bytes:
        return self._all + b":" + id.encode()


def _unpack(stored: bytes | None) -> WorkerCard | None:
    """A card; None if it is gone or can't be read."""
    if stored is None:
        return None
    try:
        facts = json.loads(stored)
        # What another version of warmcube doesn't know isn't there.
        known = {each.name: facts[each.name] for each in fields(WorkerCard) if each.name in facts}
        for name in ("datasources", "warming", "leaves"):
            known[name] = tuple(int(each) for each in known.get(name, ()))
        configurations = known.get("configurations", {}).items()
        known["configurations"] = {int(number): str(digest) for number, digest in configurations}
        card = WorkerCard(**known)
        card.as_dict()
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, OSError):
        return None
    return card
