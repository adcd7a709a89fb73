"""Who goes next: never too many, nobody forgotten, users in turn."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from warmcube.query.turns import Turns

USERS = st.sampled_from("abcd")


class TurnsMachine(RuleBasedStateMachine):
    """Comes, goes and gives up at random, beside a list of who should be where."""

    places: int | None = 3
    places_each: int | None = 2

    def __init__(self) -> None:
        super().__init__()
        self.turns: Turns[int] = Turns(places=self.places, places_each=self.places_each)
        self.inside: Counter[str] = Counter()
        self.queues: dict[str, deque[int]] = {}
        self.users: dict[int, str] = {}

    def may_enter(self, user: str) -> bool:
        """Whether the rules leave a place to a user."""
        return (self.places is None or self.inside.total() < self.places) and (
            self.places_each is None or self.inside[user] < self.places_each
        )

    @rule(user=USERS)
    def come(self, user: str) -> None:
        """One enters if there is a place and nobody of theirs waits before them; else waits."""
        expected = self.may_enter(user) and not self.queues.get(user)
        assert self.turns.enter(user) == expected
        if expected:
            self.inside[user] += 1
            return
        ticket = len(self.users)
        self.users[ticket] = user
        self.turns.wait(user, ticket)
        self.queues.setdefault(user, deque()).append(ticket)

    @precondition(lambda self: self.inside.total())
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        """A place becomes free: it is the first ticket's of somebody who may enter, if any."""
        leaving = data.draw(st.sampled_from(sorted(self.inside.elements())))
        self.inside[leaving] -= 1
        able = [user for user, queue in self.queues.items() if queue and self.may_enter(user)]
        ticket = self.turns.leave(leaving)
        if ticket is None:
            assert not able
            return
        user = self.users[ticket]
        assert user == able[0], "a user's turn was passed over"
        assert self.queues[user].popleft() == ticket, "not the one that waited longest"
        queue = self.queues.pop(user)
        if queue:
            self.queues[user] = queue
        self.inside[user] += 1

    @precondition(lambda self: self.queues)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Who gives up is never called, and nobody else is touched."""
        waiting = [ticket for queue in self.queues.values() for ticket in queue]
        ticket = data.draw(st.sampled_from(waiting))
        user = self.users[ticket]
        self.turns.withdraw(user, ticket)
        self.queues[user].remove(ticket)
        if not self.queues[user]:
            del self.queues[user]

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        """As many inside as may be, and the figures are right."""
        assert not [user for user, queue in self.queues.items() if queue and self.may_enter(user)]
        assert self.turns.taken == self.inside.total()
        assert self.turns.waiting == sum(map(len, self.queues.values()))
        assert self.places is None or self.inside.total() <= self.places
        for user in "abcd":
            assert self.places_each is None or self.inside[user] <= self.places_each
            assert self.turns.waiting_of(user) == len(self.queues.get(user, ()))


class SharedTurnsMachine(TurnsMachine):
    """Places that all users share."""

    places, places_each = 2, None


class OwnTurnsMachine(TurnsMachine):
    """Places of each user's own."""

    places, places_each = None, 2


TestBothBounds: Any = TurnsMachine.TestCase
TestSharedPlaces: Any = SharedTurnsMachine.TestCase
TestOwnPlaces: Any = OwnTurnsMachine.TestCase
for case in (TestBothBounds, TestSharedPlaces, TestOwnPlaces):
    case.settings = settings(max_examples=60, stateful_step_count=40)


def test_a_user_who_asks_for_much_holds_nobody_up() -> None:
    """Behind a hundred of one user's, another's first is next, and then they take turns."""
    turns: Turns[str] = Turns(places=1)
    assert turns.enter("greedy")
    for number in range(100):
        turns.wait("greedy", f"greedy {number}")
    for number in range(2):
        turns.wait("modest", f"modest {number}")
    users = ["greedy"]
    for _ in range(5):
        ticket = turns.leave(users[-1])
        assert ticket is not None
        users.append(ticket.split()[0])
    assert users == ["greedy", "greedy", "modest", "greedy", "modest", "greedy"]


def test_only_so_many_may_wait() -> None:
    """In all, and of one user."""
    turns: Turns[int] = Turns(places=1, waiting=3, waiting_each=2)
    assert turns.enter("a")
    assert turns.has_room("a")
    turns.wait("a", 1)
    turns.wait("a", 2)
    assert not turns.has_room("a")
    assert turns.has_room("b")
    turns.wait("b", 3)
    assert not turns.has_room("c")
