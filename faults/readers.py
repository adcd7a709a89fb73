"""Who asks: many users, through caches of the library and through the service."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

import httpx

from faults.people import PEOPLE, Person
from faults.questions import Question, clock_question, make_question
from faults.rules import SETTLED
from faults.table import ALWAYS, CLOCK, DATASOURCE
from faults.verdicts import Answer
from faults.world import DEADLINE, World
from warmcube import AccessDenied, AnalyticsCache, Query, WarmcubeError
from warmcube.client import AsyncClient
from warmcube.config import load
from warmcube.errors import ServiceError, ServiceUnavailable

__all__ = ["Library", "Reader", "Service", "Way"]

GRACE: Final = 1.5
"""Seconds beyond its deadline that an answer may take on a machine that does a hundred other things
meanwhile."""
_LOG: Final = logging.getLogger("faults")
_BATCH: Final = 9
POOL: Final = 4000
"""Questions that a reader knows, if nothing else is said."""
_AS_OF_MARGIN: Final = 0.05
_MOST_WAITING: Final = 3000
_PAUSE: Final = 0.01
"""Seconds between two questions, so that servers, proxies and warms have their turn as well."""


class Way(Protocol):
    """One way to ask."""

    name: str
    deadline: float
    is_known: bool
    """Whether it has been at it for long enough to know what doesn't answer."""

    async def prepare(self) -> None:
        """Be ready to ask, whatever that takes."""

    async def ask(self, person: Person, query: Query) -> Any:
        """The answer to one query."""

    async def ask_many(self, person: Person, queries: Sequence[Query]) -> list[Any]:
        """The answers to many queries in one read."""

    async def close(self) -> None:
        """Ask no more."""


class Library:
    """A cache in this process.

    Args:
        name: of the way.
        config: its configuration.
        renewed: after how many reads it is opened anew, as a new process would be; None for never.
        processes: how many such caches share the bound of the database.
    """

    def __init__(
        self, name: str, config: Path, *, renewed: int | None = None, processes: int = 1
    ) -> None:
        self.name = name
        self.deadline = DEADLINE
        self.is_known = renewed is None
        self._config = config
        self._renewed = renewed
        self._processes = processes
        self._reads = 0
        self._stack = AsyncExitStack()
        self._cache: AnalyticsCache | None = None

    async def prepare(self) -> None:
        self._reads += 1
        if self._renewed is not None and self._reads % self._renewed == 0:
            await self.close()
        await self._opened()

    async def ask(self, person: Person, query: Query) -> Any:
        cache = await self._opened()
        return await cache.query(query, await cache.authorize(person.id, anew=False))

    async def ask_many(self, person: Person, queries: Sequence[Query]) -> list[Any]:
        cache = await self._opened()
        grant = await cache.authorize(person.id, anew=False)
        return await cache.query_many(queries, grant)

    async def close(self) -> None:
        self._cache = None
        await self._stack.aclose()

    async def _opened(self) -> AnalyticsCache:
        if self._cache is None:
            cache = AnalyticsCache(load(self._config, os.environ), processes=self._processes)
            self._cache = await self._stack.enter_async_context(cache)
        return self._cache


class Service:
    """The service, in a process of its own.

    Args:
        url: where it answers.
        token_of: makes the token of a user.
        name: of the way.
    """

    def __init__(self, url: str, token_of: Callable[[str], str], *, name: str = "service") -> None:
        self.name = name
        self.deadline = 2 * DEADLINE  # the client tries again
        self.is_known = False  # so it takes its time, whatever it is told
        self._url, self._token_of = url, token_of
        self._clients = {
            person.id: AsyncClient(url, token=token_of(person.id), timeout=self.deadline)
            for person in PEOPLE
        }

    async def prepare(self) -> None:
        """It is ready."""

    async def ask_once(self) -> float:
        """Ask without trying again, as no client of ours does; the seconds until it is answered.

        Raises:
            RuntimeError: by anything but an answer, or an error that says when to ask again.
        """
        person, began = PEOPLE[0], time.monotonic()
        headers = {"authorization": f"Bearer {self._token_of(person.id)}"}
        body = {"datasource": DATASOURCE, "measure": CLOCK, "frequency": ALWAYS}
        async with httpx.AsyncClient(timeout=2 * self.deadline) as client:
            told = await client.post(f"{self._url}/api/query", json=body, headers=headers)
        if told.status_code not in (200, 503):
            raise RuntimeError(f"the service said {told.status_code}: {told.text[:200]}")
        return time.monotonic() - began

    async def ask(self, person: Person, query: Query) -> Any:
        return await self._clients[person.id].query(query)

    async def ask_many(self, person: Person, queries: Sequence[Query]) -> list[Any]:
        return await self._clients[person.id].query_many(queries)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()


@dataclass(frozen=True, slots=True)
class _Asked:
    """When and in which phase something was asked."""

    phase: str
    began: float
    held_up: float
    lacking: frozenset[str]


