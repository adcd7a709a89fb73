"""Many at a time: how many calls a second, and how long each of them took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Summary, summary

__all__ = ["Burst", "bursts_in_turns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Some bursts of one thing.

    Attributes:
        per_second: the middle one of them.
        per_second_all: each of them.
        times: of single calls.
    """

    per_second: float
    per_second_all: Sequence[float]
    times: Summary


async def bursts_in_turns(
    what: Mapping[str, Callable[[int, int], Awaitable[object]]],
    *,
    at_a_time: int,
    calls: int,
    rounds: int,
    fewer: Mapping[str, int] | None = None,
) -> dict[str, Burst]:
    """Let tasks call until a number of calls is done, one thing after the other.

    Args:
        what: by name; each is called with the number of the task and of the call.
        at_a_time: how many tasks there are.
        calls: of each burst. Calls of different bursts have different numbers.
        rounds: bursts of each; one more goes before and isn't measured.
        fewer: by name, by what the calls of something slow are divided.
    """
    names = list(what)
    rates: dict[str, list[float]] = {name: [] for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            count = max(at_a_time, calls // (fewer or {}).get(name, 1))
            numbers = iter(range(number * calls, number * calls + count))
            seconds: list[float] = []

            async def work(
                task: int,
                numbers: Iterator[int] = numbers,
                call: Callable[[int, int], Awaitable[object]] = what[name],
                seconds: list[float] = seconds,
            ) -> None:
                for each in numbers:
                    started = time.perf_counter()
                    await call(task, each)
                    seconds.append(time.perf_counter() - started)

            started = time.perf_counter()
            await asyncio.gather(*(work(task) for task in range(at_a_time)))
            whole = time.perf_counter() - started
            if number:
                rates[name].append(round(count / whole, 1))
                taken[name] += seconds
    return {
        name: Burst(
            per_second=median(rates[name]), per_second_all=rates[name], times=summary(taken[name])
        )
        for name in names
    }
