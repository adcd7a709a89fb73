"""What a worker tells of what it does, for whoever prints it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from warmcube.compare.report import VerifyReport
from warmcube.warm.report import Progress, WarmReport

__all__ = ["Event", "EventKind", "Tell"]


class EventKind(StrEnum):
    """What happened."""

    STARTED = "started"
    WARMING = "warming"
    PROGRESS = "progress"
    WARMED = "warmed"
    FAILED = "failed"
    GIVEN_UP = "given up"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    LEFT = "left"
    WAITING = "waiting"
    BACK = "back"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: what.
        datasource: to which data source; None if it is of the worker itself.
        reason: why it is warmed.
        progress: how far the warm is.
        report: what the warm did.
        verified: what the verification found.
        error: what went wrong, or why it is left to another worker, in words that hold no secret.
        next_ms: when it is tried or warmed next; Unix milliseconds by the store's clock.
    """

    kind: EventKind
    datasource: int | None = None
    reason: str | None = None
    progress: Progress | None = None
    report: WarmReport | None = None
    verified: VerifyReport | None = None
    error: str | None = None
    next_ms: int | None = None


Tell: TypeAlias = Callable[[Event], None]
"""Told of events, from the event loop; never waits."""
