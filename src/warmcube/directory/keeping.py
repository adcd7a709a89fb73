"""What whoever keeps a directory in a database does with it: make, fill, write out, announce."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from warmcube.access.survey import build_directory
from warmcube.directory.database import read_rows
from warmcube.directory.exported import export_rows
from warmcube.directory.tables import announce, create_tables, insert_records
from warmcube.errors import DirectoryError
from warmcube.postgres.session import DRIVER_ERRORS, Session, open_session, tell
from warmcube.postgres.url import PostgresUrl

__all__ = ["DirectoryKeeper"]

LOCK_SECONDS: Final = 30
"""How long to wait for whoever else is writing the directory."""


class DirectoryKeeper:
    """Changes the directory in a database; every process that keeps it hears of that.

    Args:
        url: of the database.
        schema: of the tables.
    """

    def __init__(self, url: PostgresUrl, schema: str) -> None:
        self._url = url
        self._schema = schema

    @property
    def place(self) -> str:
        """Where the tables are, for messages."""
        return f"schema {self._schema!r} in {self._url.place}"

    async def create(self) -> bool:
        """Make the tables; False if they are there already.

        Raises:
            DirectoryError: they can't be made.
        """
        async with self._session("making the tables of the directory") as session:
            return await create_tables(session, self._schema)

    async def fill(
        self, records: Mapping[str, Any], source: str, *, replace: bool
    ) -> dict[str, int]:
        """Put records into the tables, all or nothing.

        Args:
            records: as in ``access.toml``.
            source: where they are from, for messages.
            replace: whether what is there goes; otherwise the tables must be empty.

        Returns:
            how many rows each table has got.

        Raises:
            DirectoryError: the records have defects, the tables aren't empty, or the database.
        """
        build_directory(records, version="", source=source)
        async with self._session("filling the directory") as session:
            return await insert_records(session, self._schema, records, replace=replace)

    async def write_out(self, *, without_deleted: bool) -> str:
        """The text of an ``access.toml`` that grants the same.

        Raises:
            DirectoryError: a file can't express all of it, or the database.
        """
        async with self._session("reading the directory") as session:
            rows, _ = await read_rows(session, self._schema)
        return export_rows(rows, without_deleted=without_deleted)

    async def announce(self) -> None:
        """Have every process that listens read the directory again.

        Raises:
            DirectoryError: the database.
        """
        async with self._session("announcing a change") as session:
            await announce(session, self._schema)

    @asynccontextmanager
    async def _session(self, doing: str) -> AsyncIterator[Session]:
        try:
            async with await open_session(self._url) as session:
                await session.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'".encode())
                yield session
        except DRIVER_ERRORS as error:
            raise DirectoryError(
                f"{doing}, {self.place}: {tell(error, self._url)}; check that the database is up, "
                "that `warmcube directory init` has made the tables, and that this user may do that"
            ) from None
