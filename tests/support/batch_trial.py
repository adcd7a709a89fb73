"""One batch of queries of one user: asked at once, and each compared with what SQL says."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.support.generate import make_query
from tests.support.generate_people import Person
from tests.support.oracle_access import judge
from tests.support.oracle_trial import Trial, refusal_of
from tests.support.oracle_values import Row, expected_rows

from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.request import Query
from warmcube.query.result import Result

__all__ = ["BatchTrial"]


@dataclass(slots=True)
class BatchTrial(Trial):
    """A trial of many queries at once."""

    async def run(self, random: Random, number: int) -> str | None:
        """One batch; what is wrong with it, or None."""
        person = self._person(random)
        queries = [
            make_query(random, self.sample, self.people, person)
            for _ in range(random.choice([1, 2, 4, 9]))
        ]
        queries += random.choices(queries, k=random.choice([0, 1, 2]))
        for origin in ("store", "resident", "partitions", "database"):
            if origin != "database" or number % 4 == 0:
                wrong = await self._run_on(origin, person, queries)
                if wrong is not None:
                    return wrong
        return None

    async def _run_on(self, origin: str, person: Person, queries: list[Query]) -> str | None:
        cache = self.caches[origin]
        outcomes: list[Result | WarmcubeError]
        try:
            if origin == "resident":  # only what was asked before is kept
                await cache.query_many(queries, await cache.authorize(person.id))
            outcomes = await cache.query_many(queries, await cache.authorize(person.id))
        except AccessDenied as error:
            outcomes = [error] * len(queries)
        snapshots = {each.meta.snapshot for each in outcomes if isinstance(each, Result)}
        if len(snapshots) > 1:
            return f"{origin}: of several snapshots: {snapshots}"
        for query, outcome in zip(queries, outcomes, strict=True):
            wrong = self._wrong(origin, person, query, outcome)
            if wrong is not None:
                return f"{person}\n{query}\nin a batch of {len(queries)}, {origin}: {wrong}"
        return None

    def _compare(
        self, origin: str, query: Query, answer: object, expected: list[Row]
    ) -> str | None:
        # What is too large isn't kept.
        is_read = isinstance(answer, Result) and answer.meta.origin == "store"
        own = "store" if origin == "resident" and is_read else origin
        return Trial._compare(self, own, query, answer, expected)

    def _wrong(
        self, origin: str, person: Person, query: Query, outcome: Result | WarmcubeError
    ) -> str | None:
        answer = outcome if isinstance(outcome, Result) else refusal_of(outcome)
        verdict = judge(self.people, person, self.sample, query)
        if verdict.refusals:
            self.tally["refused"] += 1
            return None if answer in verdict.refusals else f"{answer}, not {verdict.refusals}"
        statement, names = self.sql.select(query, verdict.condition)
        expected = expected_rows(self.sample, query, self._fetch(statement, names))
        if isinstance(answer, Result):
            self.tally[origin] += 1
            self.tally["with rows" if len(answer) else "empty"] += 1
        return self._compare(origin, query, answer, expected)
