"""Figures over time, kept for as long as the service runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmcube.observe.sampler import Sampler

__all__ = ["keep_figures"]


@asynccontextmanager
async def keep_figures(sampler: Sampler) -> AsyncIterator[None]:
    """Take samples beside everything else; the start of a service never waits for one."""
    task = asyncio.create_task(sampler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sampler.close()
