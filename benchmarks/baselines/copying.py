"""The least that a warm can cost: reading the whole table, and throwing it away.

``COPY (SELECT *) TO STDOUT (FORMAT binary)`` by the three clients that people read much with. None
of them groups, encodes, proves or writes anything, so every warm is longer; which one is fastest
depends on the machine, and the fastest is what counts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import asyncpg
import psycopg
from adbc_driver_postgresql import dbapi

__all__ = ["READERS"]


async def _by_adbc(url: str, table: str) -> float:
    """ADBC sends every query as such a COPY, and makes Arrow batches of what comes."""
    with dbapi.connect(url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 (a name of ours)
        for _ in cursor.fetch_record_batch():
            pass
        return time.perf_counter() - started


async def _by_psycopg(url: str, table: str) -> float:
    """Psycopg hands on the bytes of one row at a time."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        started = time.perf_counter()
        statement = f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT binary)"  # noqa: S608 (likewise)
        with cursor.copy(statement.encode()) as copy:
            while copy.read():
                pass
        return time.perf_counter() - started


async def _by_asyncpg(url: str, table: str) -> float:
    """Asyncpg hands on the bytes in chunks, as they arrive."""
    connection = await asyncpg.connect(url)
    try:
        started = time.perf_counter()
        await connection.copy_from_query(
            f"SELECT * FROM {table}",  # noqa: S608 (likewise)
            output=_drop,
            format="binary",
        )
        return time.perf_counter() - started
    finally:
        await connection.close()


async def _drop(chunk: bytes) -> None:
    """Keep nothing of it."""


READERS: Final[Mapping[str, Callable[[str, str], Awaitable[float]]]] = MappingProxyType(
    {"ADBC": _by_adbc, "psycopg": _by_psycopg, "asyncpg": _by_asyncpg}
)
"""By client: reads the table of a URL, and says how many seconds that took once connected."""
