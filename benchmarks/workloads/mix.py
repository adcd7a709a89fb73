"""Many users, few of whom ask most: how much is answered without the database, and how fast.

Users are drawn from a Zipf distribution, and so are the measures that they look at. They ask for
rows or sums of all their practices, of one of them, or of one provider, as people do who click
around: few questions are asked twice in the same words by those who may see the same.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Final

from benchmarks.baselines import Baseline, Place
from benchmarks.baselines.result_cache import open_result_cache
from benchmarks.bench import Bench
from benchmarks.bursts import bursts_in_turns
from benchmarks.data import Shape
from benchmarks.field import open_baselines
from benchmarks.ours import Ours, in_hand, pairs_of
from benchmarks.questions import Question
from benchmarks.setting import VIEWERS
from benchmarks.truth import open_truth
from warmcube import AnalyticsCache
from warmcube.query.result import Result

__all__ = ["Asked", "measure", "mixed"]

AT_A_TIME: Final = (1, 10, 100)
SKEW: Final = 1.1
CHECKED: Final = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of one user.

    Attributes:
        user: who asks.
        question: about practices that they may see.
        sums: or rows.
    """

    user: str
    question: Question
    sums: bool


def mixed(shape: Shape, count: int) -> list[Asked]:
    """Seeded, so that every run asks the same."""
    chance = random.Random(count)  # noqa: S311 (not for secrets)
    last = 100 + shape.practices - 1
    users = _zipf([user for user, practices in VIEWERS.items() if practices[-1] <= last])
    measures = _zipf(list(range(shape.measures)))
    asked = []
    for _ in range(count):
        user, measure = users(chance), measures(chance)
        practices: tuple[int, ...] = tuple(VIEWERS[user])
        provider = None
        kind = chance.random()
        if kind < 0.5:
            practices = (chance.choice(practices),)
        if kind < 0.2:
            provider = practices[0] * 100 + chance.randrange(shape.providers)
        (frequency,) = chance.choices(list(shape.frequencies), weights=(6, 3, 1))
        question = Question(measure, practices, provider=provider, frequency=frequency)
        asked.append(Asked(user, question, sums=chance.random() < 0.6))
    return asked


def _zipf(things: Sequence[Any]) -> Callable[[random.Random], Any]:
    weights = list(accumulate(1 / (place + 1) ** SKEW for place in range(len(things))))
    return lambda chance: chance.choices(things, cum_weights=weights)[0]


async def measure(bench: Bench) -> None:
    """At 1, 10 and 100 users at a time: both tiers, a cache of results, and Postgres itself."""
    calls, rounds = bench.effort.burst, bench.effort.bursts
    asked = mixed(bench.shape, calls * (rounds + 1))
    found: dict[str, Any] = {"users": len(VIEWERS), "skew": SKEW, "different": len(set(asked))}
    origins: dict[str, Counter[str]] = {"store": Counter(), "resident": Counter()}
    hits = asked_of_results = 0
    async with AsyncExitStack() as stack:
        forms = await open_baselines(bench, stack, ["postgres_tuned"])
        postgres = forms["postgres_arrays_tuned"]
        results = await stack.enter_async_context(open_result_cache(Place.of(bench.setting)))
        what: dict[str, Callable[[Asked], Awaitable[object]]] = {
            tier: await _ours(stack, config, origins[tier])
            for tier, config in (
                ("store", bench.setting.config),
                ("resident", bench.setting.resident),
            )
        }
        what |= {each.name: _baseline(each) for each in (results, postgres)}
        await _check(
            bench, what, asked[:CHECKED], {each.name: each for each in (results, postgres)}
        )
        for at_a_time in AT_A_TIME:
            bench.tell(f"the mix, {at_a_time} at a time")
            await results.forget()
            results.forget_counts()
            bursts = await bursts_in_turns(
                {name: _by_number(ask, asked) for name, ask in what.items()},
                at_a_time=at_a_time,
                calls=calls if at_a_time > 1 else calls // 4,
                rounds=rounds,
            )
            found[str(at_a_time)] = {name: asdict(each) for name, each in bursts.items()}
            found[str(at_a_time)]["result_cache"]["hit_rate"] = results.hits / results.asked
            hits, asked_of_results = hits + results.hits, asked_of_results + results.asked
    answered = sum(origins.values(), Counter[str]())
    found["origins"] = {tier: dict(counted) for tier, counted in origins.items()}
    found["hit_rate_result_cache"] = hits / asked_of_results
    bench.figures["mix"] = found
    bench.ratios.put(
        "hit_rate_mixed",
        1 - answered["database"] / answered.total(),
        {
            "asked": answered.total(),
            "answered by the database": answered["database"],
            "share of the result cache": round(hits / asked_of_results, 4),
        },
    )


async def _ours(
    stack: AsyncExitStack, config: Any, origins: Counter[str]
) -> Callable[[Asked], Awaitable[Result]]:
    cache = await stack.enter_async_context(AnalyticsCache.from_config(config))
    viewers = {user: Ours(cache, await cache.authorize(user), "store") for user in VIEWERS}

    async def ask(asked: Asked) -> Result:
        grant = await viewers[asked.user].grant()
        result = await cache.query(asked.question.query(sums=asked.sums), grant)
        origins[result.meta.origin] += 1
        in_hand(result)
        return result

    return ask


def _baseline(baseline: Baseline) -> Callable[[Asked], Awaitable[object]]:
    async def ask(asked: Asked) -> object:
        return await (baseline.sums if asked.sums else baseline.rows)(asked.question)

    return ask


def _by_number(
    ask: Callable[[Asked], Awaitable[object]], asked: Sequence[Asked]
) -> Callable[[int, int], Awaitable[object]]:
    return lambda _, number: ask(asked[number % len(asked)])


async def _check(
    bench: Bench,
    what: Mapping[str, Callable[[Asked], Awaitable[object]]],
    asked: Sequence[Asked],
    baselines: Mapping[str, Baseline],
) -> None:
    with open_truth(bench.setting) as truth:
        for each in asked:
            for name, ask in what.items():
                answer = await ask(each)
                pairs = (
                    pairs_of(answer)
                    if isinstance(answer, Result)
                    else baselines[name].pairs(answer)
                )
                truth.check(name, each.question, pairs, sums=each.sums)
