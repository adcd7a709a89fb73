"""The connections to one server, each lent to one trip at a time, in the order of asking.

The client library's own pool takes locks, waits and counts at every loan, which costs as much as
a small trip itself. This one does nothing but what it must: as long as a connection is idle and
whole, lending it waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from redis import exceptions as failure
from redis.asyncio.connection import AbstractConnection

__all__ = ["Connections"]


class Connections:
    """Lends connections; opens them when they are needed, and again when the server closed them.

    Args:
        make: makes a connection that isn't open yet.
        most: how many there are at most; whoever asks for more waits.
    """

    def __init__(self, make: Callable[[], AbstractConnection], most: int) -> None:
        self._make = make
        self._most = most
        self._idle: list[AbstractConnection] = []  # the last one used is used first
        self._lent: set[AbstractConnection] = set()
        self._taken = 0  # loans, those included that are about to begin
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.keeps_none = False
        """Whether each has to be closed when its trip is done, before it is given back."""

    @property
    def are_all_lent(self) -> bool:
        """Whether whoever asks for one has to wait for another trip to end."""
        return self._taken >= self._most

    async def borrow(self) -> AbstractConnection:
        """An open connection on which no reply is under way; it has to be given back.

        Raises:
            redis.exceptions.ConnectionError: it can't be opened.
        """
        if self._taken < self._most and not self._waiting:
            self._taken += 1
        else:
            await self._wait()
        connection = self._idle.pop() if self._idle else self._make()
        self._lent.add(connection)
        try:
            if connection.is_connected and not await _is_quiet(connection):
                await connection.disconnect(nowait=True)
            if not connection.is_connected:
                await connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            try:
                await connection.disconnect(nowait=True)
            finally:
                self.give_back(connection)
            raise
        return connection

    def give_back(self, connection: AbstractConnection) -> None:
        """End a loan: on the connection no reply is under way, or it is closed."""
        self._lent.remove(connection)
        self._idle.append(connection)
        self._pass_on()

    async def retire(self) -> None:
        """Close what nobody uses, and keep nothing from now on; trips under way end in peace."""
        self.keeps_none = True
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections, those that are lent too."""
        for connection in (*self._idle, *self._lent):
            await connection.disconnect()

    async def _wait(self) -> None:
        """Wait until a loan ends that is passed on to this one."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:  # it was passed on before this one was cancelled
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the place of a loan that has ended to whoever waits longest."""
        for turn in self._waiting:
            if not turn.done():
                self._waiting.remove(turn)
                turn.set_result(None)
                return
        self._taken -= 1


async def _is_quiet(connection: AbstractConnection) -> bool:
    """Whether nothing has come on a connection before anything was asked, such as its end."""
    try:
        return not await connection.can_read()
    except (failure.RedisError, OSError):
        return False
