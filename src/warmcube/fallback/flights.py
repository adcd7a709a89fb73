"""Single-flight: what many want at the same time is done once, for all of them.

A flight is a task of its own. It outlives whoever began it, and ends when nobody waits for it any
more; so whoever gives up, or runs out of time, takes nothing away from the others.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Final, Generic, TypeVar

from warmcube.errors import WarmcubeError

__all__ = ["Flight", "Flights", "OutOfTime"]

CLOSE_SECONDS: Final = 5.0
"""For so long at most the end of flights is waited for; what ignores that it ends is left alone."""

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
    """One piece of work, and who waits for it.

    Attributes:
        has_begun: set by the work when it no longer waits for its place.
        task: the work.
        waiters: each is woken when it is done, or won't be.
    """

    __slots__ = ("has_begun", "task", "waiters")

    task: asyncio.Task[V]

    def __init__(self) -> None:
        self.has_begun = False
        self.waiters: set[asyncio.Future[None]] = set()


class Flights(Generic[V]):
    """The flights of one process; what is wanted is told apart by its key alone."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, Flight[V]] = {}
        self._ending: set[asyncio.Task[V]] = set()
        self._closed: WarmcubeError | None = None

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
            WarmcubeError: what the work raises, a copy for each; what `close` was given, once it
                was called.
        """
        if self._closed is not None:
            raise copy.copy(self._closed)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight()
            flight.task = asyncio.create_task(self._fly(key, flight, work))
            flight.task.add_done_callback(partial(_wake, flight))
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        flight.waiters.add(waiter)
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                await waiter
            task = flight.task
            if self._closed is not None and (task.cancelled() or not task.done()):
                raise self._closed
            return task.result()
        except WarmcubeError as error:
            # Raising it again would pile the tracebacks of all who wait upon one another.
            raise copy.copy(error) from error
        except TimeoutError:
            if deadline.expired():
                raise OutOfTime(has_begun=flight.has_begun) from None
            raise
        finally:
            flight.waiters.discard(waiter)
            if not flight.waiters and not flight.task.done():
                self._forget(key, flight)  # nobody may join what is about to end
                flight.task.cancel()

    async def close(self, why: WarmcubeError) -> None:
        """End all flights, and let none begin any more.

        Args:
            why: what everybody is told who waits, or comes later.
        """
        self._closed = why
        running = self._ending | {each.task for each in self._flights.values()}
        for flight in self._flights.values():
            _wake(flight)
        self._flights.clear()
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CLOSE_SECONDS)

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


def _wake(flight: Flight[V], _task: asyncio.Task[V] | None = None) -> None:
    """Let all go on who wait for a flight."""
    for waiter in flight.waiters:
        if not waiter.done():
            waiter.set_result(None)
