"""Waiting for a place: in time, in turn, and never holding one that nobody is in."""

from __future__ import annotations

import asyncio
import itertools
import math
import time

import pytest

from warmcube.errors import ConfigError, Overloaded
from warmcube.query.slots import WAITING_EACH, Slots, fallback_slots, running_slots, share_of_slots
from warmcube.query.turns import Turns


class Holder:
    """Tasks that are inside until they are told to go."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.order: list[str] = []
        self.go = asyncio.Event()

    async def hold(self, user: str, seconds: float | None = 10.0) -> None:
        """Be inside until told to go."""
        async with self.slots.place(user, seconds):
            self.order.append(user)
            await self.go.wait()


async def settled() -> None:
    """Everybody has come as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nobody_waits_for_anothers_reads() -> None:
    """A user's ninth read waits for one of theirs; another user's doesn't."""
    holder = Holder(running_slots(2))
    async with asyncio.TaskGroup() as group:
        for user in ("a", "a", "a", "b"):
            group.create_task(holder.hold(user))
        await settled()
        assert holder.order == ["a", "a", "b"]
        assert (holder.slots.taken, holder.slots.waiting) == (3, 1)
        holder.go.set()
    assert holder.order == ["a", "a", "b", "a"]
    assert (holder.slots.taken, holder.slots.waiting) == (0, 0)


async def test_the_database_is_shared_by_users_in_turn() -> None:
    """Whoever asks for much waits for themselves."""
    holder = Holder(fallback_slots(1, 1))
    async with asyncio.TaskGroup() as group:
        for user in ("a", "a", "a", "a", "b", "c"):
            group.create_task(holder.hold(user))
        await settled()
        holder.go.set()
    assert holder.order == ["a", "a", "b", "c", "a", "a"]


def test_more_processes_than_places_are_refused() -> None:
    """Each needs one, and together they must not have more: so that has to be decided."""
    assert share_of_slots(8, 8) == 1
    with pytest.raises(ConfigError, match=r"9 processes share \[cache\] fallback_slots = 8"):
        fallback_slots(8, 9)


async def test_waiting_without_end_still_needs_room() -> None:
    """Infinity waits as long as it takes, but not however many wait already, as None does."""
    slots = fallback_slots(1, 1)
    await slots.enter("a", math.inf)
    waiting = [asyncio.create_task(slots.enter("a", math.inf)) for _ in range(WAITING_EACH)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="as many wait"):
        await slots.enter("b", math.inf)
    for _ in waiting:
        slots.leave("a", 0.1)
    await asyncio.gather(*waiting)
    slots.leave("a", 0.1)
    assert (slots.taken, slots.waiting) == (0, 0)


@pytest.mark.parametrize(("processes", "share"), [(1, 8), (3, 2), (8, 1)])
async def test_each_process_has_its_share(processes: int, share: int) -> None:
    """All together have no more than configured, as long as each can have one."""
    holder = Holder(fallback_slots(8, processes))
    async with asyncio.TaskGroup() as group:
        for user in range(9):
            group.create_task(holder.hold(str(user)))
        await settled()
        assert holder.slots.taken == share
        holder.go.set()


async def test_waiting_ends_at_the_deadline() -> None:
    """With an error that names the limit and hints when to try again; the place isn't lost."""
    holder = Holder(running_slots(1))
    async with asyncio.TaskGroup() as group:
        group.create_task(holder.hold("a"))
        await settled()
        with pytest.raises(Overloaded, match=r"\[limits\] running_per_user = 1.* 0 s") as caught:
            await holder.hold("a", 0.0)
        assert 0 < caught.value.retry_after <= 60
        assert holder.slots.waiting == 0
        holder.go.set()
    await holder.hold("a")


async def test_too_long_a_queue_is_refused_at_once() -> None:
    """But not those who wait as long as it takes."""
    holder = Holder(fallback_slots(1, 1))
    async with asyncio.TaskGroup() as group:
        for _ in range(1 + WAITING_EACH):
            group.create_task(holder.hold("a"))
        await settled()
        with pytest.raises(Overloaded, match=r"\[cache\] fallback_slots = 1.*as many wait"):
            await holder.hold("b")
        group.create_task(holder.hold("b", None))
        await settled()
        assert holder.slots.waiting == WAITING_EACH + 1
        holder.go.set()
    assert holder.slots.taken == 0


async def test_who_is_cancelled_leaves_no_place_taken() -> None:
    """While waiting, while inside, and in the moment in which the place is theirs."""
    holder = Holder(running_slots(1))
    inside = asyncio.create_task(holder.hold("a"))
    await settled()
    waiting = asyncio.create_task(holder.hold("a"))
    behind = asyncio.create_task(holder.hold("a"))
    await settled()
    inside.cancel()
    await asyncio.sleep(0)  # inside has left, and waiting doesn't know yet that it is next
    waiting.cancel()
    await settled()
    assert holder.order == ["a", "a"]
    behind.cancel()
    await settled()
    assert (holder.slots.taken, holder.slots.waiting) == (0, 0)
    assert [task.cancelled() for task in (inside, waiting, behind)] == [True] * 3


async def test_the_hint_grows_with_the_queue() -> None:
    """It is about as long as those before take, at the average time that one took so far."""
    times = itertools.count(0.0, 10.0)
    slots = Slots(Turns(places=1), limit="one", parallel=1, clock=lambda: next(times))
    for _ in range(100):
        async with slots.place("a", 1.0):
            pass  # each takes ten seconds, by that clock
    hints = []
    holder = Holder(slots)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(holder.hold("a"))
            await settled()
            with pytest.raises(Overloaded) as caught:
                await holder.hold("b", 0.0)
            hints.append(round(caught.value.retry_after))
        holder.go.set()
    assert hints == [10, 20, 30]


async def test_entering_at_once() -> None:
    """A place is taken where one is free and nobody waits for it, and nothing is waited for."""
    slots = running_slots(1)
    assert slots.enter_at_once("a")
    assert not slots.enter_at_once("a")
    assert slots.enter_at_once("b")
    assert (slots.taken, slots.waiting) == (2, 0)
    waiting = asyncio.create_task(slots.enter("a", 10.0))
    await settled()
    slots.leave("a", 0.1)
    assert not slots.enter_at_once("a")  # it is theirs who waited
    await waiting
    slots.leave("a", 0.1)
    slots.leave("b", 0.1)
    assert (slots.taken, slots.waiting) == (0, 0)


@pytest.mark.parametrize("is_first", [False, True])
async def test_a_place_that_comes_as_the_time_is_up_is_nobodys_loss(is_first: bool) -> None:
    """Whichever of the two comes first, it is theirs who waited for it."""
    slots = running_slots(1)
    assert slots.enter_at_once("a")
    loop = asyncio.get_running_loop()
    leave = slots.leave
    if is_first:
        loop.call_later(0.01, leave, "a", 0.1)
    waiting = asyncio.create_task(slots.enter("a", 0.01))
    await settled()
    if not is_first:
        loop.call_later(0.01, leave, "a", 0.1)
    time.sleep(0.03)  # noqa: ASYNC251 - so that both are due at once
    await waiting
    assert (slots.taken, slots.waiting) == (1, 0)
    slots.leave("a", 0.1)
    assert (slots.taken, slots.waiting) == (0, 0)
