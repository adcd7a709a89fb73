"""`warmcube.observe.recent`: many ask, one reads."""

from __future__ import annotations

import asyncio

import pytest

from warmcube.observe.recent import Recent


async def test_it_is_read_once_in_a_while() -> None:
    """Who asks earlier, or while it is read, gets what was read."""
    reads, now, gate = [0], [0.0], asyncio.Event()

    async def read() -> int:
        reads[0] += 1
        await gate.wait()
        return reads[0]

    recent = Recent(read, 1.0, lambda: now[0])
    many = [asyncio.create_task(recent.get()) for _ in range(10)]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*many) == [1] * 10
    now[0] = 0.99
    assert await recent.get() == 1
    now[0] = 1.0
    assert await recent.get() == 2


async def test_a_failure_is_not_kept() -> None:
    """The next one tries again; and so if whoever reads gives up."""
    tries, has_begun = [0], asyncio.Event()

    async def read() -> int:
        tries[0] += 1
        if tries[0] == 1:
            raise ValueError("once")
        if tries[0] == 2:
            has_begun.set()
            await asyncio.Event().wait()
        return tries[0]

    recent = Recent(read, 1.0, lambda: 0.0)
    with pytest.raises(ValueError, match="once"):
        await recent.get()
    second = asyncio.create_task(recent.get())
    third = asyncio.create_task(recent.get())
    await has_begun.wait()
    second.cancel()
    assert await third == 3
