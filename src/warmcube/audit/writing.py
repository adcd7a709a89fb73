"""Blocking writes in a thread of their own, one after the other."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["WritingThread", "write_all"]


class WritingThread:
    """Runs one call at a time, in the order asked for; a call that hangs holds up only those."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="warmcube-audit")

    async def run(self, call: Callable[[], None]) -> None:
        """Run a call and wait for it."""
        await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """Take no more calls."""
        self._threads.shutdown(wait=False)


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
