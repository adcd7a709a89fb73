"""Asking Postgres itself, at its best.

It stands for what a sceptic says: "with the right index, Postgres does that too". Only the columns
that are asked for, as small as they can be stored, in a covering index for each way of asking, so
that every scan is index-only (`Postgres.warm` fails if one isn't); asyncpg, which speaks the binary
protocol and prepares each statement once per connection; a pool.

There are more forms than one, and two questions. How values are kept: as ``numeric``, as ``int8``,
or the latter handed over as two arrays in place of records, as somebody writes it who has seen how
long records take. And how far the connections are tuned: as the driver comes, it resets each one
after use, by a trip of its own, and each query is planned anew where the server sees fit; tuned,
neither is done. At ten rows or a hundred that is half of the time.

Its author would say: no copy of the data, never stale, transactions, every other question too; and
for few rows it is as fast as anything that is asked over a socket. What it can't: answer while the
database is down or busy with what only it can do, and be asked from everywhere at no cost to it.
Nor are the answers here checked against anybody's rights: row-level security would come on top.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any, Final

import asyncpg

from benchmarks.baselines.api import CODES, Answer, Place
from benchmarks.questions import Question

__all__ = ["CONNECTIONS", "Form", "NotIndexOnly", "Postgres", "open_postgres"]

CONNECTIONS: Final = 4
"""In the pool: two for each core that the database has here."""

TRIES: Final = 100

_SETTINGS: Final = {
    "jit": "off",
    # In a small table it would rather read everything.
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}
_TUNED: Final = {"plan_cache_mode": "force_generic_plan"}

MAKE: Final = """
CREATE TABLE {name} AS
SELECT substr(measure, 9)::smallint AS measure, code::smallint AS frequency, practice_uid,
       provider_uid, date_index - date '1970-01-01' AS day, {value} AS value
FROM {table} JOIN (VALUES {codes}) AS codes (named, code) ON named = frequency
ORDER BY 1, 2, 3, 4, 5;
CREATE INDEX ON {name} (measure, frequency, practice_uid, provider_uid) INCLUDE (day, value);
CREATE INDEX ON {name} (measure, frequency, provider_uid) INCLUDE (day, value);
"""


class NotIndexOnly(RuntimeError):
    """Postgres reads more than it needs of an index: it isn't at its best."""


class Form(Enum):
    """How values are kept, and how rows are handed over."""

    NUMERIC = "numeric"
    INT8 = "int8"
    ARRAYS = "arrays"


