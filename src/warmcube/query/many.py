"""Many reads at once: what `warmcube.query.answer` does for one, with one picture for all of them.

Each is judged, audited and checked for changed rights like a single one, and has an outcome of its
own. Only the reading is shared.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from warmcube.access.grant import Grant
from warmcube.errors import (
    AccessDenied,
    InvalidQuery,
    LimitExceeded,
    QueryTimeout,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.model.origin import Origin
from warmcube.model.schema import Datasource, Schema
from warmcube.query.answer import ATTEMPTS, Answerer
from warmcube.query.answering import (
    Answered,
    ReadRequest,
    Unavailable,
    whose_turn,
)
from warmcube.query.asked import Asked
from warmcube.query.audited import audit_answer, audit_at_once, audit_refusal
from warmcube.query.deadline import AUDITING, DIRECTORY, READING
from warmcube.query.fallen import Judgement, judge_each
from warmcube.query.judge import Judged
from warmcube.query.lookup import PointerMoved
from warmcube.query.prepared import Extent
from warmcube.query.read import Reading
from warmcube.query.resident import Resident
from warmcube.query.result import Result
from warmcube.query.snapshots import LiveSnapshot
from warmcube.query.together import Need, TogetherReader

__all__ = ["ManyAnswerer"]

ROWS_AT_ONCE: Final = 10_000
"""How many rows answers are made from before others may go on: a few tenths of a millisecond. Each
turn of the loop costs as much as a small answer."""

LEAST_ROWS: Final = 500
"""As many rows take as long as what each answer takes, be it empty."""

_SHARED: Final = ("lookup", "fetch", "decode")
"""Steps of a read that all its queries share."""

Outcome: TypeAlias = Answered | WarmcubeError


class _Figures(NamedTuple):
    """An answer's own figures, without what it shares with others."""

    origin: Origin
    timings: Mapping[str, float]
    entries: int
    rows_fetched: int
    rows: int


