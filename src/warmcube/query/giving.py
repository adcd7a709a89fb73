"""Answers of the cache: what was kept, or what some rows give, with all that is told of it."""

from __future__ import annotations

import time
from functools import partial

from warmcube.model.columns import Table
from warmcube.query.answering import (
    Answered,
    ReadRequest,
    as_of_answer,
    explain_resident,
    explain_store,
    figures_of,
    kept_as,
    notes_of,
    resident_key,
)
from warmcube.query.judge import Judged
from warmcube.query.read import Reading
from warmcube.query.resident import Deferred, Resident, Residents
from warmcube.query.result import Meta, Result
from warmcube.query.snapshots import LiveSnapshot, Snapshots

__all__ = ["Giver"]


class Giver:
    """Makes answers, and keeps those that are worth it.

    Args:
        residents: where they are kept.
        snapshots: what is known of live snapshots.
        keeps: whether any are.
    """

    def __init__(self, residents: Residents, snapshots: Snapshots, *, keeps: bool) -> None:
        self._residents = residents
        self._snapshots = snapshots
        self._is_keeping = keeps

    def kept(
        self, request: ReadRequest, judged: Judged, resident: Resident, live: LiveSnapshot
    ) -> Answered:
        """One that was kept."""
        meta = Meta(
            origin="resident",
            snapshot=str(live.manifest.version),
            as_of=as_of_answer(judged, resident.origins.members, live),
            entries=resident.origins.entries,
            rows_fetched=resident.origins.rows,
            rows=resident.table.rows,
            timings={"total": (time.perf_counter() - request.started) * 1000},
            stale=self._snapshots.is_stale(live),
            notes=notes_of(judged),
        )
        explain = partial(explain_resident, judged, meta, resident.origins)
        result = Result(resident.table, meta, explain, judged, resident)
        return Answered(request, live.manifest.schema, judged, result)

    def made(
        self,
        request: ReadRequest,
        judged: Judged,
        reading: Reading,
        table: Table,
        live: LiveSnapshot,
    ) -> Answered:
        """One that some rows of the cache give.

        Args:
            request: what is asked.
            judged: its judgement.
            reading: the rows.
            table: what was evaluated from them.
            live: the snapshot that they are of.
        """
        timings, manifest = reading.timings, live.manifest
        resident = self._keep(judged, table, reading, live) if self._is_keeping else None
        timings["total"] = (time.perf_counter() - request.started) * 1000
        meta = Meta(
            origin=reading.origin,
            snapshot=str(manifest.version),
            as_of=as_of_answer(judged, reading.members, live),
            entries=reading.entries,
            rows_fetched=reading.rows,
            rows=table.rows,
            timings=timings,
            stale=self._snapshots.is_stale(live),
            notes=notes_of(judged),
        )
        explain = partial(explain_store, judged, meta, figures_of(reading))
        result = Result(table, meta, explain, judged, resident)
        return Answered(request, manifest.schema, judged, result)

    def _keep(
        self, judged: Judged, table: Table, reading: Reading, live: LiveSnapshot
    ) -> Resident | Deferred | None:
        """Keep an answer, or let it be kept when something is made of it.

        What is evaluated from a held partition is as fast as that: only groups are kept, and if
        they are asked for again.
        """
        residents, shared = self._residents, live.dictionaries.values()
        if reading.origin == "resident" and not (
            judged.prepared.aggregate and residents.is_repeated(resident_key(judged, live))
        ):
            return Deferred(residents, table, partial(kept_as, judged, reading, live), shared)
        key, origins = kept_as(judged, reading, live)
        return residents.put(key, table, origins, shared)
