"""Waiting for one's turn: what `warmcube.query.turns` decides, for tasks of one event loop."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from warmcube.errors import ConfigError, Overloaded
from warmcube.query.turns import Turns

__all__ = ["Place", "Slots", "fallback_slots", "running_slots", "share_of_slots"]

WAITING_EACH: Final = 16
"""For each place, how many may wait for it."""
_MEMORY: Final = 0.1  # of the average time inside, the weight of the latest
_LEAST_RETRY: Final = 0.1
_LONGEST_RETRY: Final = 60.0


class _Ticket:
    """Stands for one task that waits; it is woken when it has a place, or when its time is up."""

    __slots__ = ("has_place", "woken")

    def __init__(self, woken: asyncio.Future[None]) -> None:
        self.woken = woken
        self.has_place = False

    def wake(self) -> None:
        """Let it go on, if it hasn't been told to already, or given up."""
        if not self.woken.done():
            self.woken.set_result(None)


class Slots:
    """Places of which each is one task's at a time; see `Turns` for who is next.

    Args:
        turns: the places.
        limit: how messages name the limit, with its value.
        parallel: how many of one user go on at a time, to tell how long waiting takes.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        turns: Turns[_Ticket],
        *,
        limit: str,
        parallel: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._turns = turns
        self._limit = limit
        self._parallel = parallel
        self._clock = clock
        self._average = 0.0

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._turns.taken

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return self._turns.waiting

    def place(self, user: str, seconds: float | None) -> Place:
        """A place of a user's, to be entered with ``async with``.

        Args:
            user: in whose name.
            seconds: how long to wait for it at most; infinity waits as long as it takes, None also
                however many wait already.
        """
        return Place(self, user, seconds)

    def enter_at_once(self, user: str) -> bool:
        """Take a place if nobody has to wait for it; `leave` gives it back."""
        return self._turns.enter(user)

    async def enter(self, user: str, seconds: float | None) -> None:
        """Take a place; `leave` gives it back.

        Raises:
            Overloaded: too many wait already, or none became free in time.
        """
        turns = self._turns
        if turns.enter(user):
            return
        if seconds is not None and not turns.has_room(user):
            raise self.overloaded("and as many wait as may")
        loop = asyncio.get_running_loop()
        ticket = _Ticket(loop.create_future())
        turns.wait(user, ticket)
        # Not asyncio.timeout: hundreds may wait, and each of its errors takes as long as a read.
        timer = None
        if seconds is not None and not math.isinf(seconds):
            timer = loop.call_later(seconds, ticket.wake)
        try:
            await ticket.woken
        except BaseException:
            if ticket.has_place:
                self._leave(user)  # it was given a place while it gave up
            else:
                turns.withdraw(user, ticket)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if not ticket.has_place:
            turns.withdraw(user, ticket)
            raise self.overloaded(f"and none became free in {seconds:.3g} s")

    def leave(self, user: str, seconds: float) -> None:
        """Give a place back after so many seconds; whoever is next has it."""
        self._average += _MEMORY * (seconds - self._average)
        self._leave(user)

    def now(self) -> float:
        """By the clock."""
        return self._clock()

    def _leave(self, user: str) -> None:
        following = self._turns.leave(user)
        if following is not None:
            following.has_place = True
            following.wake()

    def overloaded(self, why: str) -> Overloaded:
        """The error for one who can't have a place.

        Args:
            why: the end of a sentence that says that all places are taken.
        """
        wait = self._average * (1 + self._turns.waiting / self._parallel)
        return Overloaded(
            f"too much is asked at once: all places are taken ({self._limit}), {why}; ask again "
            "later, or for less at a time",
            retry_after=min(max(wait, _LEAST_RETRY), _LONGEST_RETRY),
        )


class Place:
    """One task's place among `Slots`, while it is inside of ``async with``."""

    __slots__ = ("_entered", "_seconds", "_slots", "_user")

    def __init__(self, slots: Slots, user: str, seconds: float | None) -> None:
        self._slots = slots
        self._user = user
        self._seconds = seconds
        self._entered = 0.0

    async def __aenter__(self) -> None:
        await self._slots.enter(self._user, self._seconds)
        self._entered = self._slots.now()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._slots.leave(self._user, self._slots.now() - self._entered)


def running_slots(running_per_user: int) -> Slots:
    """For the reads of each user: nobody waits but for their own."""
    turns: Turns[_Ticket] = Turns(
        places_each=running_per_user, waiting_each=WAITING_EACH * running_per_user
    )
    limit = f"[limits] running_per_user = {running_per_user}"
    return Slots(turns, limit=limit, parallel=running_per_user)


def fallback_slots(slots: int, processes: int) -> Slots:
    """This process's share of the places for reads of the database.

    Args:
        slots: those of all processes together.
        processes: how many they are.

    Raises:
        ConfigError: there isn't one for each.
    """
    share = share_of_slots(slots, processes)
    turns: Turns[_Ticket] = Turns(places=share, waiting=WAITING_EACH * share)
    return Slots(turns, limit=f"[cache] fallback_slots = {slots}", parallel=share)


def share_of_slots(slots: int, processes: int) -> int:
    """How many of the places for reads of the database each of some processes has; at least one.

    Raises:
        ConfigError: there isn't one for each.
    """
    if slots < processes:
        raise ConfigError(
            f"{processes} processes share [cache] fallback_slots = {slots} reads of the database, "
            "and each needs one; have fewer processes ([service] workers), or let the database "
            "have more reads at a time"
        )
    return slots // processes
