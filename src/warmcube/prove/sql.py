"""The tables themselves, asked in SQL of the kit's own: Postgres, DuckDB, Parquet.

Every column is cast to text in SQL, so that no driver has a say in what a value is. All is read in
one transaction that can't write.
"""

# ruff: noqa: S608 - identifiers are quoted and values written by `literal`, all in this file

from __future__ import annotations

import asyncio
import glob
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import unquote

import duckdb

from warmcube.errors import SourceUnavailable
from warmcube.model.schema import Datasource
from warmcube.postgres.session import DRIVER_ERRORS, Session, open_session, tell
from warmcube.postgres.url import PostgresUrl
from warmcube.prove.canonical import Form
from warmcube.prove.predicate import literal

__all__ = ["Counted", "Database", "Partition", "Texts", "open_database", "quoted"]

Texts: TypeAlias = list[str | None]
Partition: TypeAlias = tuple[str | None, str | None]
"""A measure and a frequency, as text; None is NULL, or that there is no such column."""

_ORDERED: Final = "ORDER BY 1, 2"
"""So that a seed means the same, however the database came to the rows."""
_PREDICATES: Final = 50  # in one statement
_POSTGRES: Final = {
    20: Form.INTEGER,
    21: Form.INTEGER,
    23: Form.INTEGER,
    700: Form.REAL,
    701: Form.DOUBLE,
    1700: Form.NUMERIC,
    16: Form.BOOLEAN,
    1082: Form.DATE,
    1114: Form.TIMESTAMP,
    1184: Form.TIMESTAMPTZ,
    2950: Form.UUID,
}
_DUCKDB: Final = {
    "BOOLEAN": Form.BOOLEAN,
    **dict.fromkeys(
        ("TINYINT", "UTINYINT", "SMALLINT", "USMALLINT", "INTEGER", "UINTEGER", "BIGINT"),
        Form.INTEGER,
    ),
    **dict.fromkeys(("UBIGINT", "HUGEINT", "UHUGEINT"), Form.NUMERIC),
    "FLOAT": Form.REAL,
    "DOUBLE": Form.DOUBLE,
    "DATE": Form.DATE,
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), Form.TIMESTAMP),
    "TIMESTAMP WITH TIME ZONE": Form.TIMESTAMPTZ,
    "UUID": Form.UUID,
}
_NAME: Final = re.compile(r'(?:"((?:[^"]|"")+)"|([^".]+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many rows of a partition have one practice and provider.

    Attributes:
        rows: in all.
        values: how many of them have a value; as many as there are rows where there's no column.
        seen: how many of them each predicate lets through, in its order.
    """

    practice: str | None
    provider: str | None
    rows: int
    values: int
    seen: tuple[int, ...]


class _Session(Protocol):
    """What runs SQL."""

    async def fetch(self, sql: str) -> list[tuple[Any, ...]]: ...

    async def forms(self, table: str) -> dict[str, Form]: ...

    def table(self, name: str) -> str: ...


def quoted(identifier: str) -> str:
    """An identifier as SQL."""
    return '"' + identifier.replace('"', '""') + '"'


class Database:
    """One data source's table.

    Args:
        session: runs SQL.
        datasource: which.
        forms: what each column holds, in the table's order.
    """

    def __init__(self, session: _Session, datasource: Datasource, forms: dict[str, Form]) -> None:
        self._session = session
        self._table = session.table(datasource.table)
        self._roles = datasource.roles
        self.forms = forms

    async def partitions(self, predicates: Sequence[str]) -> dict[Partition, tuple[int, ...]]:
        """Every measure and frequency: how many rows it has, and each predicate lets through."""
        keys = ", ".join([self._key(self._roles.measure), self._key(self._roles.frequency)])
        found: dict[Partition, tuple[int, ...]] = {}
        for start in range(0, max(1, len(predicates)), _PREDICATES):
            counts = _filtered(predicates[start : start + _PREDICATES])
            sql = f"SELECT {keys}, count(*){counts} FROM {self._table} GROUP BY 1, 2 {_ORDERED}"
            for measure, frequency, rows, *seen in await self._session.fetch(sql):
                before = found.get((measure, frequency), (int(rows),))
                found[measure, frequency] = (*before, *map(int, seen))
        return found

    async def count(self, partition: Partition, predicates: Sequence[str]) -> list[Counted]:
        """How many rows each practice and provider has, and each predicate lets through.

        Args:
            partition: of which rows.
            predicates: over `practice` and `provider`.
        """
        value = self._roles.value
        values = "count(*)" if value is None else f"count({quoted(value)})"
        found: dict[tuple[str | None, str | None], tuple[int, int, tuple[int, ...]]] = {}
        for start in range(0, max(1, len(predicates)), _PREDICATES):
            counts = _filtered(predicates[start : start + _PREDICATES])
            sql = (
                f"SELECT {self.practice}, {self.provider}, count(*), {values}{counts} "
                f"FROM {self._table} WHERE {self._is_of(partition)} GROUP BY 1, 2 "
                f"{_ORDERED}"
            )
            for practice, provider, rows, valued, *seen in await self._session.fetch(sql):
                *_, before = found.get((practice, provider), (0, 0, ()))
                found[practice, provider] = (int(rows), int(valued), (*before, *map(int, seen)))
        return [
            Counted(practice=practice, provider=provider, rows=rows, values=valued, seen=seen)
            for (practice, provider), (rows, valued, seen) in found.items()
        ]

    async def rows(
        self, partition: Partition, practices: Sequence[str] | None = None
    ) -> list[tuple[str | None, ...]]:
        """Whole rows, every column as text.

        Args:
            partition: of which rows.
            practices: only rows of these.
        """
        columns = ", ".join(f"CAST({quoted(name)} AS TEXT)" for name in self.forms)
        sql = f"SELECT {columns} FROM {self._table} WHERE {self._is_of(partition)}"
        if practices is not None:
            listed = ", ".join(map(literal, practices)) or "NULL"
            sql += f" AND {self.practice} IN ({listed})"
        sql += f" ORDER BY {', '.join(map(str, range(1, len(self.forms) + 1)))}"
        return await self._session.fetch(sql)

    @property
    def practice(self) -> str:
        """The SQL for a row's practice, as text."""
        return self._key(self._roles.practice)

    @property
    def provider(self) -> str:
        """The SQL for a row's provider, as text."""
        return self._key(self._roles.provider)

    def _key(self, column: str | None) -> str:
        if column is None:
            return "CAST(NULL AS TEXT)"
        return f'CAST({quoted(column)} AS TEXT) COLLATE "C"'

    def _is_of(self, partition: Partition) -> str:
        conditions = ["TRUE"]
        for column, value in zip(
            (self._roles.measure, self._roles.frequency), partition, strict=True
        ):
            if column is None:
                continue
            if value is None:
                conditions.append(f"{quoted(column)} IS NULL")
                continue
            if self.forms[column] in (Form.INTEGER, Form.UUID):
                conditions.append(f"{quoted(column)} = {literal(value)}")  # fit for an index
            conditions.append(f"{self._key(column)} = {literal(value)}")
        return " AND ".join(conditions)


@asynccontextmanager
async def open_database(url: str, datasource: Datasource) -> AsyncIterator[Database]:
    """A data source's table, as it is at one moment.

    Raises:
        SourceUnavailable: it can't be read.
    """
    opening = _files if url.startswith(("duckdb:", "parquet:")) else _postgres
    async with opening(url, datasource) as session:
        forms = await session.forms(session.table(datasource.table))
        yield Database(session, datasource, forms)


class _Postgres:
    def __init__(self, session: Session, url: PostgresUrl, source: str) -> None:
        self._session = session
        self._url = url
        self._source = source

    def table(self, name: str) -> str:
        return _dotted(name)

    async def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = await (await self.execute(sql)).fetchall()
        return rows

    async def forms(self, table: str) -> dict[str, Form]:
        cursor = await self.execute(f"SELECT * FROM {table} LIMIT 0")
        return {
            column.name: _POSTGRES.get(column.type_code, Form.TEXT)
            for column in cursor.description or ()
        }

    async def execute(self, sql: str) -> Any:
        try:
            return await self._session.execute(sql.encode())
        except DRIVER_ERRORS as error:
            raise _unavailable(self._source, tell(error, self._url)) from None


@asynccontextmanager
async def _postgres(url: str, datasource: Datasource) -> AsyncIterator[_Session]:
    parsed = PostgresUrl.parse(url, f"[sources.{datasource.source}] url")
    try:
        session = await open_session(parsed)
    except DRIVER_ERRORS as error:
        raise _unavailable(datasource.source, tell(error, parsed)) from None
    async with session:
        opened = _Postgres(session, parsed, datasource.source)
        for statement in _BEGIN:
            await opened.execute(statement)
        yield opened


_BEGIN: Final = (
    "SET TimeZone = 'UTC'",
    "SET DateStyle = 'ISO, YMD'",
    "SET extra_float_digits = 1",
    "SET bytea_output = 'hex'",
    "SET IntervalStyle = 'postgres'",
    "SET standard_conforming_strings = on",
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
)


class _DuckDB:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, relation: str | None, source: str
    ) -> None:
        self._connection = connection
        self._relation = relation  # of Parquet files, which are the table whatever its name
        self._source = source

    def table(self, name: str) -> str:
        return self._relation or f'"proven".{_dotted(name, "main")}'

    async def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            return await asyncio.to_thread(lambda: self._connection.execute(sql).fetchall())
        except duckdb.Error as error:
            raise _unavailable(self._source, " ".join(str(error).split())) from None

    async def forms(self, table: str) -> dict[str, Form]:
        described = await self.fetch(f"DESCRIBE SELECT * FROM {table}")
        return {
            row[0]: Form.NUMERIC if row[1].startswith("DECIMAL") else _DUCKDB.get(row[1], Form.TEXT)
            for row in described
        }


