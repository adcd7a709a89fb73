"""Who somebody is, as far as their credentials say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Identity", "Method"]

Method: TypeAlias = Literal["token", "session", "embedded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who asks.

    Attributes:
        user: their id in the directory, which alone says what they may.
        actor: who asks for them, for the audit.
        method: how they were recognised; ``embedded`` by the application around the engine.
        valid_until: Unix seconds from which on their credentials are over; None if never.
    """

    user: str
    actor: str
    method: Method
    valid_until: float | None = None