class ManyAnswerer(Answerer):
    """An `Answerer` that answers many reads at once, too."""

    _reader: TogetherReader

    async def answer_many(
        self, asked: Sequence[Asked], grant: Grant, most: int | None = None
    ) -> list[Result | WarmcubeError]:
        """Answer many reads under one grant, all of one data source from one picture of it.

        Args:
            asked: the reads.
            grant: from the authoriser.
            most: how many they may be; None for ``[limits] batch``.

        Returns:
            for each, in their order, its answer or its error.

        Raises:
            AccessDenied: the grant is over, or changes faster than can be read.
            LimitExceeded: they are too many.
            Overloaded: too much of this user's goes on already.
            QueryTimeout: they aren't answered by their deadline.
        """
        if most is None and len(asked) > self._batch:
            raise LimitExceeded(
                f"the batch has {len(asked):,} queries, more than [limits] batch = "
                f"{self._batch:,}; "
                "ask for less at once"
            )
        if most is not None and len(asked) > most:
            raise LimitExceeded(
                f"{len(asked):,} queries are asked at once, more than {most:,}; ask for less"
            )
        until = time.monotonic() + self._seconds
        try:
            async with self._running.place(whose_turn(grant), self._seconds):
                return await self._answer_many_by_rights_in_force(asked, grant, until)
        except AccessDenied as error:
            for each in asked:
                audit_refusal(self._trail, each, grant, error)
            raise

    async def _answer_many_by_rights_in_force(
        self, asked: Sequence[Asked], grant: Grant, until: float
    ) -> list[Result | WarmcubeError]:
        """Answer, and all once more if rights have changed meanwhile so that one would be another.

        Raises:
            AccessDenied: the right is gone, or rights change faster than can be read.
        """
        for _ in range(ATTEMPTS):
            found = await self._settle_many(asked, grant, until)
            answers = [each for each in found if isinstance(each, Answered)]
            if not await self._are_still_due(answers):
                continue
            unwritten = await self._audit_many(answers, until)
            if not await self._are_still_due(answers):  # the audit may have taken its time
                continue
            given = [
                self._given(*each, grant, unwritten) for each in zip(asked, found, strict=True)
            ]
            self._observe(given)
            return given
        raise AccessDenied(
            f"rights have changed while this was read, {ATTEMPTS} times; ask again",
            reason="grant outdated",
        )

    async def _audit_many(
        self, answers: Sequence[Answered], until: float
    ) -> dict[int, WarmcubeError]:
        """Have it written that all are given; those of which it can't be, as `_errors` has them."""
        waiting = [
            each
            for each in answers
            if not audit_at_once(self._trail, each.judged, each.result.meta)
        ]
        if not waiting:
            return {}
        async with self._within(until, AUDITING):
            recorded = await asyncio.gather(
                *(audit_answer(self._trail, each.judged, each.result.meta) for each in waiting),
                return_exceptions=True,
            )
        return _errors(waiting, recorded)

    def _given(
        self,
        asked: Asked,
        outcome: Outcome,
        grant: Grant,
        unwritten: Mapping[int, WarmcubeError],
    ) -> Result | WarmcubeError:
        """What is given for one read."""
        if isinstance(outcome, Answered):
            return unwritten.get(id(outcome), outcome.result)
        if isinstance(outcome, AccessDenied | UnknownDatasource):
            audit_refusal(self._trail, asked, grant, outcome)
        return outcome

    def _observe(self, given: Sequence[Result | WarmcubeError]) -> None:
        """Tell how it went; how long a shared step took is told once for each data source."""
        told: set[int] = set()
        for each in given:
            if not isinstance(each, Result) or each.judged is None:
                continue
            datasource, meta = each.judged.narrowed.datasource, each.meta
            if datasource in told:
                own = {step: ms for step, ms in meta.timings.items() if step not in _SHARED}
                figures = _Figures(meta.origin, own, meta.entries, meta.rows_fetched, meta.rows)
                self._observer.answered(datasource, figures)
            else:
                told.add(datasource)
                self._observer.answered(datasource, meta)

    async def _are_still_due(self, answers: Sequence[Answered]) -> bool:
        """Whether the rights in force now give the same rows for all.

        Raises:
            AccessDenied: there are none any more.
        """
        counts = self._authoriser.counts
        if all(map(counts, {answer.judged.narrowed.grant for answer in answers})):
            return True
        for answer in answers:
            try:
                if not await self._is_still_due(answer):
                    return False
            except InvalidQuery:
                return False
            except AccessDenied:
                await self._authoriser.renew(answer.judged.narrowed.grant)  # gone for all?
                return False
        return True

    async def _settle_many(
        self, asked: Sequence[Asked], grant: Grant, until: float
    ) -> list[Outcome]:
        started = time.perf_counter()
        if not self._authoriser.counts(grant):
            async with self._within(until, DIRECTORY):
                grant = await self._authoriser.renew(grant)
        outcomes: dict[int, Outcome] = {}
        by_datasource: dict[int, dict[int, ReadRequest]] = {}
        for number, each in enumerate(asked):
            try:
                datasource = self._open(each.query.datasource, grant)
            except WarmcubeError as error:
                outcomes[number] = error
                continue
            request = ReadRequest(each, grant, datasource, started, until)
            by_datasource.setdefault(datasource.id, {})[number] = request
        for requests in by_datasource.values():
            settled = await self._settle_together(list(requests.values()))
            outcomes |= zip(requests, settled, strict=True)
        return [outcomes[number] for number in range(len(asked))]

    async def _settle_together(self, requests: Sequence[ReadRequest]) -> list[Outcome]:
        """Settle reads of one data source on one snapshot, or else in one transaction."""
        datasource = requests[0].datasource
        live: LiveSnapshot | None = None
        try:
            async with self._within(requests[0].until, READING):
                live = await self._live(datasource)
                (judgements, readings), live = await self._on_live(
                    datasource, live, partial(self._read_many, requests)
                )
        except QueryTimeout as error:
            return [error] * len(requests)
        except Unavailable as why:
            schema = None if live is None else live.manifest.schema
            if live is not None:
                judgements = await judge_each(self._judge, requests, live.manifest.schema)
                self._count_each(judgements, live, b"miss")
            try:
                with ExitStack() as observed:
                    for _ in requests:
                        observed.enter_context(self._observer.fallback(datasource.id, why.reason))
                    return await self._many_from_database(requests, schema, why)
            except WarmcubeError as error:
                return [error] * len(requests)
        self._count_each(judgements, live, b"hit")
        of_snapshot = live

        async def answer(number: int, judged: Judged) -> Answered:
            request, reading = requests[number], readings[number]
            if isinstance(reading, Resident):
                return self._giver.kept(request, judged, reading, of_snapshot)
            return await self._from_store(request, judged, reading, of_snapshot)

        return await _each_once(requests, judgements, answer)

    def _count_each(self, judgements: Sequence[Judgement], live: LiveSnapshot, what: bytes) -> None:
        for judged in judgements:
            if isinstance(judged, Judged):
                self._count(self._datasources[judged.narrowed.datasource], live, what)

    async def _read_many(
        self, requests: Sequence[ReadRequest], live: LiveSnapshot
    ) -> tuple[list[Judgement], dict[int, Reading | Resident]]:
        """Judge all, and read what those that are allowed need and that isn't kept, once each.

        What is kept is of the same snapshot as what is read: its trip looks at the pointer.

        Returns:
            the judgements, and what those are answered from that are the first of their kind.
        """
        datasource = requests[0].datasource
        judgements = await judge_each(self._judge, requests, live.manifest.schema)
        readings: dict[int, Reading | Resident] = {}
        missing: dict[int, Judged] = {}
        for number, judged in _first_of_kind(judgements).items():
            held = self._found(judged, datasource, live)
            if held is None:
                missing[number] = judged
            else:
                readings[number] = held
        if missing:
            asked = self._snapshots.now()
            readings |= await self._read_missing(missing, datasource, live)
            self._snapshots.confirm(live, asked)
            for number, judged in missing.items():
                reading = readings[number]
                if isinstance(reading, Reading):
                    self.partitions.notice(judged, datasource, live, reading)
        elif readings and not await self._snapshots.is_live(datasource, live):
            raise PointerMoved
        return judgements, readings

    async def _read_missing(
        self, missing: Mapping[int, Judged], datasource: Datasource, live: LiveSnapshot
    ) -> dict[int, Reading]:
        """What some reads need: rows all together, and each list by itself."""
        readings: dict[int, Reading] = {}
        of_rows = {n: each for n, each in missing.items() if each.prepared.extent is Extent.ROWS}
        if of_rows:
            needs = [_need(each) for each in of_rows.values()]
            found = await self._reader.read_together(datasource, live, needs)
            readings |= zip(of_rows, found, strict=True)
        for number, each in missing.items():
            if number not in of_rows:
                readings[number] = await self._read_extent(each, datasource, live)
        return readings

    async def _many_from_database(
        self, requests: Sequence[ReadRequest], known: Schema | None, unavailable: Unavailable
    ) -> list[Outcome]:
        """Answer from one transaction.

        Raises:
            Overloaded: too many read the database.
            QueryTimeout: the deadline has passed.
            SourceError: the database.
        """
        read = await self._fallback.read(requests, known)

        async def answer(number: int, judged: Judged) -> Answered:
            table = read.rows_of(judged)
            return await self._by_database(
                requests[number], judged, table, read.moment, unavailable
            )

        return await _each_once(requests, read.judgements, answer)


