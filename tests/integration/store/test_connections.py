"""Connections are lent to one at a time, in the order of asking, and only while they are whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio as redis
from redis import exceptions as failure
from redis.asyncio.connection import AbstractConnection

from warmcube.store.connections import Connections


class Made:
    """Makes connections and keeps them."""

    def __init__(self, url: str) -> None:
        self._pool = redis.ConnectionPool.from_url(url)
        self.all: list[AbstractConnection] = []
        self.is_refusing = False

    def __call__(self) -> AbstractConnection:
        if self.is_refusing:
            connection = redis.UnixDomainSocketConnection(path="/nowhere")
        else:
            connection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        self.all.append(connection)
        return connection


@pytest.fixture
async def made(redis_url: str) -> AsyncIterator[Made]:
    """Makes connections to an empty server."""
    made = Made(redis_url)
    yield made
    for connection in made.all:
        await connection.disconnect()


async def ask(connection: AbstractConnection, *words: str) -> Any:
    """One command."""
    await connection.send_command(*words)
    return await connection.read_response()


async def lent_by(connections: Connections) -> AbstractConnection:
    """One, open."""
    connection = await connections.borrow()
    try:
        await connections.make_ready(connection)
    except BaseException:
        connections.give_back(connection)
        raise
    return connection


async def test_one_connection_serves_one_trip_after_the_other(made: Made) -> None:
    """Another is opened only while it is lent."""
    connections = Connections(made, 2)
    for _ in range(3):
        one = await lent_by(connections)
        assert await ask(one, "ECHO", "x") == b"x"
        connections.give_back(one)
    assert len(made.all) == 1
    one, two = await lent_by(connections), await lent_by(connections)
    assert one is not two
    connections.give_back(one)
    connections.give_back(two)
    assert len(made.all) == 2


async def test_who_asks_first_is_lent_to_first(made: Made) -> None:
    """Nobody passes those who wait, and there are never more than there may be."""
    connections = Connections(made, 1)
    order: list[int] = []

    async def trip(number: int) -> None:
        connection = await lent_by(connections)
        order.append(number)
        await asyncio.sleep(0)
        connections.give_back(connection)

    await asyncio.gather(*[trip(number) for number in range(20)])
    assert order == list(range(20))
    assert len(made.all) == 1


async def test_who_gives_up_waiting_leaves_its_place_to_the_next(made: Made) -> None:
    """Whether it gives up before its turn has come, or just when it has."""
    connections = Connections(made, 1)
    lent = await lent_by(connections)
    waiting = [asyncio.create_task(lent_by(connections)) for _ in range(4)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([waiting[0]])
    connections.give_back(lent)  # it is the turn of 1, which has not gone on yet
    waiting[1].cancel()
    await asyncio.wait([waiting[1]])
    assert waiting[1].cancelled()
    assert await waiting[2] is lent
    connections.give_back(lent)
    connections.give_back(await waiting[3])
    connections.give_back(await lent_by(connections))
    assert len(made.all) == 1


async def test_who_is_cancelled_together_with_others_loses_no_place(made: Made) -> None:
    """All places come back."""
    connections = Connections(made, 1)
    lent = await lent_by(connections)
    waiting = [asyncio.create_task(lent_by(connections)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    connections.give_back(lent)
    await asyncio.wait(waiting)
    assert all(each.cancelled() for each in waiting)
    connections.give_back(await lent_by(connections))


async def test_a_connection_that_was_closed_meanwhile_is_opened_again(made: Made) -> None:
    """By the server, or by whoever had it."""
    connections = Connections(made, 2)
    one, two = await lent_by(connections), await lent_by(connections)
    name = str(await ask(two, "CLIENT", "ID"))
    connections.give_back(two)
    assert await ask(one, "CLIENT", "KILL", "ID", name) == 1
    again = await lent_by(connections)
    assert again is two
    assert str(await ask(again, "CLIENT", "ID")) != name
    await again.disconnect(nowait=True)
    connections.give_back(again)
    assert await ask(await lent_by(connections), "ECHO", "x") == b"x"


async def test_a_connection_with_an_unread_reply_is_not_lent(made: Made) -> None:
    """Nobody reads another's reply."""
    connections = Connections(made, 1)
    lent = await lent_by(connections)
    await lent.send_command("ECHO", "first")
    await ask(lent, "ECHO", "second")  # reads the first
    while not await lent.can_read():  # noqa: ASYNC110 (the second's reply has yet to come)
        await asyncio.sleep(0.001)
    connections.give_back(lent)
    again = await lent_by(connections)
    assert await ask(again, "ECHO", "third") == b"third"


async def test_a_connection_that_can_not_be_opened_takes_no_place(made: Made) -> None:
    """The error is told, and the next may try."""
    connections = Connections(made, 1)
    made.is_refusing = True
    for _ in range(3):
        with pytest.raises(failure.ConnectionError):
            await lent_by(connections)
    waiting = asyncio.create_task(lent_by(connections))
    with pytest.raises(failure.ConnectionError):
        await waiting


async def test_few_are_opened_at_a_time(made: Made) -> None:
    """Others wait, and have one that is open already as soon as it is given back."""
    connections = Connections(made, 64)
    opening = [await connections.borrow() for _ in range(8)]
    waiting = [asyncio.create_task(lent_by(connections)) for _ in range(20)]
    await asyncio.sleep(0)
    assert connections.must_wait
    assert len(made.all) == 8
    await connections.make_ready(opening[0])  # so that another one may be opened
    assert await waiting[0] is made.all[8]
    connections.give_back(opening[0])
    assert opening[0] in [await waiting[1], await waiting[2]]
    for each in opening[1:]:
        await connections.make_ready(each)
    lent = await asyncio.gather(*waiting)
    assert len(set(lent)) == 20
    assert not connections.must_wait


async def test_one_that_is_opened_in_vain_leaves_its_place(made: Made) -> None:
    """The next may try, however many fail."""
    connections = Connections(made, 64)
    made.is_refusing = True
    outcomes = await asyncio.gather(
        *[lent_by(connections) for _ in range(40)], return_exceptions=True
    )
    assert all(isinstance(each, failure.ConnectionError) for each in outcomes)
    assert not connections.must_wait


async def test_closing_closes_those_that_are_lent_too(made: Made) -> None:
    """Nothing stays open."""
    connections = Connections(made, 2)
    one, two = await lent_by(connections), await lent_by(connections)
    connections.give_back(one)
    await connections.close()
    assert not one.is_connected
    assert not two.is_connected
