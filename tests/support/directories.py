"""A directory in a database, for tests: made, filled, changed by SQL."""

from __future__ import annotations

import asyncio
import time
import tomllib
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg

from warmcube.directory.database import DirectoryDatabase
from warmcube.directory.keeping import DirectoryKeeper
from warmcube.errors import AccessDenied
from warmcube.postgres.url import PostgresUrl

__all__ = [
    "SETTING",
    "change",
    "database",
    "fill",
    "keeper",
    "least_seconds",
    "until_denied",
    "use_database",
    "wait_until",
]

SETTING = "[directory] url"


def keeper(url: str, schema: str = "warmcube") -> DirectoryKeeper:
    """Who keeps the directory."""
    return DirectoryKeeper(PostgresUrl.parse(url, SETTING), schema)


def database(url: str, schema: str = "warmcube", *, unheard: float = 5.0) -> DirectoryDatabase:
    """The directory as a process keeps it."""
    return DirectoryDatabase(PostgresUrl.parse(url, SETTING), schema, max_age_unheard=unheard)


async def fill(url: str, text: str, schema: str = "warmcube") -> None:
    """Tables that hold an ``access.toml``."""
    keeping = keeper(url, schema)
    await keeping.create()
    await keeping.fill(tomllib.loads(text), "access.toml", replace=True)


def change(url: str, *statements: str) -> None:
    """Change the tables of schema ``warmcube`` by SQL, in one transaction."""
    with psycopg.connect(url) as connection:
        connection.execute("SET search_path = warmcube, public")
        for statement in statements:
            connection.execute(statement.encode())


def use_database(configuration: Path, url: str, more: str = "") -> None:
    """Have a configuration take its directory from a database."""
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(f'{text}\n[directory]\nurl = "{url}"\n{more}\n', encoding="utf-8")


async def until_denied(use: Callable[[], Awaitable[object]], seconds: float) -> AccessDenied:
    """Use a grant again and again until it is denied.

    Raises:
        TimeoutError: it isn't within so many seconds.
    """
    async with asyncio.timeout(seconds):
        while True:
            try:
                await use()
            except AccessDenied as error:
                return error
            await asyncio.sleep(0.005)


async def least_seconds(
    until: Callable[[], Awaitable[object]], again: Callable[[], Awaitable[object]]
) -> float:
    """What the quickest of three waits takes, for a promise of time on a machine that is shared.

    One wait may meet a second in which the machine does something else; a promise that isn't kept
    is broken each time.

    Args:
        until: waits for the outcome of a change that has just been made.
        again: undoes the change, has that taken in, and makes it once more.
    """
    taken: list[float] = []
    for attempt in range(3):
        if attempt:
            await again()
        began = time.monotonic()
        await until()
        taken.append(time.monotonic() - began)
    return min(taken)


async def wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that other tasks bring about.

    Raises:
        TimeoutError: it doesn't come about.
    """
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in another server
            await asyncio.sleep(0.005)
