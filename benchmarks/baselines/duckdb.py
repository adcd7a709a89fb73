"""DuckDB in the process: no server, no socket, no rows made of Python objects.

It stands for "put a column store next to the application". The needed columns alone, as small
integers, sorted by measure, frequency, practice, provider and date, so that what a question doesn't
ask for is skipped by its minima and maxima; prepared statements; NumPy arrays as answers. Two
forms: a table in memory, and a Parquet file with small groups of rows whose metadata stay cached.
The faster one counts.

Its author would say: the whole of SQL at the speed of arrays, and whatever the scope is, it takes a
millisecond. What it can't: be less than that millisecond, which goes into planning and into setting
out its pipeline; share one copy between processes that write; or say who may see what.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Final

import duckdb
import numpy as np
from adbc_driver_postgresql import dbapi

from benchmarks.baselines.api import CODES, Answer, Place
from benchmarks.questions import Question

__all__ = ["DuckDB", "Form", "open_duckdb"]

ROW_GROUP: Final = 32_768
"""Rows in one group of the file: what was fastest of 2,048 to 122,880."""

_READ: Final = """
SELECT substr(measure, 9)::smallint AS measure, frequency, practice_uid, provider_uid,
       date_index - date '1970-01-01' AS day, (measure_value * 100)::int8 AS cents
FROM {table}
"""

_MAKE: Final = """
CREATE OR REPLACE TABLE needed AS
SELECT measure, ({codes})::utinyint AS frequency, practice_uid, provider_uid, day, cents
FROM arrived ORDER BY measure, frequency, practice_uid, provider_uid, day
"""


class Form(Enum):
    """Where the rows lie."""

    TABLE = "table"
    PARQUET = "parquet"


class DuckDB:
    """A database in memory, and a statement for each form of question.

    Args:
        connection: to it.
        place: where the table is.
        form: of its own copy.
    """

    def __init__(self, connection: Any, place: Place, form: Form) -> None:
        self.name = f"duckdb_{form.value}"
        self._connection = connection
        self._place = place
        self._file: Path | None = None
        self._from = "needed"
        if form is Form.PARQUET:
            self._file = place.folder / f"{place.table}.parquet"
            self._from = f"'{self._file}'"
        self._prepared: dict[str, str] = {}

    async def warm(self) -> None:
        """Copy what is needed out of Postgres."""
        self._prepared.clear()
        await asyncio.to_thread(self._copy)

    def _copy(self) -> None:
        with dbapi.connect(self._place.postgres_url) as source, source.cursor() as cursor:
            cursor.execute(_READ.format(table=self._place.table))
            arrived = cursor.fetch_arrow_table()
        codes = " ".join(f"WHEN '{named}' THEN {code}" for named, code in CODES.items())
        self._connection.register("arrived", arrived)
        self._connection.execute(_MAKE.format(codes=f"CASE frequency {codes} END"))
        self._connection.unregister("arrived")
        if self._file is not None:
            options = f"FORMAT parquet, ROW_GROUP_SIZE {ROW_GROUP}"
            self._connection.execute(f"COPY needed TO '{self._file}' ({options})")
            self._connection.execute("DROP TABLE needed")

    async def rows(self, question: Question) -> Answer:
        """Two arrays."""
        return self._ask("SELECT day, cents", question, "")

    async def sums(self, question: Question) -> Answer:
        """Two arrays."""
        return self._ask("SELECT day, sum(cents)::bigint AS cents", question, "GROUP BY day")

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths."""
        return list(zip(answer["day"].tolist(), answer["cents"].tolist(), strict=True))

    async def clear(self) -> None:
        """Remove the table, or the file."""
        self._prepared.clear()
        self._connection.execute("DROP TABLE IF EXISTS needed")
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def _ask(self, select: str, question: Question, group: str) -> dict[str, np.ndarray[Any, Any]]:
        # It would hold up the event loop in any other way too: a thread costs more than it takes.
        conditions = ["measure = $1", "frequency = $2"]
        arguments = [question.measure, CODES[question.frequency]]
        if question.provider is not None:
            conditions.append("provider_uid = $3")
            arguments.append(question.provider)
        if question.practices is not None:
            first = len(arguments) + 1
            places = ", ".join(f"${first + place}" for place in range(len(question.practices)))
            conditions.append(f"practice_uid IN ({places})")
            arguments.extend(question.practices)
        where = " AND ".join(conditions)
        statement = f"{select} FROM {self._from} WHERE {where} {group}"
        prepared = self._prepared.get(statement)
        if prepared is None:
            prepared = self._prepared[statement] = f"asked_{len(self._prepared)}"
            self._connection.execute(f"PREPARE {prepared} AS {statement}")
        given = ", ".join(map(str, arguments))
        answer: dict[str, np.ndarray[Any, Any]] = self._connection.execute(
            f"EXECUTE {prepared}({given})"
        ).fetchnumpy()
        return answer


@asynccontextmanager
async def open_duckdb(place: Place, form: Form = Form.TABLE) -> AsyncIterator[DuckDB]:
    """A database in memory, empty; it has to be warmed each time, but for an existing file."""
    with duckdb.connect() as connection:
        connection.execute("SET parquet_metadata_cache = true")
        yield DuckDB(connection, place, form)