class Postgres:
    """A pool of connections, and a statement for each form of question.

    Args:
        pool: of connections.
        place: where the table is.
        form: of the values.
        name: as figures are called by.
    """

    def __init__(self, pool: asyncpg.Pool[Any], place: Place, form: Form, name: str) -> None:
        self.name = name
        self._pool = pool
        self._place = place
        self._form = form
        self._is_numeric = form is Form.NUMERIC
        self._table = f"{place.table}_{'numeric' if self._is_numeric else 'int8'}"
        value = "value" if form is not Form.ARRAYS else "array_agg(value)"
        day = "day" if form is not Form.ARRAYS else "array_agg(day)"
        total = "sum(value)" if self._is_numeric else "sum(value)::int8"
        self._rows = f"SELECT {day}, {value} FROM {self._table} WHERE "  # noqa: S608 (names of ours)
        self._sums = f"SELECT day, {total} FROM {self._table} WHERE "  # noqa: S608 (likewise)

    async def warm(self) -> None:
        """Make the table and its indexes.

        Raises:
            NotIndexOnly: a question isn't answered from an index alone, or from the wrong one.
        """
        value = "measure_value" if self._is_numeric else "(measure_value * 100)::int8"
        codes = ", ".join(f"('{named}', {code})" for named, code in CODES.items())
        make = MAKE.format(name=self._table, table=self._place.table, value=value, codes=codes)
        await self.clear()
        async with self._pool.acquire() as connection:
            await connection.execute(make)
            for _ in range(TRIES):
                # Rows that some older transaction may not see yet are read from the table; the
                # likeliest one is autovacuum's own.
                await connection.execute(f"VACUUM (FREEZE, ANALYZE) {self._table}")
                if all([await self._is_index_only(each) for each in _EXAMPLES]):
                    return
        raise NotIndexOnly(
            f"Postgres doesn't answer all questions by index-only scans of {self._table} that read "
            "nothing else; look at its plans"
        )

    async def rows(self, question: Question) -> Answer:
        """Records, or two lists."""
        where, arguments = _where(question)
        if self._form is Form.ARRAYS:
            return await self._pool.fetchrow(self._rows + where, *arguments)
        return await self._pool.fetch(self._rows + where, *arguments)

    async def sums(self, question: Question) -> Answer:
        """Records; there are few."""
        where, arguments = _where(question)
        return await self._pool.fetch(self._sums + where + " GROUP BY day", *arguments)

    def pairs(self, answer: Answer) -> list[tuple[int, int]]:
        """An answer as days since 1970-01-01 and hundredths."""
        if isinstance(answer, asyncpg.Record):
            days, values = answer
            return list(zip(days or (), values or (), strict=True))
        if self._is_numeric:
            return [(day, int(value * 100)) for day, value in answer]
        return [(day, value) for day, value in answer]

    async def clear(self) -> None:
        """Remove the table."""
        await self._pool.execute(f"DROP TABLE IF EXISTS {self._table}")

    async def plans(self, question: Question) -> list[dict[str, Any]]:
        """How the rows, and the sums, are found: the scans of the generic plan that was run."""
        where, arguments = _where(question)
        found = []
        async with self._pool.acquire() as connection:
            for statement in (self._rows + where, self._sums + where + " GROUP BY day"):
                await connection.execute(f"PREPARE explained AS {statement}")
                explained = await connection.fetchval(
                    f"EXPLAIN (ANALYZE, FORMAT json) EXECUTE explained ({_literals(arguments)})"
                )
                await connection.execute("DEALLOCATE explained")
                found += _scans(json.loads(explained)[0]["Plan"])
        return found

    async def _is_index_only(self, question: Question) -> bool:
        return all(
            scan["Node Type"] == "Index Only Scan"
            and scan["Heap Fetches"] == 0
            and scan.get("Rows Removed by Filter", 0) == 0
            for scan in await self.plans(question)
        )


_EXAMPLES: Final = (
    Question(0, (100,)),
    Question(0, tuple(range(100, 110))),
    Question(0, tuple(range(100, 200))),
    Question(0, None),
    Question(0, None, provider=10000),
    Question(0, (100, 101), provider=10000),
)
"""One question of each form."""


def _where(question: Question) -> tuple[str, list[Any]]:
    conditions = ["measure = $1", "frequency = $2"]
    arguments: list[Any] = [question.measure, CODES[question.frequency]]
    if question.provider is not None:
        arguments.append(question.provider)
        conditions.append(f"provider_uid = ${len(arguments)}")
    if question.practices is not None:
        # Of one practice alone, "= ANY" costs more to look up.
        is_one = len(question.practices) == 1
        arguments.append(question.practices[0] if is_one else question.practices)
        conditions.append(f"practice_uid = {'' if is_one else 'ANY'}(${len(arguments)})")
    return " AND ".join(conditions), arguments


def _literals(arguments: Sequence[Any]) -> str:
    return ", ".join(
        f"ARRAY{list(each)}" if isinstance(each, tuple) else str(each) for each in arguments
    )


def _scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    below = [scan for each in node.get("Plans", ()) for scan in _scans(each)]
    return [node] if "Scan" in node["Node Type"] else below


async def _leave_it(connection: Any) -> None:
    """Nothing that is asked here changes a connection."""


@asynccontextmanager
async def open_postgres(
    place: Place,
    form: Form = Form.INT8,
    connections: int = CONNECTIONS,
    *,
    is_tuned: bool = True,
) -> AsyncIterator[Postgres]:
    """A pool that is full from the beginning.

    Args:
        place: where the table is.
        form: of the values.
        connections: in the pool.
        is_tuned: whether connections aren't reset, and each statement is planned once.
    """
    async with asyncpg.create_pool(
        place.postgres_url,
        min_size=connections,
        max_size=connections,
        max_inactive_connection_lifetime=0,
        max_cached_statement_lifetime=0,
        reset=_leave_it if is_tuned else None,
        server_settings=_SETTINGS | (_TUNED if is_tuned else {}),
    ) as pool:
        name = f"postgres_{form.value}{'_tuned' if is_tuned else ''}"
        yield Postgres(pool, place, form, name)
