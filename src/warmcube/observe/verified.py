"""What came of the last verification of a data source, as whoever did it has written it down."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Final

__all__ = ["FAILED", "VERDICTS", "VERIFIED_MS", "Verified", "pack_verified", "unpack_verified"]

VERIFIED_MS: Final = 30 * 86_400_000
"""So long it is remembered."""

FAILED: Final = "failed"
"""Of a verification that came to no verdict."""

VERDICTS: Final = ("equal", "changed", "differs", "wrong", "damaged", FAILED)
"""Those of `warmcube.compare.report.Verdict`, and that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """One verification's outcome.

    Attributes:
        at_ms: when it ended, Unix milliseconds by the store's clock.
        verdict: one of `VERDICTS`.
        snapshot: the version that was verified; None where it came to no verdict.
    """

    at_ms: int
    verdict: str
    snapshot: str | None


def pack_verified(verified: Verified) -> bytes:
    """Its stored form."""
    return json.dumps(asdict(verified), separators=(",", ":")).encode()


def unpack_verified(stored: bytes | None) -> Verified | None:
    """What `pack_verified` packed; None if there is none, or none that can be read."""
    if stored is None:
        return None
    try:
        facts = json.loads(stored)
        verified = Verified(**{each.name: facts[each.name] for each in fields(Verified)})
    except (ValueError, KeyError, TypeError):
        return None
    is_sound = (
        type(verified.at_ms) is int
        and 0 <= verified.at_ms < 2**47
        and verified.verdict in VERDICTS
        and (verified.snapshot is None or isinstance(verified.snapshot, str))
    )
    return verified if is_sound else None
