"""How long to wait after failures. Pure: chance comes from a text, so all processes agree."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

__all__ = ["Pauses", "chance"]

_VARIES: Final = 0.2
"""By which share of itself a pause may be shorter."""


def chance(text: str) -> float:
    """A number from 0 up to 1, the same for the same text."""
    digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """Pauses that double from failure to failure, up to a bound.

    Attributes:
        first_ms: after the first failure.
        longest_ms: never longer.
    """

    first_ms: int
    longest_ms: int

    def after(self, failures: int, roll: float, *, longest_ms: int | None = None) -> int:
        """How long to wait, in milliseconds.

        Args:
            failures: how many there were in a row, from 1.
            roll: from 0 up to 1; the higher, the shorter.
            longest_ms: a closer bound.
        """
        bound = self.longest_ms if longest_ms is None else min(self.longest_ms, longest_ms)
        doublings = min(failures - 1, 40)  # beyond that any pause is longer than its bound
        whole = min(self.first_ms << doublings, bound)
        return max(1, round(whole * (1 - _VARIES * roll)))
