"""Opening streamed exports: judged, begun and audited before the first byte goes out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa

from warmcube.access.grant import Grant
from warmcube.errors import AccessDenied, Damage, ExportBroken, UnknownDatasource
from warmcube.fallback.convert import table_from_arrow
from warmcube.fallback.database import open_read
from warmcube.fallback.shared import GRACE
from warmcube.fallback.spool import Spool
from warmcube.model.columns import Table
from warmcube.model.schema import Schema
from warmcube.query.answer import ATTEMPTS
from warmcube.query.answering import (
    Answered,
    ReadRequest,
    Unavailable,
    notes_of,
    whose_turn,
)
from warmcube.query.arrowform import arrow_texts
from warmcube.query.asked import Asked
from warmcube.query.audited import audit_export, audit_export_end, audit_refusal
from warmcube.query.deadline import AUDITING, DIRECTORY, READING, Within, time_left
from warmcube.query.export import ExportStream, StreamMeta, Tables, Watch
from warmcube.query.judge import Judged
from warmcube.query.many import ManyAnswerer
from warmcube.query.portion import Portions, can_be_portioned
from warmcube.query.read import rowless
from warmcube.query.result import Meta, Result
from warmcube.query.snapshots import LiveSnapshot
from warmcube.query.streamform import Form, check_form, make_writer
from warmcube.source.storage_form import storage_schema

__all__ = ["Exporter"]

PIECE: Final = 50_000
"""About how many rows of the partition make one piece of the stream."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """An answer that is about to be streamed.

    Attributes:
        answer: what it stands on; its result has no rows.
        meta: where it comes from.
        source: its tables.
        empty: its columns.
        as_text: those that are texts in Arrow.
    """

    answer: Answered
    meta: StreamMeta
    source: Tables
    empty: Table
    as_text: frozenset[str]


class Exporter(ManyAnswerer):
    """An `Answerer` that streams exports of any size, too."""

    async def export_stream(
        self, asked: Asked, grant: Grant, form: Form, piece: int = PIECE
    ) -> ExportStream:
        """Begin an export that is taken piece by piece.

        Args:
            asked: an export of rows.
            grant: under which grant.
            form: how it is written.
            piece: about how many rows of the partition make one piece.

        Raises:
            InvalidQuery: what is asked is wrong.
            AccessDenied: the grant doesn't allow it, or is over.
            Overloaded: too much of this user's, or of the database, goes on already.
            QueryTimeout: nothing has come by the deadline of a query, or nothing more for as long.
            SourceError: neither cache nor database could answer.
            AuditError: it has to be audited, and can't be.
        """
        check_form(form)
        until = time.monotonic() + self._seconds
        try:
            async with self._running.place(whose_turn(grant), self._seconds):
                return await self._open_by_rights_in_force(asked, grant, form, piece, until)
        except (AccessDenied, UnknownDatasource) as error:
            audit_refusal(self._trail, asked, grant, error)
            raise

    async def _open_by_rights_in_force(
        self, asked: Asked, grant: Grant, form: Form, piece: int, until: float
    ) -> ExportStream:
        for _ in range(ATTEMPTS):
            opened = await self._open_stream(asked, grant, form, piece, until)
            is_begun = False
            try:
                if await self._is_still_due(opened.answer):
                    async with self._within(until, AUDITING):
                        stream = await self._begin(opened, form)
                    is_begun = stream is not None
                    if stream is not None:
                        return stream
            finally:
                if not is_begun:
                    await opened.source.close()
        raise AccessDenied(
            f"rights have changed while this was read, {ATTEMPTS} times; ask again",
            reason="grant outdated",
        )

    async def _begin(self, opened: _Opened, form: Form) -> ExportStream | None:
        """The stream, when its beginning is audited; None if rights have changed meanwhile."""
        judged, meta = opened.answer.judged, opened.meta
        begun = await audit_export(self._trail, judged, meta.origin, meta.snapshot, form.format)

        def ended(rows: int, error: BaseException | str | None) -> None:
            if isinstance(error, AccessDenied | UnknownDatasource):
                audit_refusal(self._trail, judged.asked, judged.narrowed.grant, error)
            if isinstance(error, ExportBroken) and isinstance(error.__cause__, Damage):
                self._met_damage(judged.narrowed.datasource, meta.snapshot, error.__cause__)
            why = error if isinstance(error, str | None) else type(error).__name__
            if error is None:
                told = Meta(origin=meta.origin, rows=rows)
                self._observer.answered(judged.narrowed.datasource, told)
            if begun is not None:
                audit_export_end(self._trail, begun, rows, why)

        if not await self._is_still_due(opened.answer):  # the audit may have taken its time
            ended(0, "rights changed")
            return None

        async def require_due() -> None:
            if not await self._is_still_due(opened.answer):
                raise AccessDenied(
                    "rights have changed while this was exported; throw away what came, and "
                    "export again",
                    reason="grant outdated",
                )

        watch = Watch(
            turn=partial(self._running.place, judged.narrowed.grant.user.id, None),
            require_due=require_due,
            ended=ended,
        )
        writer = make_writer(form, opened.empty, opened.as_text)
        return ExportStream(meta, opened.source, writer, watch)

    async def _open_stream(
        self, asked: Asked, grant: Grant, form: Form, piece: int, until: float
    ) -> _Opened:
        if not can_be_portioned(asked.query):
            return _opened_whole(await self._settle(asked, grant, until), form, piece)
        started = time.perf_counter()
        async with self._within(until, DIRECTORY):
            grant = await self._authoriser.renew(grant)
        datasource = self._open(asked.query.datasource, grant)
        request = ReadRequest(asked, grant, datasource, started, until)
        live: LiveSnapshot | None = None
        try:
            async with self._within(until, READING) as step:
                live = await self._live(datasource)
                opened, live = await self._on_live(
                    datasource, live, partial(self._open_in_store, request, form, piece, step)
                )
        except Unavailable as why:
            if live is not None:
                self._count(datasource, live, b"miss")
            with self._observer.fallback(datasource.id, why.reason):
                # Where pieces came before damage was found, the database has the time that the
                # next of them would have had.
                request = request._replace(until=step.until)
                return await self._open_in_database(request, form, piece, why)
        self._count(datasource, live, b"hit")
        return opened

    async def _open_in_store(
        self, request: ReadRequest, form: Form, piece: int, step: Within, live: LiveSnapshot
    ) -> _Opened:
        manifest = live.manifest
        judged = self._judge(request, manifest.schema)
        scan = self._reader.scan(request.datasource, live, judged, piece)
        await scan.look_up()
        partition = manifest.partitions.get(judged.partition) if scan.has_entries else None
        as_of_ms = manifest.as_of_ms if partition is None else partition.as_of_ms
        meta = StreamMeta(
            origin="store",
            snapshot=str(manifest.version),
            as_of=datetime.fromtimestamp(as_of_ms / 1000, UTC),
            stale=self._snapshots.is_stale(live),
            notes=notes_of(judged),
        )
        return await _opened(request, manifest.schema, judged, meta, scan, form, step.came)

    async def _open_in_database(
        self, request: ReadRequest, form: Form, piece: int, unavailable: Unavailable
    ) -> _Opened:
        """Set the rows aside, so that no slow reader keeps a transaction open.

        By the deadline the first of them have to have come; later ones have as long each, however
        many they are.
        """
        datasource = request.datasource
        source = self._sources[datasource.source]
        guard = self.shared.guard(datasource.source)
        guard.require()
        place = self._falling_back.place(whose_turn(request.grant), time_left(request.until))
        with ExitStack() as undo:
            async with place, guard.watch(time_left(request.until), self._seconds) as watch:
                reading = open_read(source, datasource, seconds=self._seconds, known=None)
                async with reading as read:
                    judged = self._judge(request, read.schema)
                    columns = judged.prepared.columns
                    spool = Spool(storage_schema([read.schema[name] for name in columns]))
                    undo.callback(spool.close)
                    stream = read.stream(judged.partition, judged.narrowed.scope, columns)
                    async with aclosing(stream):
                        async for batch in stream:
                            await asyncio.to_thread(spool.add, batch)
                            watch.came(self._seconds + GRACE)
            why = unavailable.why + (unavailable.figures if request.sees_figures else "")
            meta = StreamMeta(
                origin="database",
                as_of=read.as_of,
                notes=(f"answered by the database: {why}", *notes_of(judged)),
            )
            tables = _SpooledTables(spool, read.schema, judged, piece)
            opened = await _opened(request, read.schema, judged, meta, tables, form)
            undo.pop_all()
        return opened


class _BegunTables:
    """Tables of which the first may have been taken."""

    def __init__(
        self, source: Tables, first: Table | None, rest: AsyncGenerator[Table, None]
    ) -> None:
        self._source = source
        self._first = first
        self._rest = rest

    async def tables(self) -> AsyncGenerator[Table, None]:
        first, self._first = self._first, None
        if first is not None:
            yield first
        async for table in self._rest:
            yield table

    async def close(self) -> None:
        await self._rest.aclose()
        await self._source.close()


class _WholeTables:
    """An answer that is there already, in pieces."""

    def __init__(self, table: Table, piece: int) -> None:
        self._table = table
        self._piece = piece

    async def tables(self) -> AsyncGenerator[Table, None]:
        for at in range(0, self._table.rows, self._piece):
            yield self._table.take(np.arange(at, min(at + self._piece, self._table.rows)))

    async def close(self) -> None:
        """Nothing is kept."""


class _SpooledTables:
    """What comes of rows that were set aside."""

    def __init__(self, spool: Spool, schema: Schema, judged: Judged, piece: int) -> None:
        self._spool = spool
        self._schema = schema
        self._judged = judged
        self._piece = piece

    async def tables(self) -> AsyncGenerator[Table, None]:
        batches = self._slices()
        portions = Portions(self._judged.prepared)
        while not portions.are_over:
            table = await asyncio.to_thread(self._next, batches, portions)
            if table is None:
                return
            if table.rows:
                yield table

    def _slices(self) -> Iterator[pa.RecordBatch]:
        for batch in self._spool.batches():
            for at in range(0, batch.num_rows, self._piece):
                yield batch.slice(at, self._piece)

    def _next(self, batches: Iterator[pa.RecordBatch], portions: Portions) -> Table | None:
        batch = next(batches, None)
        if batch is None:
            return None
        rows = table_from_arrow(pa.Table.from_batches([batch]), self._schema)
        return portions.evaluate(rows)

    async def close(self) -> None:
        self._spool.close()


def _opened_whole(answer: Answered, form: Form, piece: int) -> _Opened:
    table, meta = answer.result.table, answer.result.meta
    told = StreamMeta(
        origin=meta.origin,
        snapshot=meta.snapshot,
        as_of=meta.as_of,
        stale=meta.stale,
        notes=meta.notes,
    )
    empty = table.take(np.zeros(0, np.int64))
    as_text = arrow_texts(table) if form.has_arrow_types else ()
    return _Opened(answer, told, _WholeTables(table, piece), empty, frozenset(as_text))


async def _opened(
    request: ReadRequest,
    schema: Schema,
    judged: Judged,
    meta: StreamMeta,
    source: Tables,
    form: Form,
    came: Callable[[], None] = lambda: None,
) -> _Opened:
    """Look through the first table, so that what can't be read shows now; through all of them where
    their types have to be known before. `came` is told of each.
    """
    output = judged.prepared.output
    empty = rowless(output, output.names)
    answer = Answered(request, schema, judged, Result(empty, Meta(origin=meta.origin)))
    rest = source.tables()
    first = await anext(rest, None)
    came()
    as_text: set[str] = set()
    if form.has_arrow_types and first is not None:
        as_text |= arrow_texts(first)
        has_more = False
        async for table in rest:
            came()
            as_text |= arrow_texts(table)
            has_more = True
        if has_more:
            first, rest = None, source.tables()
    begun = _BegunTables(source, first, rest)
    return _Opened(answer, meta, begun, empty, frozenset(as_text))
