"""Dashboards over a warm table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.boards import FACTS, Board
from tests.support.caches import execute, make_cache


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, FACTS)
    return postgres_module_db


@pytest.fixture
async def board(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[Board]:
    """Renders over a warm cache."""
    async with make_cache(tmp_path, redis_url, facts) as cache:
        await cache.warm(1)
        yield Board(cache, facts)
