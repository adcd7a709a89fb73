"""The connections to one server, each lent to one trip at a time, in the order of asking.

The client library's own pool takes locks, waits and counts at every loan, which costs as much as
a small trip itself. This one does nothing but what it must: as long as a connection is idle and
whole, lending it waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from redis import exceptions as failure
from redis.asyncio.connection import AbstractConnection

__all__ = ["Connections"]

OPENING: Final = 8
"""So many are opened at a time. To open one costs this process as much as many trips: when a
hundred ask at once, those that are open soon serve them sooner than one for each would. One that
the server has closed is found out when it is lent, and opened again beside them."""


class Connections:
    """Lends connections; opens them when they are needed, and again when the server closed them.

    A loan has two steps, so that whoever waits for one knows when its turn has come: `borrow`, and
    `make_ready` before it is used.

    Args:
        make: makes a connection that isn't open yet.
        most: how many there are at most; whoever asks for more waits.
    """

    def __init__(self, make: Callable[[], AbstractConnection], most: int) -> None:
        self._make = make
        self._most = most
        self._idle: deque[AbstractConnection] = deque()  # the last one used is used first
        self._lent: set[AbstractConnection] = set()
        self._opening: set[AbstractConnection] = set()
        self._waiting: deque[asyncio.Future[AbstractConnection]] = deque()
        self.keeps_none = False
        """Whether each has to be closed when its trip is done, before it is given back."""

    @property
    def must_wait(self) -> bool:
        """Whether whoever asks for one has to wait for other trips to go on."""
        return bool(self._waiting) or not self._has_one

    async def borrow(self) -> AbstractConnection:
        """A connection of one's own, which has to be given back."""
        if not self.must_wait:
            return self._take()
        turn: asyncio.Future[AbstractConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # who lends may have passed over it already
                    self._waiting.remove(turn)
            else:  # it was lent before this one was cancelled
                self.give_back(turn.result())
            raise

    async def make_ready(self, connection: AbstractConnection) -> None:
        """See that a lent connection is open, and that no reply is under way on it.

        Raises:
            redis.exceptions.ConnectionError: it can't be opened.
        """
        if connection.is_connected and not await _is_quiet(connection):
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            self._opening.add(connection)  # it may have been closed by the server just now
            await connection.connect()  # type: ignore[no-untyped-call]
        if connection in self._opening:
            self._opening.remove(connection)
            self._serve()

    def give_back(self, connection: AbstractConnection) -> None:
        """End a loan: on the connection no reply is under way, or it is closed."""
        self._lent.remove(connection)
        self._opening.discard(connection)
        if connection.is_connected:
            self._idle.append(connection)
        else:
            self._idle.appendleft(connection)
        self._serve()

    async def retire(self) -> None:
        """Close what nobody uses, and keep nothing from now on; trips under way end in peace."""
        self.keeps_none = True
        idle, self._idle = self._idle, deque()
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections, those that are lent too, and keep none from now on."""
        self.keeps_none = True
        for connection in (*self._idle, *self._lent):
            await connection.disconnect()

    @property
    def _has_one(self) -> bool:
        if self._idle and self._idle[-1].is_connected:
            return True
        return len(self._lent) < self._most and len(self._opening) < OPENING

    def _take(self) -> AbstractConnection:
        connection = self._idle.pop() if self._idle else self._make()
        self._lent.add(connection)
        if not connection.is_connected:
            self._opening.add(connection)
        return connection

    def _serve(self) -> None:
        """Lend to those who wait longest what there is."""
        while self._waiting and self._has_one:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(self._take())


async def _is_quiet(connection: AbstractConnection) -> bool:
    """Whether nothing has come on a connection before anything was asked, such as its end."""
    try:
        return not await connection.can_read()
    except (failure.RedisError, OSError):
        return False