class Reader:
    """Asks all the time, by one way.

    Args:
        way: how.
        world: where.
        seed: makes its questions repeatable.
        phase: tells which phase it is.
        take: is given the answers; returns how many wait to be compared.
        held_up: tells how many seconds this process has been held up so far, which isn't the
            fault of what it asks.
        pool: how many questions it knows.
    """

    def __init__(
        self,
        way: Way,
        world: World,
        seed: int,
        phase: Callable[[], str],
        take: Callable[[list[Answer]], int],
        held_up: Callable[[], float] = float,
        pool: int = POOL,
    ) -> None:
        self.way = way
        self._world = world
        self._random = random = Random(seed)
        self._phase = phase
        self._take = take
        self._held_up = held_up
        self._pool: dict[Person, list[Question]] = {person: [] for person in PEOPLE}
        for _ in range(pool):
            question = make_question(random)
            self._pool[question.person].append(question)

    async def run(self) -> None:
        """Ask until cancelled."""
        random = self._random
        while True:
            person = random.choice(PEOPLE)
            if random.random() < 0.5 or not self._pool[person]:
                known = self._pool[person] or [clock_question(person)]
                questions = [clock_question(person), *random.choices(known, k=_BATCH)]
                answers = await self._ask_many(person, questions)
            else:
                answers = [await self._ask(random.choice(self._pool[person]))]
            waiting = self._take(answers)
            await asyncio.sleep(0.05 if waiting > _MOST_WAITING else _PAUSE)

    async def ask_clock(self, person: Person = PEOPLE[0]) -> Answer:
        """Which change is shown just now."""
        answer = await self._ask(clock_question(person))
        self._take([answer])
        return answer

    async def _ask(self, question: Question) -> Answer:
        await self.way.prepare()
        asked = self._begin()
        try:
            result = await self.way.ask(question.person, question.query)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
            return self._answer(asked, question, error)
        return self._answer(asked, question, result)

    async def _ask_many(self, person: Person, questions: Sequence[Question]) -> list[Answer]:
        await self.way.prepare()
        asked = self._begin()
        queries = [question.query for question in questions]
        try:
            results = await self.way.ask_many(person, queries)
        except Exception as error:  # noqa: BLE001 - likewise
            results = [error] * len(questions)
        answers = [
            self._answer(asked, question, result)
            for question, result in zip(questions, results, strict=True)
        ]
        self._name(answers)
        return answers

    def _begin(self) -> _Asked:
        return _Asked(self._phase(), time.monotonic(), self._held_up(), self._world.lacking)

    def _answer(self, asked: _Asked, question: Question, result: Any) -> Answer:
        seconds = time.monotonic() - asked.began
        phase = self._phase()
        answer = Answer(
            question=question,
            way=self.way.name,
            phase=phase if phase == asked.phase else _of_both(asked.phase, phase),
            seconds=seconds,
            is_late=self._is_late(asked, seconds - (self._held_up() - asked.held_up)),
            lacking=asked.lacking | self._world.lacking,
        )
        if isinstance(result, BaseException):
            if not isinstance(result, WarmcubeError):
                _LOG.debug("unclear, by %s", self.way.name, exc_info=result)
            answer.error = f"{type(result).__name__}: {result}"
            answer.is_denied = isinstance(result, AccessDenied)
            answer.is_clear = isinstance(result, WarmcubeError) and (
                not isinstance(result, ServiceError) or isinstance(result, ServiceUnavailable)
            )
            return answer
        meta = result.meta
        answer.origin, answer.snapshot = meta.origin, meta.snapshot
        answer.rows = result.rows()
        answer.flaw = self._world.rules.flaw(asked.began, meta.snapshot)
        as_of = asked.began - time.monotonic() + time.time()
        if meta.as_of is not None:
            answer.as_of = meta.as_of.timestamp() if meta.snapshot else None
            as_of = min(as_of, meta.as_of.timestamp()) if meta.snapshot else meta.as_of.timestamp()
        answer.first = self._world.history.happened_before(as_of - _AS_OF_MARGIN)
        answer.last = self._world.history.newest
        return answer

    def _is_late(self, asked: _Asked, seconds: float) -> bool:
        if self.way.is_known and self._world.rules.has_settled(asked.began):
            return seconds > SETTLED
        return seconds > self.way.deadline + GRACE

    @staticmethod
    def _name(answers: Sequence[Answer]) -> None:
        """Give the answers of one read the change that the clock among them shows."""
        clock, *others = answers
        pictures = {answer.snapshot for answer in answers if answer.rows is not None}
        if len(pictures) > 1:
            for answer in answers:
                answer.flaw = f"one read shows several pictures: {sorted(map(str, pictures))}"
        if clock.rows and clock.snapshot is None:
            change = int(clock.rows[0]["measure_value"])
            for answer in others:
                if answer.rows is not None and answer.snapshot is None:
                    answer.change = change


def _of_both(first: str, second: str) -> str:
    """The phase of what began in one and ended in another."""
    fault = first.partition("/")[0]
    return f"{fault}/during" if second.startswith(f"{fault}/") else first
