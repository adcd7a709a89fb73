"""A crowd asks the database at once: it may never be asked more than the bound allows."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Final

from faults.moments import AT_REST, Moment
from faults.people import PEOPLE
from faults.readers import Library
from faults.stage import Fault, Stage
from faults.watch import Watch

__all__ = ["FAULTS"]

_BOUND: Final = 8
"""``fallback_slots``, which is its default too, for all processes together."""
_PROCESSES: Final = 2
_ASKERS: Final = 6
"""Of each person, by each process."""
_HELD: Final = 0.6
_BEGUN: Final = 10.0
_LASTS: Final = 3.0
_QUESTIONS: Final = 40
_NAME: Final = "crowd"


class _Crowd(Fault):
    """Redis is dead, and a hundred users ask at once, through two processes that share a bound."""

    name, title = "crowd", "Redis dead, and a crowd asks: the database's bound"
    moments = (AT_REST,)
    seconds = 0.0

    async def inject(self, stage: Stage, moment: Moment) -> None:  # noqa: ARG002 - at rest
        world = stage.world
        config = world.config(_NAME, world.redis_proxy, fallback_slots=str(_BOUND))
        await asyncio.to_thread(world.redis.kill)
        with Watch(world.postgres.url) as watch:
            async with AsyncExitStack() as stack:
                ways = [Library(_NAME, config, processes=_PROCESSES) for _ in range(_PROCESSES)]
                for way in ways:
                    stack.push_async_callback(way.close)
                    await way.prepare()
                readers = [
                    stage.make_reader(way, _QUESTIONS)
                    for way in ways
                    for _ in range(_ASKERS * len(PEOPLE))
                ]
                tasks = [asyncio.create_task(reader.run()) for reader in readers]
                try:
                    await _press(stage, watch)
                    await asyncio.sleep(_LASTS)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        most = watch.most[_NAME]
        stage.notes.append(
            f"{len(readers)} askers, and at most {most} transactions at a time in"
            f" pg_stat_activity (bound {_BOUND})"
        )
        if most > _BOUND:
            stage.failures.append(f"{most} transactions at a time, and the bound is {_BOUND}")
        if most < _BOUND:
            stage.failures.append(f"only {most} transactions at a time: the bound wasn't tried")

    def undo(self, stage: Stage) -> None:
        stage.world.redis.forget_data()
        stage.world.redis.start()


async def _press(stage: Stage, watch: Watch) -> None:
    """Hold the table for a moment, so that all that may be asked is asked at the same time."""
    deadline = time.monotonic() + _BEGUN
    while watch.most[_NAME] < _BOUND and time.monotonic() < deadline:
        async with stage.locked_table():
            await asyncio.sleep(_HELD)


FAULTS: Final[tuple[Fault, ...]] = (_Crowd(),)
