"""When a fault strikes: at a step of a read, of a warm, or of what the database is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from faults import proxy

__all__ = [
    "AT_REST",
    "FALLBACK",
    "GATHERING",
    "READING",
    "STEPS",
    "WARMING",
    "WHEN",
    "WRITING",
    "Moment",
]

Via = Literal["read", "warm", "fallback", "gather"]

_WHEN: Final[dict[proxy.Moment, str]] = {
    "before": "before",
    "middle": "in the middle of",
    "after": "after",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """When a fault strikes.

    Attributes:
        step: of what; "rest" for any time.
        pattern: of the bytes that are then under way; None for any time.
        when: before they are passed on, in the middle of the reply, or after it.
        via: on which way: a reader's or a warm's to the store, a reader's or a warm's to the
            database.
    """

    step: str
    pattern: bytes | None = None
    when: proxy.Moment = "before"
    via: Via = "read"

    @property
    def label(self) -> str:
        """How the report calls it."""
        return "at rest" if self.pattern is None else f"{_WHEN[self.when]} {self.step}"

    @property
    def is_warm(self) -> bool:
        """Whether it is a warm that sends the bytes."""
        return self.via in ("warm", "gather")


def _moments(step: str, pattern: bytes, via: Via) -> tuple[Moment, ...]:
    return tuple(Moment(step, pattern, when, via) for when in _WHEN)


AT_REST: Final = Moment("rest")
READING: Final = (
    AT_REST,
    *_moments("lookup", b":counts", "read"),
    *_moments("fetch", b"cache:{ds:", "read"),
)
"""The moments of a read."""
FALLBACK: Final = _moments("fallback", b"COPY (", "fallback")
"""The moments of a read that the database answers, since the store is empty."""
GATHERING: Final = _moments("reading", b"COPY (", "gather")
"""The moments at which a warm reads the table."""
WRITING: Final = (
    *_moments("write", b"cache:{ds:", "warm"),
    *_moments("verify", b"HLEN", "warm"),
    *_moments("publish", b"Make a snapshot the live one", "warm"),
)
"""The moments at which a snapshot is in the making."""
WARMING: Final = (
    *_moments("lease", b"Start a warm", "warm"),
    *GATHERING,
    *WRITING,
    *_moments("clean-up", b"Mark a snapshot as about to go", "warm"),
)
"""The moments of a warm."""

WHEN: Final = tuple(_WHEN.values())
"""What precedes the name of a step."""
STEPS: Final = tuple(dict.fromkeys(moment.step for moment in (*READING, *FALLBACK, *WARMING)))
"""All steps, in the order of the report."""
