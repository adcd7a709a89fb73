"""Databases with tables of the tests' own, and sources on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import adbc_driver_manager
import duckdb
import pytest
from adbc_driver_postgresql import dbapi

from warmcube.source.api import Source
from warmcube.source.connect import open_source

Execute = Callable[..., None]
Ask = Callable[[str], list[tuple[object, ...]]]
Open = Callable[[str], Source]


@pytest.fixture
def database(postgres_module_db: str) -> str:
    """The URL of a database that is empty; made once per module, since that takes a second."""
    connected = dbapi.connect(postgres_module_db, autocommit=True)
    with closing(connected) as connection, connection.cursor() as cursor:
        for sql in (
            "DROP SCHEMA public CASCADE",
            "CREATE SCHEMA public",
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$",
        ):
            cursor.execute(sql)
    return postgres_module_db


@pytest.fixture
def execute(database: str) -> Iterator[Execute]:
    """Runs statements in the test's own database, each committed at once."""
    with closing(dbapi.connect(database, autocommit=True)) as connection:

        def run(*statements: str) -> None:
            for sql in statements:
                with closing(adbc_driver_manager.AdbcStatement(connection.adbc_connection)) as one:
                    one.set_sql_query(sql)
                    one.execute_update()

        yield run


@pytest.fixture
def ask(database: str) -> Iterator[Ask]:
    """Asks the test's own database, by SQL."""
    with closing(dbapi.connect(database, autocommit=True)) as connection:

        def fetch(sql: str) -> list[tuple[object, ...]]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows: list[tuple[object, ...]] = cursor.fetchall()
                return rows

        yield fetch


@pytest.fixture
async def open_url() -> AsyncIterator[Open]:
    """Opens sources, and closes them in the end."""
    opened: list[Source] = []

    def open_one(url: str) -> Source:
        opened.append(open_source("main", url))
        return opened[-1]

    yield open_one
    await asyncio.gather(*(source.close() for source in opened))


@pytest.fixture
def source(database: str, open_url: Open) -> Source:
    """The adapter on the test's own database."""
    return open_url(database)


@pytest.fixture
def make_duckdb(tmp_path: Path) -> Callable[..., Path]:
    """Makes a DuckDB file by SQL, in a folder where ``{folder}`` in the SQL points too."""

    def make(*statements: str) -> Path:
        path = tmp_path / "file.duckdb"
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement.replace("{folder}", str(tmp_path)))
        return path

    return make
