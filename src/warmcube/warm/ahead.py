"""Encoding one chunk ahead of writing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

__all__ = ["one_ahead"]

T = TypeVar("T")


async def one_ahead(items: Iterator[T]) -> AsyncIterator[T]:
    """A blocking iterator in a thread, one item ahead of whoever consumes it."""
    done = object()

    def following() -> object:
        return next(items, done)

    task = asyncio.ensure_future(asyncio.to_thread(following))
    try:
        while (item := await task) is not done:
            task = asyncio.ensure_future(asyncio.to_thread(following))
            yield item  # type: ignore[misc]
    finally:
        if not task.done():
            with contextlib.suppress(Exception):
                await asyncio.shield(task)
