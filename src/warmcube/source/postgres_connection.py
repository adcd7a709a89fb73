"""One connection to Postgres through ADBC; everything here blocks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import pyarrow as pa

from warmcube.postgres.url import PostgresUrl
from warmcube.source.postgres_errors import CONNECTING, DRIVER_ERRORS, translate
from warmcube.source.select import Parameter

__all__ = ["PostgresConnection", "PostgresDatabase"]

_BATCH_BYTES: Final = 2 << 20
_BATCH_HINT: Final = adbc_driver_postgresql.StatementOptions.BATCH_SIZE_HINT_BYTES.value
_USE_COPY: Final = adbc_driver_postgresql.StatementOptions.USE_COPY.value


class PostgresDatabase:
    """A database that connections can be opened to.

    Args:
        source: the source's name, for messages.
        url: where it is.
    """

    def __init__(self, source: str, url: PostgresUrl) -> None:
        self.source = source
        self.url = url
        try:
            self._handle = adbc_driver_postgresql.connect(url.uri)
        except DRIVER_ERRORS as error:
            raise translate(error, source, url, CONNECTING) from None

    def connect(self) -> PostgresConnection:
        """Open a connection.

        Raises:
            SourceUnavailable: the database can't be reached.
        """
        try:
            return PostgresConnection(self, adbc.AdbcConnection(self._handle))
        except DRIVER_ERRORS as error:
            raise translate(error, self.source, self.url, CONNECTING) from None

    def close(self) -> None:
        """Forget the database; its connections must be closed before."""
        self._handle.close()


class PostgresConnection:
    """A connection; does one thing at a time, except that `cancel` may come from any thread.

    Attributes:
        is_broken: whether it may no longer be used: something broke off half-way, or a stream isn't
            at its end.
        is_streaming: whether a stream isn't at its end.
    """

    def __init__(self, database: PostgresDatabase, handle: adbc.AdbcConnection) -> None:
        self._database = database
        self._handle = handle
        self._lock = threading.RLock()  # a stream may be let go of anywhere, here too
        self._cancels = 0
        self._is_closed = False  # nobody uses it any more
        self._is_gone = False  # and no thread of an earlier user does
        self.is_streaming = False
        self.is_broken = False

    def execute(self, script: str, doing: str, parameters: Sequence[Parameter] = ()) -> None:
        """Run statements that return nothing; several, without parameters, with semicolons."""
        with self._statement(script, doing) as statement:
            if parameters:
                statement.bind(_bound(parameters))
            statement.execute_update()

    def fetch(self, cursor: str, rows: int, doing: str) -> pa.Table:
        """The next rows of a cursor."""
        with self._statement(f"FETCH FORWARD {rows} FROM {cursor}", doing) as statement:
            statement.set_options(**{_USE_COPY: "false"})
            handle, _ = statement.execute_query()
            with pa.RecordBatchReader.from_stream(handle) as reader:
                return reader.read_all()

    def query(self, sql: str, doing: str, parameters: Sequence[Parameter] = ()) -> pa.Table:
        """Run one statement and read its whole result."""
        with self._statement(sql, doing) as statement:
            if parameters:
                statement.bind(_bound(parameters))
            handle, _ = statement.execute_query()
            with pa.RecordBatchReader.from_stream(handle) as reader:
                return reader.read_all()

    def stream(self, sql: str, doing: str) -> Iterator[pa.RecordBatch]:
        """Run one statement and read its result piece by piece.

        Whoever gives up may do so in another thread, and long after the connection was given back:
        it is only good again when the stream is at its end.
        """
        self.is_streaming = self.is_broken = True
        try:
            with self._statement(sql, doing) as statement:
                statement.set_options(**{_BATCH_HINT: str(_BATCH_BYTES)})
                handle, _ = statement.execute_query()
                with pa.RecordBatchReader.from_stream(handle) as reader:
                    yield from reader
                self.is_broken = self._is_closed
        finally:
            self.is_streaming = False
            if self.is_broken:
                self.cancel()
            if self._is_closed:
                self.close()  # as it couldn't be before

    def cancel(self) -> None:
        """Ask the server to stop what this connection is doing."""
        with self._lock:
            if self._is_gone:
                return
            self._cancels += 1
        try:
            with contextlib.suppress(*DRIVER_ERRORS):
                self._handle.cancel()
        finally:
            with self._lock:
                self._cancels -= 1
            if self._is_closed:
                self.close()

    def close(self) -> None:
        """Close it, whatever it is doing; what another thread does on it comes to its end first."""
        with self._lock:
            self._is_closed = self.is_broken = True
            if self._cancels or self._is_gone:
                return
            # Where a statement is under way, it is closed behind that.
            with contextlib.suppress(RuntimeError):
                with contextlib.suppress(*DRIVER_ERRORS):
                    self._handle.close()
                self._is_gone = True

    @contextlib.contextmanager
    def _statement(self, sql: str, doing: str) -> Iterator[adbc.AdbcStatement]:
        database = self._database
        try:
            statement = adbc.AdbcStatement(self._handle)
            try:
                statement.set_sql_query(sql)
                yield statement
            finally:
                statement.close()
        except DRIVER_ERRORS as error:
            self.is_broken = True
            raise translate(error, database.source, database.url, doing) from None


def _bound(parameters: Sequence[Parameter]) -> pa.RecordBatch:
    """The parameters as ADBC takes them: a batch of one row."""
    arrays = [
        pa.array([value], pa.string())
        if value is None or isinstance(value, str)
        else pa.array([list(value)], pa.list_(pa.string()))
        for value in parameters
    ]
    return pa.RecordBatch.from_arrays(arrays, [str(n) for n in range(1, len(arrays) + 1)])
