"""Single-flight: what many want at the same time is done once, for all of them.

A flight is a task of its own. It outlives whoever began it, and ends when nobody waits for it any
more; so whoever gives up, or runs out of time, takes nothing away from the others.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from warmcube.errors import WarmcubeError

__all__ = ["Flight", "Flights", "OutOfTime"]

V = TypeVar("V")


class OutOfTime(Exception):
    """A flight didn't end in the time of one who waits for it.

    Args:
        has_begun: whether it does already what is waited for, or waits itself.
    """

    def __init__(self, *, has_begun: bool) -> None:
        super().__init__()
        self.has_begun = has_begun


class Flight(Generic[V]):
    """One piece of work, and how many wait for it.

    Attributes:
        has_begun: set by the work when it no longer waits for its place.
    """

    __slots__ = ("has_begun", "task", "waiting")

    task: asyncio.Task[V]

    def __init__(self) -> None:
        self.waiting = 0
        self.has_begun = False


class Flights(Generic[V]):
    """The flights of one process; what is wanted is told apart by its key alone."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[V]] = {}
        self._ending: set[asyncio.Task[V]] = set()

    def __len__(self) -> int:
        return len(self._flights)

    async def join(
        self, key: Hashable, work: Callable[[Flight[V]], Awaitable[V]], seconds: float
    ) -> V:
        """Wait for a flight; begin it, if there is none.

        Args:
            key: equal only for what comes to the same for everybody who asks for it.
            work: what is done if it isn't under way; it is cancelled when nobody waits any more.
            seconds: for which this one waits.

        Raises:
            OutOfTime: it didn't end by then.
            WarmcubeError: what the work raises, a copy for each.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, work))
        flight.waiting += 1
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                return await asyncio.shield(flight.task)
        except WarmcubeError as error:
            # Raising it again would pile the tracebacks of all who wait upon one another.
            raise copy.copy(error) from error
        except TimeoutError:
            if deadline.expired():
                raise OutOfTime(has_begun=flight.has_begun) from None
            raise
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)  # nobody may join what is about to end
                flight.task.cancel()

    async def close(self) -> None:
        """End all flights."""
        for task in (running := self._ending | {each.task for each in self._flights.values()}):
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _fly(
        self, key: Hashable, flight: Flight[V], work: Callable[[Flight[V]], Awaitable[V]]
    ) -> V:
        task = flight.task
        self._ending.add(task)
        task.add_done_callback(self._ended)
        try:
            return await work(flight)
        finally:
            self._forget(key, flight)

    def _ended(self, task: asyncio.Task[V]) -> None:
        self._ending.discard(task)
        if not task.cancelled():
            task.exception()  # it may be that nobody waits for it, so that this is no oversight

    def _forget(self, key: Hashable, flight: Flight[V]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
