"""Blocking writes in a thread of their own, one after the other."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias

__all__ = ["WritingThread", "write_all"]

_Call: TypeAlias = tuple[Callable[[], None], asyncio.AbstractEventLoop, asyncio.Future[None]]


class WritingThread:
    """Runs one call at a time, in the order asked for; a call that hangs holds up only those.

    Not an executor of the standard library: the interpreter waits for its threads when it ends, and
    so would a process whose disk hangs.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread: Thread | None = None

    async def run(self, call: Callable[[], None]) -> None:
        """Run a call and wait for it."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="warmcube-audit", daemon=True)
            self._thread.start()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._calls.put((call, loop, done))
        await done

    def close(self) -> None:
        """Take no more calls."""
        self._calls.put(None)

    def _work(self) -> None:
        while (asked := self._calls.get()) is not None:
            call, loop, done = asked
            error: Exception | None = None
            try:
                call()
            except Exception as raised:  # noqa: BLE001 - it belongs to who asked
                error = raised
            with suppress(RuntimeError):  # the loop may be gone
                loop.call_soon_threadsafe(_tell, done, error)


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, whether the descriptor blocks or not.

    Raises:
        OSError: some of it may have been written.
    """
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:
            # Not select(), which refuses descriptors from 1024 on.
            room = select.poll()
            room.register(descriptor, select.POLLOUT)
            room.poll()
