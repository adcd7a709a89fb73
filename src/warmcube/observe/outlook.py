"""What comes next of a data source, as the worker that looks after it has written it down."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

from warmcube.entry.keys import Keys
from warmcube.store.api import Command

__all__ = ["OUTLOOK_MS", "Outlook", "pack_outlook", "unpack_outlook", "write_outlook"]

OUTLOOK_MS: Final = 15_000
"""Where no worker has looked for so long, none is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a worker has seen and means to do. It expires: while it is there, a worker is alive.

    Attributes:
        by: which worker looked last.
        state: ``waiting`` for its time, ``due``, ``warming``, or ``held`` (see `held`).
        next_ms: when it will be warmed; Unix milliseconds by the store's clock.
        reason: why then: ``cold``, ``aging``, ``scheduled`` or ``damage``.
        held: why it isn't warmed without anybody's asking.
        failures: how many warms have failed in a row.
        error: of the last of them: the kind of its error, and what it says.
        verify_ms: when it will be verified by its schedule, like `next_ms`.
        damaged: how many partitions are known to be damaged, a damaged manifest counting as one.
    """

    by: str
    state: str
    next_ms: int | None = None
    reason: str | None = None
    held: str | None = None
    failures: int = 0
    error: str | None = None
    damaged: int = 0
    verify_ms: int | None = None


def pack_outlook(outlook: Outlook) -> bytes:
    """An outlook's stored form."""
    return json.dumps(asdict(outlook), separators=(",", ":")).encode()


def unpack_outlook(stored: bytes | None) -> Outlook | None:
    """What `pack_outlook` packed; None if there is none, or none that can be read."""
    if stored is None:
        return None
    try:
        facts = {"verify_ms": None, **json.loads(stored)}  # what older workers don't write
        outlook = Outlook(**{each.name: facts[each.name] for each in fields(Outlook)})
    except (ValueError, KeyError, TypeError):
        return None
    return outlook if _is_sound(outlook) else None


def write_outlook(keys: Keys, outlook: Outlook) -> Command:
    """What has the store keep an outlook, until nobody looks any more."""
    return (b"SET", keys.outlook, pack_outlook(outlook), b"PX", OUTLOOK_MS)


def _is_sound(outlook: Outlook) -> bool:
    """Whether everything has its type, so that nobody who shows it falls over."""
    texts = (outlook.reason, outlook.held, outlook.error)
    counts = (outlook.failures, outlook.damaged)
    return (
        isinstance(outlook.by, str)
        and isinstance(outlook.state, str)
        and all(text is None or isinstance(text, str) for text in texts)
        and all(type(count) is int and count >= 0 for count in counts)
        and all(map(_is_instant, (outlook.next_ms, outlook.verify_ms)))
    )


def _is_instant(at_ms: object) -> bool:
    """Whether it is milliseconds that a date can be made of, or nothing."""
    return at_ms is None or (type(at_ms) is int and 0 <= at_ms < 2**47)
