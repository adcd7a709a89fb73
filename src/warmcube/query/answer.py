"""One query from grant to result, through the store or through the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from warmcube.access.grant import Grant
from warmcube.access.narrow import Narrowed, narrow, unknown_datasource
from warmcube.access.permissions import Action
from warmcube.directory.authoriser import Authoriser
from warmcube.entry.keys import PartitionName
from warmcube.errors import Damage, LimitExceeded, StoreError
from warmcube.fallback.database import open_read
from warmcube.model.columns import Table
from warmcube.model.request import Query
from warmcube.model.schema import ColumnType, Datasource, Schema
from warmcube.model.scope import All, Ids
from warmcube.observe.usage import Usage
from warmcube.query.evaluate import evaluate
from warmcube.query.explain import Explanation
from warmcube.query.lookup import PointerMoved
from warmcube.query.prepare import prepare
from warmcube.query.prepared import Limits, PreparedQuery
from warmcube.query.read import Reading, StoreReader
from warmcube.query.result import Meta, Result
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.source.api import Source

__all__ = ["AnswerSettings", "Answerer"]

LARGE: Final = 50_000
"""From so many rows on, evaluation leaves the event loop."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """A query that was checked against one schema and narrowed to one grant."""

    prepared: PreparedQuery
    narrowed: Narrowed

    @property
    def partition(self) -> PartitionName:
        return PartitionName(self.prepared.measure, self.prepared.frequency)


class _Unavailable(Exception):
    """The cache can't answer; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """What answering needs of the configuration.

    Attributes:
        limits: of one query.
        enabled: whether the cache answers at all.
        seconds: that the database may take for a statement.
    """

    limits: Limits
    enabled: bool = True
    seconds: float = 10.0


class Answerer:
    """Answers queries; holds no rows of its own.

    Args:
        datasources: by id.
        sources: by name.
        authoriser: whose grants count.
        snapshots: what is known of live snapshots.
        reader: of the store tier.
        usage: counts hits and misses.
        settings: see `AnswerSettings`.
    """

    def __init__(
        self,
        datasources: Mapping[int, Datasource],
        sources: Mapping[str, Source],
        authoriser: Authoriser,
        snapshots: Snapshots,
        reader: StoreReader,
        usage: Usage,
        settings: AnswerSettings,
    ) -> None:
        self._datasources = datasources
        self._sources = sources
        self._authoriser = authoriser
        self._snapshots = snapshots
        self._reader = reader
        self._usage = usage
        self._limits = settings.limits
        self._enabled = settings.enabled
        self._seconds = settings.seconds

    async def answer(self, query: Query, grant: Grant) -> Result:
        """Answer one query under a grant.

        Raises:
            InvalidQuery: the query is wrong.
            AccessDenied: the grant doesn't allow it, or is over.
            SourceError: neither cache nor database could answer.
        """
        started = time.perf_counter()
        grant = await self._authoriser.renew(grant)
        wanted = query.datasource
        datasource = self._datasources.get(wanted) if type(wanted) is int else None
        if datasource is None:
            raise unknown_datasource(query.datasource)
        live: LiveSnapshot | None = None
        try:
            live = await self._live(datasource)
            checked, reading, live = await self._read(query, grant, datasource, live)
        except _Unavailable as why:
            if live is not None:
                self._count(datasource, live, b"miss")
            schema = None if live is None else live.manifest.schema
            return await self._from_database(query, grant, datasource, schema, str(why), started)
        self._count(datasource, live, b"hit")
        return await self._from_store(checked, reading, live, grant, started)

    async def _live(self, datasource: Datasource) -> LiveSnapshot:
        """The snapshot to read.

        Raises:
            _Unavailable: there is none, or it can't be reached.
        """
        if not self._enabled:
            raise _Unavailable("the cache is disabled ([cache] enabled)")
        live = self._snapshots.known(datasource)
        if live is not None:
            return live
        try:
            live = await self._snapshots.load(datasource)
        except StoreError as error:
            raise _Unavailable(str(error)) from error
        except Damage as error:
            raise _Unavailable(f"damage: {error}") from error
        if live is None:
            raise _Unavailable("the data source is cold")
        return live

    async def _read(
        self, query: Query, grant: Grant, datasource: Datasource, live: LiveSnapshot
    ) -> tuple[_Checked, Reading, LiveSnapshot]:
        """Read on the live snapshot; once more if it changes under the read.

        Raises:
            _Unavailable: the store can't be reached, or holds damage under an unchanged pointer.
        """
        for attempt in range(3):
            checked = self._check(query, grant, datasource, live.manifest.schema)
            try:
                reading = await self._reader.read(
                    datasource,
                    live,
                    checked.partition,
                    checked.narrowed.scope,
                    checked.prepared.columns,
                )
            except StoreError as error:
                raise _Unavailable(str(error)) from error
            except (PointerMoved, Damage) as error:
                version = live.manifest.version
                self._snapshots.forget(datasource.id)
                live = await self._live(datasource)
                if live.manifest.version == version and isinstance(error, Damage):
                    raise _Unavailable(f"damage: {error}") from error
                if attempt == 2:
                    raise _Unavailable("snapshots change faster than they can be read") from error
            else:
                return checked, reading, live
        raise AssertionError

    def _check(
        self, query: Query, grant: Grant, datasource: Datasource, schema: Schema
    ) -> _Checked:
        """Access first, so that an error tells nothing to somebody who may not know."""
        self._check_list("practices", query.practices)
        self._check_list("providers", query.providers)
        narrowed = narrow(
            grant,
            datasource=datasource,
            practice_type=_type_of(datasource.roles.practice, schema),
            provider_type=_type_of(datasource.roles.provider, schema),
            organization=query.organization,
            practices=query.practices,
            providers=query.providers,
            now=self._authoriser.now(),
        )
        return _Checked(prepare(query, schema, datasource, self._limits), narrowed)

    def _check_list(self, name: str, ids: object) -> None:
        if isinstance(ids, (list, tuple, set, frozenset)) and len(ids) > self._limits.list:
            raise LimitExceeded(
                f"{name} has {len(ids):,} ids, more than [limits] list = {self._limits.list:,}; "
                "ask for fewer, or name an organization instead"
            )

    async def _from_store(
        self,
        checked: _Checked,
        reading: Reading,
        live: LiveSnapshot,
        grant: Grant,
        started: float,
    ) -> Result:
        timings = reading.timings
        table = await self._evaluate(reading.table, checked.prepared, timings)
        timings["total"] = (time.perf_counter() - started) * 1000
        partition = live.manifest.partitions.get(checked.partition)
        as_of_ms = live.manifest.warmed_ms if partition is None else partition.as_of_ms
        meta = Meta(
            origin="store",
            snapshot=str(live.manifest.version),
            as_of=datetime.fromtimestamp(as_of_ms / 1000, UTC),
            entries=reading.entries,
            rows_fetched=reading.table.rows,
            rows=table.rows,
            timings=timings,
            stale=self._snapshots.is_stale(live),
        )
        explanation = _explain(checked, meta)
        explanation.index_sets = reading.sets
        explanation.bytes_fetched = reading.bytes
        if grant.permits(Action.CACHE_READ):
            explanation.whole_partition = reading.whole
            explanation.trips = reading.trips
        return Result(table, meta, explanation)

    async def _from_database(
        self,
        query: Query,
        grant: Grant,
        datasource: Datasource,
        known: Schema | None,
        why: str,
        started: float,
    ) -> Result:
        source = self._sources[datasource.source]
        async with open_read(source, datasource, seconds=self._seconds, known=known) as read:
            schema = read.schema
            checked = self._check(query, grant, datasource, schema)
            rows = await read.fetch(
                checked.partition, checked.narrowed.scope, checked.prepared.columns
            )
            if read.schema != schema:  # a numeric has more digits than were known
                checked = self._check(query, grant, datasource, read.schema)
            as_of, milliseconds = read.as_of, read.milliseconds
        timings = {"fetch": milliseconds}
        table = await self._evaluate(rows, checked.prepared, timings)
        timings["total"] = (time.perf_counter() - started) * 1000
        meta = Meta(
            origin="database",
            as_of=as_of,
            rows_fetched=rows.rows,
            rows=table.rows,
            timings=timings,
            notes=(f"answered by the database: {why}",),
        )
        explanation = _explain(checked, meta)
        explanation.why_database = why
        return Result(table, meta, explanation)

    @staticmethod
    async def _evaluate(table: Table, prepared: PreparedQuery, timings: dict[str, float]) -> Table:
        started = time.perf_counter()
        if table.rows > LARGE:
            answer = await asyncio.to_thread(evaluate, table, prepared)
        else:
            answer = evaluate(table, prepared)
        timings["evaluate"] = (time.perf_counter() - started) * 1000
        return answer

    def _count(self, datasource: Datasource, live: LiveSnapshot, what: bytes) -> None:
        manifest = live.manifest
        self._usage.count(datasource.id, manifest.version, manifest.serve_until_ms, what)


def _type_of(role: str | None, schema: Schema) -> ColumnType | None:
    return None if role is None else schema[role].type


def _explain(checked: _Checked, meta: Meta) -> Explanation:
    scope = checked.narrowed.scope
    return Explanation(
        origin=meta.origin,
        partition={"measure": checked.prepared.measure, "frequency": checked.prepared.frequency},
        practices=_count_ids(box.practices for box in scope.boxes),
        providers=_count_ids(box.providers for box in scope.boxes),
        boxes=len(scope.boxes),
        members=meta.entries,
        rows_fetched=meta.rows_fetched,
        rows=meta.rows,
        timings=dict(meta.timings),
        reasons=checked.narrowed.reasons,
        unusable_ids=checked.narrowed.unusable_ids,
    )


def _count_ids(families: Iterable[Ids]) -> int | None:
    """How many ids some boxes name in all; None where one isn't restricted."""
    found: set[str] = set()
    for ids in families:
        if isinstance(ids, All):
            return None
        found |= ids
    return len(found)
