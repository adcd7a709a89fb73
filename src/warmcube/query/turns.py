"""Who goes next where only so many may at a time: everybody in turn, however much each asks. Pure.

Who finds no place free waits in a queue of their own user's; places that become free go round the
users who wait, one each. So somebody who asks for a thousand things waits for themselves, and
holds nobody else up by more than one of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["Turns"]

Ticket = TypeVar("Ticket", bound=Hashable)


class Turns(Generic[Ticket]):
    """Places, and who waits for them. A ticket stands for one who waits, and is used once.

    Args:
        places: how many may be inside at a time; None is no bound.
        places_each: how many of one user, likewise.
        waiting: how many may wait.
        waiting_each: how many of one user.
    """

    def __init__(
        self,
        *,
        places: int | None = None,
        places_each: int | None = None,
        waiting: int | None = None,
        waiting_each: int | None = None,
    ) -> None:
        self._places = places
        self._places_each = places_each
        self._most_waiting = waiting
        self._most_waiting_each = waiting_each
        self._inside: dict[str, int] = {}  # nobody stands here with none
        self._taken = 0
        self._queues: dict[str, deque[Ticket]] = {}  # in the order of their turns; none is empty
        self._waiting = 0

    @property
    def taken(self) -> int:
        """How many are inside."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many wait."""
        return self._waiting

    def waiting_of(self, user: str) -> int:
        """How many of one user wait."""
        return len(self._queues.get(user, ()))

    def enter(self, user: str) -> bool:
        """Take a place, if one is free and nobody of the same user waits for it already."""
        if user in self._queues or not self._is_free(user):
            return False
        self._take(user)
        return True

    def has_room(self, user: str) -> bool:
        """Whether one more of a user may wait."""
        return (self._most_waiting is None or self._waiting < self._most_waiting) and (
            self._most_waiting_each is None or self.waiting_of(user) < self._most_waiting_each
        )

    def wait(self, user: str, ticket: Ticket) -> None:
        """Wait for a place behind the others of the same user."""
        self._queues.setdefault(user, deque()).append(ticket)
        self._waiting += 1

    def withdraw(self, user: str, ticket: Ticket) -> None:
        """Wait no longer."""
        self._queues[user].remove(ticket)
        self._waiting -= 1
        if not self._queues[user]:
            del self._queues[user]

    def leave(self, user: str) -> Ticket | None:
        """Give a place back.

        Returns:
            the ticket of who has it now, if somebody does.
        """
        self._taken -= 1
        inside = self._inside.pop(user) - 1
        if inside:
            self._inside[user] = inside
        if not self._queues:
            return None
        following = next((each for each in self._queues if self._is_free(each)), None)
        if following is None:
            return None
        queue = self._queues.pop(following)
        ticket = queue.popleft()
        self._waiting -= 1
        if queue:
            self._queues[following] = queue  # behind all others
        self._take(following)
        return ticket

    def _is_free(self, user: str) -> bool:
        return (self._places is None or self._taken < self._places) and (
            self._places_each is None or self._inside.get(user, 0) < self._places_each
        )

    def _take(self, user: str) -> None:
        self._inside[user] = self._inside.get(user, 0) + 1
        self._taken += 1
