"""One pair of user and query: asked, and compared with what SQL says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.support.generate import make_query
from tests.support.generate_people import People, Person
from tests.support.oracle_access import Refusal, judge
from tests.support.oracle_sql import OracleSql
from tests.support.oracle_values import Row, difference, expected_rows
from tests.support.tables import Sample

from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied, MissingRole, UnknownDatasource
from warmcube.model.request import Query
from warmcube.query.result import Result

__all__ = ["Servers", "Trial", "open_caches", "refusal_of"]

DATABASE_SHARE = 8
"""Each so-manieth pair is answered by the database too."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where a trial takes place: an empty Redis, an empty database, an empty folder."""

    redis_url: str
    postgres_url: str
    folder: Path


@asynccontextmanager
async def open_caches(
    sample: Sample, people: People, servers: Servers
) -> AsyncIterator[dict[str, AnalyticsCache]]:
    """On the same table, by what they answer from.

    That is the store, answers that are kept, the database; and partitions, once they are held.
    """
    servers.folder.joinpath("access.toml").write_text(people.toml(), encoding="utf-8")
    text = _configuration(sample, servers)
    sections = {
        "store": "[cache]\nresident_bytes = 0\n",
        "resident": "",
        "partitions": "",
        "database": "[cache]\nenabled = false\n",
    }
    caches = {}
    async with AsyncExitStack() as stack:
        for origin, section in sections.items():
            path = servers.folder / f"{origin}.toml"
            path.write_text(section + text, encoding="utf-8")
            caches[origin] = await stack.enter_async_context(AnalyticsCache.from_config(path))
        yield caches


def _configuration(sample: Sample, servers: Servers) -> str:
    columns = {
        role: getattr(sample.roles, role) or False
        for role in ("measure", "practice", "provider", "frequency", "date", "value")
    }
    tables: dict[str, dict[str, Any]] = {
        "[store]": {"url": servers.redis_url},
        "[sources.main]": {"url": servers.postgres_url},
        "[directory]": {"path": "access.toml"},
        "[[datasources]]": {
            "id": sample.id,
            "name": sample.name,
            "source": "main",
            "table": sample.table,
            "time_zone": sample.time_zone,
            **({} if sample.door is None else {"roles": sample.door}),
        },
        "[datasources.columns]": columns,
    }
    lines = []
    for header, values in tables.items():
        lines.append(header)
        lines += [f"{key} = {json.dumps(each, ensure_ascii=False)}" for key, each in values.items()]
    return "\n".join(lines)


@dataclass(slots=True)
class Trial:
    """Everything that pairs of one table need.

    Attributes:
        sample: the table.
        people: the users.
        caches: by origin, see `open_caches`.
        sql: writes the oracle's statements.
        cursor: of the oracle's own connection, whose time zone is UTC.
        readers: users who aren't refused whatever they ask.
        seeing: those of them who see any row.
        tally: what came out.
    """

    sample: Sample
    people: People
    caches: dict[str, AnalyticsCache]
    sql: OracleSql
    cursor: Any
    readers: list[Person] = field(default_factory=list)
    seeing: list[Person] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        anything = Query(datasource=self.sample.id)
        for person in self.people.users:
            verdict = judge(self.people, person, self.sample, anything)
            if not verdict.refusals:
                self.readers.append(person)
                count = f"SELECT count(*) FROM {self.sample.table} WHERE {verdict.condition}"
                self.cursor.execute(count)
                if self.cursor.fetchone()[0]:
                    self.seeing.append(person)

    async def run(self, random: Random, number: int) -> str | None:
        """One pair; what is wrong with it, or None."""
        person = self._person(random)
        query = make_query(random, self.sample, self.people, person)
        verdict = judge(self.people, person, self.sample, query)
        if verdict.refusals:
            wrong = await self._refused(person, query, verdict.refusals)
            return wrong and f"{person}\n{query}\n{wrong}"
        statement, names = self.sql.select(query, verdict.condition)
        expected = expected_rows(self.sample, query, self._fetch(statement, names))
        origins = ["store", "resident", "partitions"]
        if number % DATABASE_SHARE == 0:
            origins.append("database")
        types = set()
        for origin in origins:
            answer = await self._ask(origin, person, query)
            wrong = self._compare(origin, query, answer, expected)
            if wrong is not None:
                return f"{person}\n{query}\n{statement}\n{origin}: {wrong}"
            assert isinstance(answer, Result)
            types.add(str([column.type for column in answer.table.columns.values()]))
            self.tally[origin] += 1
            self.tally["with rows" if len(answer) else "empty"] += 1
        return None if len(types) == 1 else f"{person}\n{query}\nthe types differ: {types}"

    def _person(self, random: Random) -> Person:
        """Mostly somebody who sees something here."""
        share = random.random()
        if share < 0.04:
            return random.choice(self.people.users)
        return random.choice(self.readers if share < 0.1 else self.seeing)

    async def _refused(
        self, person: Person, query: Query, refusals: frozenset[Refusal]
    ) -> str | None:
        for origin in self.caches:
            answer = await self._ask(origin, person, query)
            if answer not in refusals:
                return f"{origin}: {answer}, and should be one of {refusals}"
            self.tally["refused"] += 1
        return None

    def _compare(
        self, origin: str, query: Query, answer: object, expected: list[Row]
    ) -> str | None:
        if not isinstance(answer, Result):
            return str(answer)
        if origin == "partitions":
            # What has no rows of the scope is the store's, and so is a list of partitions.
            is_held = answer.meta.origin == "resident"
            self.tally["evaluated from partitions"] += is_held
            origin = "resident" if is_held or answer.meta.rows_fetched else "store"
        if answer.meta.origin != origin:
            return f"answered by {answer.meta.origin}: {answer.meta.notes}"
        if answer.explanation is not None and answer.explanation.sums:
            is_mixed = answer.explanation.sums < answer.meta.entries
            self.tally["by sums and entries" if is_mixed else "by sums"] += 1
        return difference(self.sample, query, answer.rows(), expected)

    async def _ask(self, origin: str, person: Person, query: Query) -> Result | Refusal | str:
        cache = self.caches[origin]
        try:
            if origin == "resident":  # only what was asked before is kept
                await cache.query(query, await cache.authorize(person.id))
            return await cache.query(query, await cache.authorize(person.id))
        except Exception as error:  # noqa: BLE001 - told with what it takes to repeat it
            return refusal_of(error)

    def _fetch(self, statement: str, names: list[str]) -> list[dict[str, str | None]]:
        self.cursor.execute(statement)
        columns = [column.to_pylist() for column in self.cursor.fetch_arrow_table().columns]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def refusal_of(error: Exception) -> Refusal | str:
    """Which refusal an error is; else what it says."""
    for kind, refusal in (
        (AccessDenied, Refusal.DENIED),
        (UnknownDatasource, Refusal.UNKNOWN),
        (MissingRole, Refusal.MISSING),
    ):
        if isinstance(error, kind):
            return refusal
    return f"{type(error).__name__}: {error}"
