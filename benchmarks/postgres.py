"""Asking Postgres itself, at its best: covering index, integers only, prepared statements."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
from adbc_driver_postgresql import dbapi

from benchmarks.questions import FREQUENCY, Question
from benchmarks.setting import Setting

__all__ = ["DirectPostgres"]

_ROWS: Final = "SELECT day, cents FROM {schema}.needed"
_SUMS: Final = "SELECT day, sum(cents)::bigint AS cents FROM {schema}.needed"

_PREPARE: Final = (
    """
    CREATE TABLE {schema}.needed AS
    SELECT substr(measure, 9)::smallint AS measure, frequency, practice_uid,
           date_index - date '1970-01-01' AS day, (measure_value * 100)::bigint AS cents
    FROM {table}
    """,
    """
    CREATE INDEX ON {schema}.needed (measure, frequency, practice_uid) INCLUDE (day, cents)
    """,
    "VACUUM ANALYZE {schema}.needed",
)


class DirectPostgres:
    """One connection, and one prepared statement for each form of question.

    Args:
        setting: the servers, and the table.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._stack = ExitStack()
        self._cursors: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._connection = self._stack.enter_context(
            dbapi.connect(self._setting.postgres_url, autocommit=True)
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def prepare(self) -> None:
        """Make the table that is asked."""
        names = {"schema": self._setting.schema, "table": self._setting.table()}
        with self._connection.cursor() as cursor:
            for statement in _PREPARE:
                cursor.execute(statement.format(**names))

    def ask(self, question: Question, *, sums: bool) -> pa.Table:
        """The answer as an Arrow table."""
        practices = question.practices or ()
        statement = (_SUMS if sums else _ROWS).format(schema=self._setting.schema)
        statement += " WHERE measure = $1 AND frequency = $2"
        if practices:
            places = ", ".join(f"${3 + place}" for place in range(len(practices)))
            statement += f" AND practice_uid IN ({places})"
        if sums:
            statement += " GROUP BY day"
        cursor = self._cursors.get(statement)
        if cursor is None:
            cursor = self._stack.enter_context(self._connection.cursor())
            self._cursors[statement] = cursor
        # The same text on the same cursor is prepared once.
        cursor.execute(statement, (question.measure, FREQUENCY, *practices))
        return cursor.fetch_arrow_table()
