"""Audit lines in a table of Postgres."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from warmcube.errors import AuditError
from warmcube.postgres.session import DRIVER_ERRORS, Session, open_session, tell
from warmcube.postgres.url import PostgresUrl
from warmcube.source.names import TableName, quote

__all__ = ["PostgresSink"]

_SQL: Final = files("warmcube.audit") / "sql"
_CREATE: Final = (_SQL / "create.sql").read_text(encoding="utf-8")
_CREATE_SCHEMA: Final = (_SQL / "create_schema.sql").read_text(encoding="utf-8")
_INSERT: Final = (_SQL / "insert.sql").read_text(encoding="utf-8")


class PostgresSink:
    """Inserts into a table, over a connection that it opens anew when it is lost.

    The table is made if it isn't there. Where it is, the right to insert is all that is needed.

    Args:
        url: of the database.
        table: without a schema it is in ``public``.
    """

    def __init__(self, url: PostgresUrl, table: TableName) -> None:
        self._url = url
        names = {"schema": quote(table.schema or "public"), "table": quote(table.name)}
        self._schema = names["schema"]
        self._relation = f"{names['schema']}.{names['table']}"
        self._create = _named(_CREATE, names)
        self._create_schema = _named(_CREATE_SCHEMA, names)
        # A statement with parameters takes a lone % for one.
        escaped = {word: name.replace("%", "%%") for word, name in names.items()}
        self._insert = _named(_INSERT, escaped)
        self._session: Session | None = None

    async def write(self, lines: Sequence[bytes]) -> None:
        """See `Sink`."""
        texts = [line.decode() for line in lines]
        is_new = self._session is None
        try:
            await self._insert_once(texts)
        except DRIVER_ERRORS as error:
            if is_new:
                raise self._error(error) from None
            try:  # a connection that lay idle may have been cut
                await self._insert_once(texts)
            except DRIVER_ERRORS as second:
                raise self._error(second) from None

    async def close(self) -> None:
        """See `Sink`."""
        await self._forget()

    async def _insert_once(self, texts: list[str]) -> None:
        try:
            session = self._session or await self._open()
            await session.execute(self._insert, (texts,))
        except BaseException:  # cancelled on the way, it is in no state to go on
            await self._forget()
            raise

    async def _open(self) -> Session:
        self._session = session = await open_session(self._url)
        # IF NOT EXISTS takes the right to make a thing also where it is there.
        if await self._lacks(session, b"SELECT to_regclass(%s) IS NULL", self._relation):
            if await self._lacks(session, b"SELECT to_regnamespace(%s) IS NULL", self._schema):
                await session.execute(self._create_schema)
            await session.execute(self._create)
        return session

    @staticmethod
    async def _lacks(session: Session, question: bytes, name: str) -> bool:
        row = await (await session.execute(question, (name,))).fetchone()
        return row is not None and row[0] is True

    async def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _error(self, error: BaseException) -> AuditError:
        return AuditError(
            f"the audit can't be written to {self._relation} in {self._url.place}: "
            f"{tell(error, self._url)}; see to the database, the table and the right to insert"
        )


def _named(sql: str, names: dict[str, str]) -> bytes:
    """A statement with the names put in, once each: a name may look like a place for one."""
    return re.sub(r"\{(\w+)\}", lambda match: names[match[1]], sql).encode()
