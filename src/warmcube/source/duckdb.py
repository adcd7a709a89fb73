"""DuckDB files and Parquet files as a source, both read by an embedded DuckDB.

Each snapshot has a DuckDB of its own, that can read nothing but the configured files, loads no
extension, and whose configuration is locked. A database file is attached read-only, so that nobody
can write it meanwhile; that Parquet files stayed the same is checked after each read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import duckdb

from warmcube.errors import TableMismatch
from warmcube.model.schema import Datasource, Schema
from warmcube.source.api import DescribedColumn, SourceSnapshot
from warmcube.source.duckdb_column import DuckdbColumn
from warmcube.source.duckdb_files import Files, FileUrl
from warmcube.source.duckdb_snapshot import DuckdbConnection, DuckdbSnapshot, translate
from warmcube.source.names import TableName, parse_table, quote, similar
from warmcube.source.roles import check_roles

__all__ = ["DuckdbSource"]

_DATABASE: Final = "source"
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_SETTINGS: Final = (
    "SET memory_limit = '256MB'",
    "SET temp_directory = ''",
    "SET preserve_insertion_order = false",
    "SET python_enable_replacements = false",
    "SET TimeZone = 'UTC'",
)
_LOCKED: Final = ("SET enable_external_access = false", "SET lock_configuration = true")
_TABLES: Final = """
SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = $1
UNION ALL
SELECT schema_name, view_name FROM duckdb_views() WHERE database_name = $1 AND NOT internal
"""

T = TypeVar("T")


class DuckdbSource:
    """A DuckDB file, or Parquet files that make one table.

    Args:
        name: the source's name in the configuration, for messages.
        url: ``duckdb:///folder/file.duckdb`` or ``parquet:///folder/*.parquet``. For Parquet the
            files are the table, whatever name a data source gives it.

    Raises:
        ConfigError: the URL can't be read.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = FileUrl.parse(url, name)

    def __repr__(self) -> str:
        return f"DuckdbSource({self._name!r}, {self._url.pattern!r})"

    async def describe(self, table: str) -> tuple[DescribedColumn, ...]:
        async with self._opened(table, None) as (_, _, columns):
            return tuple(DescribedColumn(column.name, column.type) for column in columns)

    @asynccontextmanager
    async def snapshot(
        self,
        datasource: Datasource,
        *,
        time_limit: float | None = None,
        known: Schema | None = None,
    ) -> AsyncIterator[SourceSnapshot]:
        del known  # DuckDB declares all digits
        async with self._opened(datasource.table, time_limit) as (connection, sql, columns):
            check_roles([DescribedColumn(c.name, c.type) for c in columns], datasource)
            as_of = await connection.in_thread(connection.now)
            yield DuckdbSnapshot(connection, sql, datasource, columns, as_of)

    async def ping(self) -> None:
        """Its files are there or not, which each read finds out at once."""

    async def close(self) -> None:
        """Nothing is kept open."""

    @asynccontextmanager
    async def _opened(
        self, table: str, time_limit: float | None
    ) -> AsyncIterator[tuple[DuckdbConnection, str, tuple[DuckdbColumn, ...]]]:
        name = parse_table(table)
        connection = await asyncio.to_thread(self._connect, time_limit)
        try:
            sql = await connection.in_thread(lambda: self._relation(connection, name))
            yield connection, sql, await connection.in_thread(lambda: connection.describe(sql))
        finally:
            await asyncio.to_thread(connection.close)

    def _connect(self, time_limit: float | None) -> DuckdbConnection:
        files = self._url.files(self._name)
        try:
            handle = duckdb.connect(":memory:", config=_CONFIG)
            try:
                for setting in _SETTINGS:
                    handle.execute(setting)
                self._reach(handle, files)
                for setting in _LOCKED:
                    handle.execute(setting)
                handle.execute("BEGIN TRANSACTION READ ONLY")
            except BaseException:
                handle.close()
                raise
        except duckdb.Error as error:
            raise translate(error, f"source {self._name!r}, {self._url.pattern}") from None
        place = f"source {self._name!r}, {self._url.pattern}"
        watched = files if self._url.is_parquet else Files(())
        return DuckdbConnection(handle, place, watched, time_limit)

    def _reach(self, handle: duckdb.DuckDBPyConnection, files: Files) -> None:
        """Give a DuckDB the files, and no others."""
        paths = ", ".join(map(_literal, files.paths))
        if self._url.is_parquet:
            handle.execute(f"SET allowed_paths = [{paths}]")
        else:
            handle.execute(f"ATTACH {paths} AS {quote(_DATABASE)} (READ_ONLY)")

    def _relation(self, connection: DuckdbConnection, table: TableName) -> str:
        """The table as SQL names it."""
        if self._url.is_parquet:
            return f"read_parquet([{', '.join(map(_literal, connection.files.paths))}])"
        found = connection.fetch(_TABLES, [_DATABASE])
        schema = table.schema or "main"
        if (schema, table.name) in found:
            return f"{quote(_DATABASE)}.{quote(schema)}.{quote(table.name)}"
        near = similar(f"{schema}.{table.name}", [str(TableName(*row)) for row in found])
        hint = f"did you mean {' or '.join(near)}" if near else "names are taken exactly as written"
        raise TableMismatch(f"{connection.place}: there is no table or view {table} ({hint})")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
