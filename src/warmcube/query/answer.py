"""One read from grant to result, through the store or through the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, TypeVar

from warmcube.access.grant import Grant
from warmcube.access.standing import require_open, unknown_datasource
from warmcube.audit.trail import Trail
from warmcube.directory.authoriser import Authoriser
from warmcube.errors import (
    AccessDenied,
    Damage,
    StoreError,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.fallback.shared import Asker, SharedReads
from warmcube.model.columns import Array, Table
from warmcube.model.schema import Datasource, Schema
from warmcube.observe.observer import MissReason
from warmcube.observe.usage import Usage
from warmcube.query.answering import (
    Answered,
    AnswerSettings,
    DatabaseMoment,
    ReadRequest,
    Unavailable,
    damaged,
    explain_database,
    notes_of,
    resident_key,
    unreachable,
    whose_turn,
)
from warmcube.query.asked import Asked
from warmcube.query.audited import audit_answer, audit_at_once, audit_refusal
from warmcube.query.deadline import AUDITING, DIRECTORY, READING, Within
from warmcube.query.distinct import partitions_table
from warmcube.query.evaluate import evaluate, work_of
from warmcube.query.fallen import FallbackReader
from warmcube.query.giving import Giver
from warmcube.query.judge import Judged
from warmcube.query.judgements import Judgements
from warmcube.query.lookup import PointerMoved
from warmcube.query.partitions import Partitions
from warmcube.query.prepared import Extent, PreparedQuery
from warmcube.query.read import Reading
from warmcube.query.resident import Resident, Residents
from warmcube.query.result import Meta, Result
from warmcube.query.slots import fallback_slots, running_slots
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.query.together import TogetherReader
from warmcube.source.api import Source

__all__ = ["Answerer"]

ATTEMPTS: Final = 3
"""How often a read is begun when rights or snapshots change under it."""
LARGE: Final = 50_000
"""From so many rows on, evaluation leaves the event loop."""

T = TypeVar("T")


class Answerer:
    """Answers every kind of read; keeps answers within a budget.

    Args:
        datasources: by id.
        sources: by name.
        authoriser: whose grants count.
        snapshots: what is known of live snapshots.
        reader: of the store tier.
        usage: counts hits and misses.
        trail: has every answer and refusal written.
        settings: see `AnswerSettings`.
    """

    def __init__(
        self,
        datasources: Mapping[int, Datasource],
        sources: Mapping[str, Source],
        authoriser: Authoriser,
        snapshots: Snapshots,
        reader: TogetherReader,
        usage: Usage,
        trail: Trail,
        settings: AnswerSettings,
    ) -> None:
        self._datasources = datasources
        self._sources = sources
        self._authoriser = authoriser
        self._snapshots = snapshots
        self._reader = reader
        self._usage = usage
        self._trail = trail
        self._judgements = Judgements(settings.limits)
        self._enabled = settings.enabled
        self._seconds = settings.seconds
        self._keeps = settings.resident_bytes > 0
        self.residents = Residents(settings.resident_bytes)
        """The answers that are kept."""
        self._giver = Giver(self.residents, snapshots, keeps=self._keeps)
        self.partitions = Partitions(
            reader.load, snapshots, settings.resident_bytes, self.residents
        )
        """Those that are held decoded."""
        self._batch = settings.batch
        self._running = running_slots(settings.running_per_user)
        self._falling_back = fallback_slots(settings.fallback_slots, settings.processes)
        self.shared = SharedReads(
            sources,
            self._falling_back,
            seconds=settings.seconds,
            most_rows=settings.fallback_rows,
        )
        """The reads of the database that go on."""
        self._fallback = FallbackReader(self.shared, self._judge)
        self._observer = settings.observer
        self._met_damage = settings.met_damage

    async def answer(self, asked: Asked, grant: Grant) -> Result:
        """Answer one read under a grant: every query, export, list of values or of measures.

        Raises:
            InvalidQuery: what is asked is wrong.
            AccessDenied: the grant doesn't allow it, or is over.
            Overloaded: too much of this user's, or of the database, goes on already.
            QueryTimeout: it isn't answered by its deadline.
            SourceError: neither cache nor database could answer.
            AuditError: it has to be audited, and can't be.
        """
        turn, running = whose_turn(grant), self._running
        until = time.monotonic() + self._seconds
        try:
            # As `Slots.place` does, which takes a few microseconds more: these are a part of them.
            if not running.enter_at_once(turn):
                await running.enter(turn, self._seconds)
            began = running.now()
            try:
                result = await self._answer_by_rights_in_force(asked, grant, until)
            finally:
                running.leave(turn, running.now() - began)
        except (AccessDenied, UnknownDatasource) as error:
            audit_refusal(self._trail, asked, grant, error)
            raise
        self._observer.answered(asked.query.datasource, result.meta)
        return result

    async def schema(self, datasource: int, grant: Grant) -> tuple[Schema, Grant]:
        """A data source's columns, and the grant as it counts now.

        Raises:
            UnknownDatasource: there is none with this id, for this user.
            AccessDenied: the grant is over.
            SourceError: neither the cache nor the database could tell.
        """
        grant = await self._authoriser.renew(grant)
        found = self._open(datasource, grant)
        try:
            return (await self._live(found)).manifest.schema, grant
        except Unavailable:
            asker = Asker(whose_turn(grant), self._seconds)
            return await self.shared.schema(found, asker), grant

    async def snapshot(self, datasource: int, grant: Grant) -> str | None:
        """The name of a data source's live snapshot; None where the database answers.

        Raises:
            UnknownDatasource: there is none with this id, for this user.
            AccessDenied: the grant is over.
        """
        grant = await self._authoriser.renew(grant)
        found = self._open(datasource, grant)
        try:
            live = await self._live(found)
            if not await self._snapshots.is_live(found, live):
                live = await self._live(found)
        except (Unavailable, StoreError):
            return None
        return str(live.manifest.version)

    async def _answer_by_rights_in_force(self, asked: Asked, grant: Grant, until: float) -> Result:
        """Answer, and once more if rights have changed meanwhile so that it would be another.

        Raises:
            AccessDenied: the right is gone, or rights change faster than can be read.
        """
        for _ in range(ATTEMPTS):
            answer = self._at_once(asked, grant, until) or await self._settle(asked, grant, until)
            judged, meta = answer.judged, answer.result.meta
            counts, decided_by = self._authoriser.counts, judged.narrowed.grant
            if counts(decided_by) or await self._is_still_due(answer):
                if audit_at_once(self._trail, judged, meta):
                    return answer.result
                async with self._within(until, AUDITING):
                    await audit_answer(self._trail, judged, meta)
                # The audit may have taken its time.
                if counts(decided_by) or await self._is_still_due(answer):
                    return answer.result
        raise AccessDenied(
            f"rights have changed while this was read, {ATTEMPTS} times; ask again",
            reason="grant outdated",
        )

    async def _is_still_due(self, answer: Answered) -> bool:
        """Whether the rights in force now give the same rows.

        Raises:
            AccessDenied: they give none.
        """
        judged = answer.judged
        grant = judged.narrowed.grant
        async with self._within(answer.request.until, DIRECTORY):
            renewed = await self._authoriser.renew(grant)
        if renewed is grant:
            return True
        again = answer.request._replace(grant=renewed)
        return self._judge(again, answer.schema).narrowed.scope == judged.narrowed.scope

    def _at_once(self, asked: Asked, grant: Grant, until: float) -> Answered | None:
        """The answer, where the process holds it and nothing has to be waited for."""
        started = time.perf_counter()
        if not (self._keeps and self._enabled and self._authoriser.counts(grant)):
            return None
        datasource = self._open(asked.query.datasource, grant)
        live = self._snapshots.known(datasource)
        if live is None:
            return None
        request = ReadRequest(asked, grant, datasource, started, until)
        judged = self._judge(request, live.manifest.schema)
        found = self._found(judged, datasource, live)
        # Known to be of the live snapshot without asking.
        if found is None or not self._snapshots.is_live_at_once(datasource, live):
            return None
        if isinstance(found, Resident):
            self._count(datasource, live, b"hit")
            return self._giver.kept(request, judged, found, live)
        if is_much(found.table, judged.prepared):
            return None
        self._count(datasource, live, b"hit")
        began = time.perf_counter()
        table = evaluate(found.table, judged.prepared, found.counts)
        found.timings["evaluate"] = (time.perf_counter() - began) * 1000
        return self._giver.made(request, judged, found, table, live)

    async def _settle(self, asked: Asked, grant: Grant, until: float) -> Answered:
        started = time.perf_counter()
        if not self._authoriser.counts(grant):
            async with self._within(until, DIRECTORY):
                grant = await self._authoriser.renew(grant)
        datasource = self._open(asked.query.datasource, grant)
        request = ReadRequest(asked, grant, datasource, started, until)
        live: LiveSnapshot | None = None
        try:
            async with self._within(until, READING):
                live = await self._live(datasource)
                (judged, found), live = await self._on_live(
                    datasource, live, partial(self._read, request)
                )
        except Unavailable as why:
            if live is not None:
                self._count(datasource, live, b"miss")
            schema = None if live is None else live.manifest.schema
            with self._observer.fallback(datasource.id, why.reason):
                return await self._from_database(request, schema, why)
        return await self._hit(request, judged, found, live)

    def _within(self, until: float, step: str) -> Within:
        return Within(until, self._seconds, step)

    def drop(self, datasource: int) -> None:
        """Hold nothing of a data source any more."""
        self.residents.forget(datasource)
        self.partitions.forget(datasource)

    def _found(
        self, judged: Judged, datasource: Datasource, live: LiveSnapshot
    ) -> Reading | Resident | None:
        """The answer, if it is kept, or the rows to make it of, if its partition is held."""
        if not self._keeps:
            return None
        kept = self.residents.get(resident_key(judged, live))
        return self.partitions.read(judged, datasource, live) if kept is None else kept

    async def _hit(
        self, request: ReadRequest, judged: Judged, found: Reading | Resident, live: LiveSnapshot
    ) -> Answered:
        """What the cache answers."""
        self._count(request.datasource, live, b"hit")
        if isinstance(found, Resident):
            return self._giver.kept(request, judged, found, live)
        return await self._from_store(request, judged, found, live)

    def _open(self, wanted: object, grant: Grant) -> Datasource:
        """The data source, if it exists for this grant; nothing is read to find that out."""
        datasource = self._datasources.get(wanted) if type(wanted) is int else None
        if datasource is None:
            raise unknown_datasource(wanted)
        require_open(grant, datasource)
        return datasource

    async def _live(self, datasource: Datasource) -> LiveSnapshot:
        """The snapshot to read.

        Raises:
            Unavailable: there is none, or it can't be reached.
        """
        if not self._enabled:
            raise Unavailable(MissReason.DISABLED, "the cache is disabled ([cache] enabled)")
        live = self._snapshots.known(datasource)
        if live is not None:
            return live
        try:
            live = await self._snapshots.load(datasource)
        except StoreError as error:
            raise unreachable(error) from error
        except Damage as error:
            self._met_damage(datasource.id, None, error)
            raise damaged(error) from error
        if live is None:
            self.drop(datasource.id)
            if self._snapshots.is_disabled(datasource.id):
                raise Unavailable(MissReason.DISABLED, "the data source is disabled")
            raise Unavailable(MissReason.COLD, "the data source is cold")
        return live

    async def _on_live(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        read: Callable[[LiveSnapshot], Awaitable[T]],
    ) -> tuple[T, LiveSnapshot]:
        """Read on the live snapshot; once more if it changes under the read.

        Raises:
            Unavailable: the store can't be reached, or holds damage under an unchanged pointer.
        """
        for attempt in range(3):
            try:
                found = await read(live)
            except StoreError as error:
                raise unreachable(error) from error
            except (PointerMoved, Damage) as error:
                version = live.manifest.version
                # Whoever noticed first may have read the new pointer already.
                if isinstance(error, Damage) or self._snapshots.known(datasource) is live:
                    self._snapshots.forget(datasource.id)
                live = await self._live(datasource)
                if live.manifest.version == version and isinstance(error, Damage):
                    self._met_damage(datasource.id, str(version), error)
                    raise damaged(error) from error
                if attempt == 2:
                    why = "snapshots change faster than they can be read"
                    raise Unavailable(MissReason.MOVING, why) from error
            else:
                return found, live
        raise AssertionError

    async def _read(
        self, request: ReadRequest, live: LiveSnapshot
    ) -> tuple[Judged, Reading | Resident]:
        """The answer, if it is kept, or the rows to make it of."""
        judged, datasource = self._judge(request, live.manifest.schema), request.datasource
        found = self._found(judged, datasource, live)
        if found is None:
            asked = self._snapshots.now()
            reading = await self._read_extent(judged, datasource, live)
            self._snapshots.confirm(live, asked)
            self.partitions.notice(judged, datasource, live, reading)
            return judged, reading
        if await self._snapshots.is_live(datasource, live):
            return judged, found
        raise PointerMoved

    async def _read_extent(
        self, judged: Judged, datasource: Datasource, live: LiveSnapshot
    ) -> Reading:
        prepared, scope = judged.prepared, judged.narrowed.scope
        if prepared.extent is Extent.PARTITIONS:
            names, reading = await self._reader.read_partitions(datasource, live, scope)
            reading.table = partitions_table(names, prepared, datasource)
            return reading
        try:
            if prepared.extent is Extent.IDS:
                (column,) = prepared.columns
                return await self._reader.read_ids(
                    datasource, live, judged.partition, scope, column
                )
            return await self._reader.read_query(
                datasource, live, judged.partition, scope, prepared
            )
        except Damage as error:
            if not error.is_whole:
                error.partition = judged.partition
            raise

    def _judge(self, request: ReadRequest, schema: Schema) -> Judged:
        return self._judgements.judge(
            request.asked,
            request.grant,
            datasource=request.datasource,
            schema=schema,
            now=self._authoriser.now(),
        )

    async def _from_store(
        self, request: ReadRequest, judged: Judged, reading: Reading, live: LiveSnapshot
    ) -> Answered:
        """The same, evaluated where it belongs."""
        table = await self._evaluate(
            reading.table, judged.prepared, reading.timings, reading.counts
        )
        return self._giver.made(request, judged, reading, table, live)

    async def _from_database(
        self, request: ReadRequest, known: Schema | None, unavailable: Unavailable
    ) -> Answered:
        read = await self._fallback.read([request], known)
        (judged,) = read.judgements
        if isinstance(judged, WarmcubeError):
            raise judged
        return await self._by_database(
            request, judged, read.rows_of(judged), read.moment, unavailable
        )

    async def _by_database(
        self,
        request: ReadRequest,
        judged: Judged,
        rows: Table,
        read: DatabaseMoment,
        unavailable: Unavailable,
    ) -> Answered:
        """The answer that some rows of the database give."""
        timings = {"fetch": read.milliseconds}
        table = await self._evaluate(rows, judged.prepared, timings)
        timings["total"] = (time.perf_counter() - request.started) * 1000
        why = unavailable.why + (unavailable.figures if request.sees_figures else "")
        meta = Meta(
            origin="database",
            as_of=read.as_of,
            rows_fetched=rows.rows,
            rows=table.rows,
            timings=timings,
            notes=(f"answered by the database: {why}", *notes_of(judged)),
        )
        explain = partial(explain_database, judged, meta, why)
        return Answered(request, read.schema, judged, Result(table, meta, explain, judged))

    @staticmethod
    async def _evaluate(
        table: Table,
        prepared: PreparedQuery,
        timings: dict[str, float],
        counts: Array | None = None,
    ) -> Table:
        started = time.perf_counter()
        if is_much(table, prepared):
            answer = await asyncio.to_thread(evaluate, table, prepared, counts)
        else:
            answer = evaluate(table, prepared, counts)
        timings["evaluate"] = (time.perf_counter() - started) * 1000
        return answer

    def _count(self, datasource: Datasource, live: LiveSnapshot, what: bytes) -> None:
        manifest = live.manifest
        self._usage.count(datasource.id, manifest.version, manifest.serve_until_ms, what)


def is_much(table: Table, prepared: PreparedQuery) -> bool:
    """Whether evaluation leaves the event loop."""
    return table.rows > LARGE and work_of(table, prepared) > LARGE
