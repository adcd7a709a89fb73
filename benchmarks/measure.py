"""Durations: taken in turns, so that whatever disturbs the machine disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Final

__all__ = ["AT_A_TURN", "Summary", "in_turns", "summary"]

AT_A_TURN: Final = 10
"""Questions that each asks before the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Some durations of one thing, in milliseconds."""

    samples: int
    least: float
    p50: float
    p95: float
    p99: float


def summary(seconds: list[float]) -> Summary:
    """Percentiles by nearest rank: each is a duration that was really measured."""
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return round(ordered[ceil(share * len(ordered)) - 1] * 1000, 3)

    return Summary(
        samples=len(ordered),
        least=round(ordered[0] * 1000, 3),
        p50=at(0.50),
        p95=at(0.95),
        p99=at(0.99),
    )


async def in_turns(
    what: Mapping[str, Callable[[int], Awaitable[object]]],
    rounds: int,
    unmeasured: int,
    before: Mapping[str, Callable[[int], Awaitable[object]]] | None = None,
    at_a_turn: int = 1,
) -> dict[str, Summary]:
    """Time several things.

    Args:
        what: by name; each is called with the number of the round, and must do the same work as
            the others of that round.
        rounds: how many are measured; each begins with another one of them.
        unmeasured: how many go before.
        before: by name, what is done untimed before each: so that something short isn't measured
            with the caches that something long has emptied.
        at_a_turn: how many rounds one of them does before the next. Each of them is timed; as in a
            process that does nothing else, most find in the processor's caches what they need.
    """
    names = list(what)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for begin in range(0, unmeasured + rounds, at_a_turn):
        turn = range(begin, min(begin + at_a_turn, unmeasured + rounds))
        first = begin // at_a_turn % len(names)
        for name in names[first:] + names[:first]:
            for number in turn:
                if before and name in before:
                    await before[name](number)
                started = time.perf_counter()
                await what[name](number)
                seconds = time.perf_counter() - started
                if number >= unmeasured:
                    taken[name].append(seconds)
    return {name: summary(seconds) for name, seconds in taken.items() if seconds}
