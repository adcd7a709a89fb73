"""`Identity`: who sends a request, and how that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Identity", "Method"]

Method: TypeAlias = Literal["token", "session", "embedded"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request; what they may is for the directory to say.

    Attributes:
        user: the id in the directory.
        actor: who asks, for the audit.
        method: how that is known.
        valid_until: Unix seconds up to which it may be relied on; None where nothing ends it.
    """

    user: str
    actor: str
    method: Method
    valid_until: float | None = None