def _first_of_kind(judgements: Sequence[Judgement]) -> dict[int, Judged]:
    """Those that are allowed, without those whose answer is that of one before; by their places."""
    found: dict[Hashable, tuple[int, Judged]] = {}
    for number, judged in enumerate(judgements):
        if isinstance(judged, Judged):
            found.setdefault(_sameness(judged), (number, judged))
    return dict(found.values())


async def _each_once(
    requests: Sequence[ReadRequest],
    judgements: Sequence[Judgement],
    answer: Callable[[int, Judged], Awaitable[Answered]],
) -> list[Outcome]:
    """What each comes to; equal ones are evaluated once, by the first one's place."""
    known: dict[Hashable, Outcome] = {}
    found: list[Outcome] = []
    rows = 0
    for number, judged in enumerate(judgements):
        if not isinstance(judged, Judged):
            found.append(judged)
            continue
        key = _sameness(judged)
        same = known.get(key)
        if same is None:
            try:
                same = await answer(number, judged)
            except WarmcubeError as error:
                same = error
            known[key] = same
            if isinstance(same, Answered) and same.result.meta.origin != "resident":
                rows += max(LEAST_ROWS, same.result.meta.rows_fetched)
            if rows >= ROWS_AT_ONCE:
                rows = 0
                await asyncio.sleep(0)  # others may go on in between
        elif isinstance(same, Answered):
            own = same.result.asked_as(judged)
            same = Answered(requests[number], same.schema, judged, own)
        found.append(same)
    return found


def _need(judged: Judged) -> Need:
    return Need(
        partition=judged.partition,
        scope=judged.narrowed.scope,
        columns=judged.prepared.columns,
        prepared=judged.prepared,
    )


def _sameness(judged: Judged) -> Hashable:
    """Equal for reads that have the same answer: never without the rows that it may have."""
    known: Hashable = judged.memo.get("sameness")
    if known is None:
        narrowed = judged.narrowed
        known = judged.memo["sameness"] = (
            judged.prepared,
            narrowed.scope,
            narrowed.purpose,
            narrowed.lost_organizations,
            narrowed.unusable_ids,
        )
    return known


def _errors(
    answers: Sequence[Answered], recorded: Sequence[BaseException | None]
) -> dict[int, WarmcubeError]:
    """Of those that couldn't be audited, by the identity of the answer."""
    found: dict[int, WarmcubeError] = {}
    for answer, error in zip(answers, recorded, strict=True):
        if isinstance(error, WarmcubeError):
            found[id(answer)] = error
        elif error is not None:
            raise error
    return found