@asynccontextmanager
async def _files(url: str, datasource: Datasource) -> AsyncIterator[_Session]:
    try:
        connection, relation = await asyncio.to_thread(_connect, url)
    except duckdb.Error as error:
        raise _unavailable(datasource.source, " ".join(str(error).split())) from None
    try:
        yield _DuckDB(connection, relation, datasource.source)
    finally:
        connection.close()


def _connect(url: str) -> tuple[duckdb.DuckDBPyConnection, str | None]:
    """A DuckDB that has the files, and what Parquet files are called in it."""
    scheme, _, rest = url.partition(":")
    path = str(Path(unquote(rest.removeprefix("//"))).absolute())
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        relation = None
        if scheme == "parquet":
            # Path.glob takes no absolute pattern.
            matching = [path] if Path(path).is_file() else glob.glob(path, recursive=True)  # noqa: PTH207
            listed = ", ".join(literal(each) for each in sorted(matching) if Path(each).is_file())
            relation = f"read_parquet([{listed}])"
        else:
            connection.execute(f'ATTACH {literal(path)} AS "proven" (READ_ONLY)')
        connection.execute("BEGIN TRANSACTION READ ONLY")
    except BaseException:
        connection.close()
        raise
    return connection, relation


def _filtered(predicates: Sequence[str]) -> str:
    return "".join(f", count(*) FILTER (WHERE {each})" for each in predicates)


def _dotted(name: str, schema: str | None = None) -> str:
    """``schema.table`` as a configuration has it, as SQL has it."""
    parts = [part.replace('""', '"') if part else plain for part, plain in _NAME.findall(name)]
    if len(parts) == 1 and schema is not None:
        parts.insert(0, schema)
    return ".".join(map(quoted, parts))


def _unavailable(source: str, why: str) -> SourceUnavailable:
    return SourceUnavailable(f"source {source!r} can't be asked for the proof: {why}")
