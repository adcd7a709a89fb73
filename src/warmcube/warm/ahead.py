"""Encoding one chunk ahead of writing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["one_ahead"]

T = TypeVar("T")


async def one_ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """A blocking iterator in a thread, one item ahead of whoever consumes it.

    All items are made in one thread: in several, each would keep memory of its own.
    """
    done = object()
    loop = asyncio.get_running_loop()

    def following() -> object:
        return next(items, done)

    with ThreadPoolExecutor(1, "warm") as thread:
        task = loop.run_in_executor(thread, following)
        try:
            while (item := await task) is not done:
                task = loop.run_in_executor(thread, following)
                yield item  # type: ignore[misc]
        finally:
            if not task.done():
                with contextlib.suppress(Exception):
                    await asyncio.shield(task)
