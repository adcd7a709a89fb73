"""How much memory a snapshot will take, and whether the store has it. Pure.

The constants are what Redis 6.2 spends beside the bytes themselves: per key a dictionary entry, an
object, two string headers and an expiry entry; per member of the partition's list itself and two
lengths; per member of an index set of its own, or field of a hash that isn't packed, a dictionary
entry and string headers; rounded up to the allocator's classes. That sets are inlined and hashes
packed, as most are, isn't counted on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from warmcube.errors import StoreTooSmall
from warmcube.store.api import Memory

__all__ = [
    "MAX_SHARE",
    "check_policy",
    "free_bytes",
    "predict_bytes",
    "predict_sums_bytes",
    "too_small",
]

MAX_SHARE: Final = 0.9
"""Of ``maxmemory``: the rest is for clients' buffers, other keys and what the allocator wastes."""

KEY_OVERHEAD: Final = 200
MEMBER_BYTES: Final = 40
FIELDS_PER_ENTRY: Final = 2 * 60


def predict_bytes(rows: int, width: int, text_bytes: int, entries: int, label: int) -> int:
    """What a snapshot will take in the store.

    Args:
        rows: of the snapshot.
        width: bytes of a record.
        text_bytes: of texts that have no dictionary.
        entries: of the snapshot.
        label: bytes of a typical key.
    """
    per_entry = KEY_OVERHEAD + label + 32 + MEMBER_BYTES + FIELDS_PER_ENTRY
    return rows * width + text_bytes + entries * per_entry


def predict_sums_bytes(rows: int, width: int, entries: int, practices: int, label: int) -> int:
    """What practice-level sums will take beside it, if all providers of a practice share its dates.

    Args:
        rows: of the snapshot.
        width: bytes of a record of sums.
        entries: of the snapshot.
        practices: of its partitions, added up.
        label: bytes of a typical key.
    """
    if entries < 2 * practices:  # most have one entry, and no sums
        return 0
    return rows * practices // entries * width + practices * (KEY_OVERHEAD + label + 32)


def check_policy(memories: Sequence[Memory], *, allow_eviction: bool) -> None:
    """Refuse a server that would evict the live snapshot.

    Raises:
        StoreTooSmall: if a master's policy is one of ``allkeys-*``.
    """
    for memory in memories:
        if memory.policy.startswith("allkeys-") and memory.limit and not allow_eviction:
            raise StoreTooSmall(
                f"{memory.node} has maxmemory-policy {memory.policy}, which evicts keys of the "
                "live snapshot when memory runs short; set it to noeviction or volatile-ttl, or "
                "accept that with [store] allow_eviction = true"
            )


def free_bytes(memories: Sequence[Memory]) -> int | None:
    """What may still be used on the fullest master; None where there is no limit."""
    free = [int(m.limit * MAX_SHARE) - m.used for m in memories if m.limit]
    return min(free) if free else None


def too_small(memories: Sequence[Memory], predicted: int, reserved: int) -> StoreTooSmall:
    """The error for a snapshot that doesn't fit, with the figures."""
    figures = "; ".join(
        f"{m.node} uses {_mega(m.used)} of {_mega(m.limit)}" for m in memories if m.limit
    )
    others = f", other warms have reserved {_mega(reserved)}" if reserved else ""
    return StoreTooSmall(
        f"the snapshot needs about {_mega(predicted)}, but {figures}{others}, and at most "
        f"{MAX_SHARE:.0%} may be filled; raise maxmemory, or keep less in this server"
    )


def _mega(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
