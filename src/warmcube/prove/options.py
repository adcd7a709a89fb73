"""What a proof is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

__all__ = ["DEFAULT_CASES", "MOST_USERS", "Options", "ProgressCallback"]

DEFAULT_CASES: Final = 2_000
MOST_USERS: Final = 500
"""So many are asked as, unless told otherwise."""

ProgressCallback: TypeAlias = Callable[[int, int, int], None]
"""Told how many cases are done, how many there will be, and how many were wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a proof is done.

    Attributes:
        datasources: ids; all of them if empty.
        users: whom to ask as; all of them, or a sample, if empty.
        sample: how many users at most.
        cases: how many in all, at least; every user gets a few.
        seed: of what is tried.
        seconds: after so many it ends, and says so; None for no end.
        is_database: prove what the database answers without the cache.
    """

    datasources: Sequence[int] = ()
    users: Sequence[str] = ()
    sample: int = MOST_USERS
    cases: int = DEFAULT_CASES
    seed: int = 0
    seconds: float | None = None
    is_database: bool = False
