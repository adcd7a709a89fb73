"""`AnalyticsCache`: the calls of warmcube, each passed on to the part that does it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from warmcube.access.grant import Grant
from warmcube.access.listing import OrganizationName, open_datasources, organizations
from warmcube.access.permissions import Action
from warmcube.access.standing import Purpose
from warmcube.audit.events import AuditEvent, denial
from warmcube.audit.request import Request
from warmcube.compare.report import VerifyProgress, VerifyReport
from warmcube.compare.verifier import DEFAULT_SAMPLE
from warmcube.config import Settings, load
from warmcube.directory.check import DatasourceKeys
from warmcube.entry.keys import Keys
from warmcube.entry.seal import Seal
from warmcube.errors import AccessDenied, DirectoryError, NotUsable, WarmcubeError
from warmcube.jobs.damage import DamageReports
from warmcube.jobs.job import Job
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.verification import Verification
from warmcube.jobs.verifications import Verifications
from warmcube.model.request import Filter, Null, Query
from warmcube.model.schema import Datasource, Schema
from warmcube.observe.health import Overall, overall
from warmcube.observe.measure import measure
from warmcube.observe.metrics import Metrics
from warmcube.observe.sampler import FINE_HOURS, Sampler
from warmcube.observe.samples import History
from warmcube.observe.stats import Stats, read_stats
from warmcube.oversight import Oversight
from warmcube.query.asked import Asked
from warmcube.query.contents import Contents
from warmcube.query.export import ExportStream
from warmcube.query.exporter import PIECE
from warmcube.query.inspector import Inspector
from warmcube.query.listing import Measures, Values
from warmcube.query.result import Result
from warmcube.query.streamform import Form
from warmcube.query.survey import read_contents
from warmcube.readiness import Readiness
from warmcube.store.api import Store
from warmcube.warm.invalidate import Invalidation
from warmcube.warm.refresh import Refresh
from warmcube.warm.report import ProgressCallback, WarmReport
from warmcube.warm.steer import Steered
from warmcube.wiring import Parts, Wiring

__all__ = ["AnalyticsCache"]


class AnalyticsCache:
    """Whole tables of measures, warm in a store, answered per user.

    Use as an asynchronous context manager::

        async with AnalyticsCache.from_config("warmcube.toml") as cache:
            await cache.warm(1)
            grant = await cache.authorize("ana")
            result = await cache.query(Query(datasource=1, measure="Charges"), grant)

    Args:
        settings: see `warmcube.config`.
        actor: who asks, for the audit, where a call doesn't say otherwise.
        is_probe: open the store for reading only, count no use of it, and mark what is audited as
            a trial that shall alarm nobody.
        stdout: the descriptor that an audit on standard output goes to, for those whose answers
            go there.
        processes: how many processes like this one share the database: of ``[cache]
            fallback_slots`` each has an equal part.
        metrics_folder: where the processes of one service share their figures; without one, each
            cache has its own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        actor: str = "library",
        is_probe: bool = False,
        stdout: int = 1,
        processes: int = 1,
        metrics_folder: Path | None = None,
    ) -> None:
        self.settings = settings
        self._actor = actor
        self._wiring = Wiring(
            settings,
            actor=actor,
            is_probe=is_probe,
            stdout=stdout,
            processes=processes,
            metrics_folder=metrics_folder,
        )
        self._parts: Parts
        self.metrics: Metrics | None = None
        """The figures, while the cache is open; None where ``[cache] metrics`` is off."""
        self.readiness: Readiness
        """Whether the parts can answer, while the cache is open."""
        self._stack = AsyncExitStack()
        self._is_open = False

    @classmethod
    def from_config(
        cls,
        path: str | Path | None = None,
        *,
        actor: str = "library",
        is_probe: bool = False,
        stdout: int = 1,
    ) -> Self:
        """A cache as a file and the environment say.

        Args:
            path: the file; None for ``$WARMCUBE_CONFIG``, then ``./warmcube.toml``.
            actor: see `AnalyticsCache`.
            is_probe: likewise.
            stdout: likewise.

        Raises:
            ConfigError: with everything that is wrong.
        """
        return cls(load(path, os.environ), actor=actor, is_probe=is_probe, stdout=stdout)

    @property
    def datasources(self) -> tuple[Datasource, ...]:
        """The configured data sources."""
        return self.settings.datasources

    @property
    def jobs(self) -> Ledger:
        """The warms of all processes: those that run, and the last ones."""
        return self._parts.jobs

    @property
    def verifications(self) -> Verifications:
        """The verifications of all processes: those that run, and the last ones."""
        return self._parts.verifications

    @property
    def sampler(self) -> Sampler:
        """Figures over time; whoever serves runs it."""
        return self._parts.sampler

    @property
    def inspector(self) -> Inspector:
        """What lies in the store, entry by entry, for those who look after the cache."""
        return self._parts.inspector

    @property
    def oversight(self) -> Oversight:
        """The users and what they may see, for those who look after them."""
        return self._parts.oversight

    @property
    def is_open(self) -> bool:
        """Whether it can be asked: between its opening and its closing."""
        return self._is_open

    @property
    def store(self) -> Store:
        """The open store, for what lives beside the snapshots."""
        return self._parts.store

    @property
    def seal(self) -> Seal:
        """What the store's values bear, for whoever looks at snapshots from beside."""
        return self._parts.seal

    @property
    def damage(self) -> DamageReports:
        """What reads of this process have met that isn't whole."""
        return self._parts.damage

    async def __aenter__(self) -> Self:
        """Start embedded servers where configured, and open the rest; nothing is read yet.

        Raises:
            EmbeddedError: an embedded server can't be started.
            ConfigError: something that is configured can't be used.
            NotUsable: it is open already.
        """
        if self._is_open:
            raise NotUsable("the cache is open already; open it once")
        async with AsyncExitStack() as stack:
            self._parts = self._wiring.open(stack)
            self._stack = stack.pop_all()
        self.metrics, self.readiness = self._parts.metrics, self._parts.readiness
        self._is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        await self._stack.aclose()

    async def warm(
        self,
        datasource: int,
        *,
        measures: Sequence[str | Null] | None = None,
        frequencies: Sequence[str | Null] | None = None,
        changed: bool = False,
        force: bool = False,
        progress: ProgressCallback | None = None,
        job: Job | None = None,
    ) -> WarmReport:
        """Read a data source's table and publish it as the live snapshot.

        Every warm is a job: `jobs` says in every process how far it is.

        The whole table is read, unless measures or frequencies are named, or what has changed is
        asked for. Then the rest is carried over from the live snapshot; where that can't be, all is
        read, and the report says why.

        Args:
            datasource: its id.
            measures: read only these anew; ``NULL`` for the rows without one.
            frequencies: read only what is at these, likewise.
            changed: read only what has changed since the last warm.
            force: publish although most rows are gone.
            progress: told as it happens.
            job: the one that asks for it, from `jobs`, and says what is to be read; None for a new
                one.

        Raises:
            UnknownDatasource: none has this id.
            InvalidQuery: names and `changed` are both given, or there are no names in a list.
            UnknownPartition: what is named is neither in the table nor in the live snapshot.
            WarmInProgress: somebody else is warming it.
            WarmError: it did not publish; the old snapshot goes on serving.
            SourceError: the database.
            StoreError: the store.
        """
        return await self._parts.upkeep.warm(
            self.settings.datasource(datasource),
            actor=self._actor,
            force=force,
            refresh=Refresh.of(measures, frequencies, changed=changed),
            progress=progress,
            job=job,
        )

    def observe_warm(self, job: Job) -> None:
        """Count a warm that another process has done for this one."""
        self._parts.upkeep.observe(job)

    async def authorize(self, user: str, *, actor: str | None = None, anew: bool = True) -> Grant:
        """Decide what a user may read, now and for a bounded time.

        Args:
            user: whose rights count.
            actor: who asks, for the audit; None for the cache's own actor.
            anew: False where a grant will do that was decided before and still counts, as if it
                had been in hand since: the directory was looked at within the last second.

        Raises:
            AccessDenied: unknown, inactive, without a right to read; or the directory can't be
                read.
        """
        actor = actor or self._actor
        try:
            if anew:
                return await self._parts.authoriser.authorize(user, actor=actor)
            return await self._parts.authoriser.recall(user, actor=actor)
        except (AccessDenied, DirectoryError) as error:
            request = Request(action="authorize")
            self._parts.trail.note(denial(error, actor=actor, subject=user, request=request))
            raise

    def note(self, event: AuditEvent) -> None:
        """Have something written in the audit that happened around the engine."""
        self._parts.trail.note(event)

    async def record(self, event: AuditEvent) -> None:
        """The same of what may happen only if it is audited, where that is required.

        Raises:
            AuditError: it can't be.
        """
        await self._parts.trail.record(event)

    def require(self, grant: Grant, *any_of: Action) -> None:
        """That a grant permits one of some actions that don't speak of rows.

        Raises:
            AccessDenied: it doesn't, which is audited.
        """
        self._parts.authoriser.check(grant)
        if any(grant.permits(action) for action in any_of):
            return
        thing = "directory" if any_of[0] is Action.DIRECTORY_READ else "cache"
        error = AccessDenied(
            f"this needs the permission {any_of[0]}:all; ask whoever keeps the directory",
            reason=f"no permission for the {thing}",
        )
        request = Request(action="administer")
        self._parts.trail.note(
            denial(error, actor=grant.actor, subject=grant.user.id, request=request)
        )
        raise error

    def open_datasources(self, grant: Grant) -> tuple[Datasource, ...]:
        """The data sources that exist for a user and of which they may read something.

        Raises:
            AccessDenied: the grant is over.
        """
        self._parts.authoriser.check(grant)
        return open_datasources(grant, self.datasources)

    def organizations(self, grant: Grant) -> tuple[OrganizationName, ...]:
        """The organizations that a user may filter by, by id.

        Raises:
            AccessDenied: the grant is over.
        """
        self._parts.authoriser.check(grant)
        return organizations(grant)

    async def owners(self, datasource: int) -> DatasourceKeys:
        """Which practices and providers occur in a data source; for whoever checks the directory.

        Raises:
            UnknownDatasource: none has this id.
            SourceError: the database.
        """
        wanted = self.settings.datasource(datasource)
        async with self._parts.sources[wanted.source].snapshot(wanted) as snapshot:
            pairs, schema = await snapshot.fetch_owners(), snapshot.schema
        practice, provider = (
            None if role is None else schema[role].type
            for role in (wanted.roles.practice, wanted.roles.provider)
        )
        return DatasourceKeys(practice_type=practice, provider_type=provider, pairs=pairs)

    async def contents(self, datasource: int) -> Contents:
        """Which columns, measures and frequencies a data source has; for whoever operates it.

        Args:
            datasource: its id.

        Raises:
            UnknownDatasource: none has this id.
            SourceError: neither the cache nor the database could tell.
        """
        wanted = self.settings.datasource(datasource)
        source = self._parts.sources[wanted.source]
        return await read_contents(self._parts.snapshots, source, wanted)

    async def query(self, query: Query, grant: Grant) -> Result:
        """Answer one query under a grant, from the store or else from the database.

        Raises:
            InvalidQuery: the query is wrong.
            AccessDenied: the grant doesn't allow it, or is over.
            Overloaded: too many reads of this user, or of the database, go on already.
            SourceError: neither the cache nor the database could answer.
        """
        return await self._parts.answerer.answer(Asked(query=query), grant)

    async def schema(self, datasource: int, grant: Grant) -> tuple[Schema, Grant]:
        """A data source's columns and their types, and the grant as it counts now.

        Args:
            datasource: its id.
            grant: from `authorize`; decided anew if rights have changed since.

        Raises:
            UnknownDatasource: there is none with this id, for this user.
            AccessDenied: the grant is over.
            SourceError: neither the cache nor the database could tell.
        """
        return await self._parts.answerer.schema(datasource, grant)

    async def snapshot(self, datasource: int, grant: Grant) -> str | None:
        """The name of a data source's live snapshot; None where the database answers.

        For whoever wants to know whether there is news: nothing is read for it, and nothing told.

        Args:
            datasource: its id.
            grant: from `authorize`.

        Raises:
            UnknownDatasource: there is none with this id, for this user.
            AccessDenied: the grant is over.
        """
        return await self._parts.answerer.snapshot(datasource, grant)

    async def query_many(
        self,
        queries: Sequence[Query],
        grant: Grant,
        *,
        purpose: Purpose = "read",
        most: int | None = None,
    ) -> list[Result | WarmcubeError]:
        """Answer many queries under a grant in one read, each as if it were asked alone.

        What several of them need is fetched once. All that ask the same data source are answered
        from one snapshot, or else from one transaction of the database.

        Args:
            queries: the questions; some may be wrong, or not allowed.
            grant: from `authorize`.
            purpose: "export" for answers that will leave the house, as `export` gives them;
                "embed" for those that another site shows.
            most: how many queries they may be; None for ``[limits] batch``, which bounds those
                that somebody sends and not those that follow from a definition.

        Returns:
            for each query, in their order, its answer, or the error that it would have raised.

        Raises:
            AccessDenied: the grant is over.
            LimitExceeded: more queries than they may be.
            Overloaded: too many reads of this user go on already.
        """
        asked = [Asked(query=query, purpose=purpose) for query in queries]
        return await self._parts.answerer.answer_many(asked, grant, most)

    async def export(self, query: Query, grant: Grant) -> Result:
        """The same, for what will leave the house: only rows that may be read and exported.

        Raises:
            InvalidQuery: the query is wrong.
            AccessDenied: the grant doesn't allow to export this, or is over.
            SourceError: neither the cache nor the database could answer.
        """
        return await self._parts.answerer.answer(Asked(query=query, purpose="export"), grant)

    async def export_stream(
        self,
        query: Query,
        grant: Grant,
        format: str = "csv",
        *,
        spreadsheet: bool = False,
        chunk_rows: int = PIECE,
    ) -> ExportStream:
        """The same as a file that is taken piece by piece, of whatever size.

        Answers that aren't grouped or ordered may have more rows than ``[limits] rows``: they are
        read and written as they are taken. Others are evaluated first.

        Args:
            query: the question.
            grant: from `authorize`.
            format: ``csv``, ``jsonl`` (an object on each line), ``arrow`` or ``parquet``.
            spreadsheet: put an apostrophe in front of texts that a spreadsheet would compute; for
                CSV only.
            chunk_rows: about how many rows are read for each piece.

        Returns:
            what gives the bytes when it is iterated over with ``async for``; close it where you
            stop before the end. Rights are looked at again before each piece. An error in between
            means that what came isn't the answer.

        Raises:
            InvalidQuery: the query is wrong, or the format.
            AccessDenied: the grant doesn't allow to export this, or is over.
            Overloaded: too many reads of this user, or of the database, go on already.
            SourceError: neither the cache nor the database could answer.
        """
        asked = Asked(query=query, purpose="export")
        form = Form(format=format, spreadsheet=spreadsheet)
        return await self._parts.answerer.export_stream(asked, grant, form, chunk_rows)

    async def values(  # noqa: PLR0913 - what a query may be narrowed by
        self,
        datasource: int,
        column: str,
        grant: Grant,
        *,
        measure: str | int | Null | None = None,
        frequency: str | int | Null | None = None,
        organization: str | None = None,
        practices: Sequence[Any] | None = None,
        providers: Sequence[Any] | None = None,
        start: date | str | None = None,
        end: date | str | None = None,
        where: Sequence[Filter] = (),
    ) -> Values:
        """The distinct values of a column that a user may filter by: those of granted rows.

        Args:
            datasource: its id.
            column: which column. Of the measure column and the frequency column the values over
                all partitions are given; then `measure` and `frequency` are optional.
            grant: from `authorize`.
            measure: as in a `Query`, like all that follow.
            frequency: of the partition too.
            organization: only practices of this organization and those below it.
            practices: only these practices.
            providers: only these providers.
            start: first day, inclusive.
            end: last day, inclusive.
            where: further conditions.

        Raises:
            InvalidQuery: what is asked is wrong.
            AccessDenied: the grant doesn't allow it, or is over.
            SourceError: neither the cache nor the database could answer.
        """
        query = Query(
            datasource=datasource,
            measure=measure,
            frequency=frequency,
            organization=organization,
            practices=practices,
            providers=providers,
            start=start,
            end=end,
            where=where,
        )
        asked = Asked(query=query, wanted="values", column=column)
        return Values(await self._parts.answerer.answer(asked, grant))

    async def measures(self, datasource: int, grant: Grant) -> Measures:
        """The measures, each with one frequency, of which a user has at least one row.

        Raises:
            UnknownDatasource: there is none with this id, for this user.
            AccessDenied: the grant doesn't allow it, or is over.
            SourceError: neither the cache nor the database could answer.
        """
        asked = Asked(query=Query(datasource=datasource), wanted="measures")
        found = await self._parts.answerer.answer(asked, grant)
        return Measures(found, self.settings.datasource(datasource))

    async def invalidate(self, datasource: int, actor: str | None = None) -> Invalidation:
        """Take a data source's snapshot away: at once for readers, then from the store.

        Args:
            datasource: its id.
            actor: who does it, for the history; None for the cache's own actor.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await self._parts.upkeep.invalidate(wanted, actor or self._actor)

    async def verify(
        self,
        datasource: int,
        *,
        sample: int = DEFAULT_SAMPLE,
        seed: int | None = None,
        progress: VerifyProgress | None = None,
        actor: str | None = None,
        job: Verification | None = None,
    ) -> VerifyReport:
        """Compare the live snapshot with its database, and prove it by itself; changes nothing.

        Every verification is a job: `verifications` says in every process how far it is. Damage
        that it finds is reported, so that it is repaired as if a reader had met it.

        Args:
            datasource: its id.
            sample: how many slices (a practice of a partition) are compared row by row.
            seed: what they are drawn with; None for another one each time, which the report has.
            progress: told as it goes: the stage, and how many rows or slices of how many.
            actor: who asks for it, for the audit; None for the cache's own actor.
            job: the one that asks for it, from `verifications`, and says who asks, and what is
                drawn; None for a new one.

        Raises:
            UnknownDatasource: none has this id.
            InvalidQuery: the sample is negative, or beyond 10,000.
            VerifyInProgress: somebody else is verifying it.
            NothingToVerify: it is cold, or switched off.
            VerifyError: it is warmed anew all the while.
            Damage: the manifest isn't whole.
            SourceError: the database.
            StoreError: the store.
        """
        return await self._parts.verifying.verify(
            self.settings.datasource(datasource),
            actor=actor or self._actor,
            sample=sample,
            seed=secrets.randbelow(1 << 32) if seed is None else seed,
            progress=progress,
            job=job,
        )

    async def observe_verification(self, job: Verification) -> None:
        """Count a verification that another process has done for this one, or hasn't."""
        await self._parts.verifying.observe(job)

    async def rollback(self, datasource: int, actor: str | None = None) -> Steered:
        """Serve the snapshot before the live one again, while it is kept.

        ``[cache] keep_snapshots`` says how many are. The data source is pinned: nothing warms it
        without being asked, until a warm that somebody asks for is published, or `unpin`. A warm
        that is under way can't publish.

        Args:
            datasource: its id.
            actor: who does it, for the history; None for the cache's own actor.

        Raises:
            UnknownDatasource: none has this id.
            RollbackRefused: no earlier snapshot is kept, or the last one can't be served.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await self._parts.upkeep.rollback(wanted, actor or self._actor)

    async def unpin(self, datasource: int, actor: str | None = None) -> Steered:
        """Let a data source that was rolled back be warmed without anybody's asking again.

        Args:
            datasource: its id.
            actor: who does it, for the history; None for the cache's own actor.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await self._parts.upkeep.unpin(wanted, actor or self._actor)

    async def disable(self, datasource: int, actor: str | None = None) -> Steered:
        """Have the database answer everything of a data source, until `enable`.

        It holds in every process: at once for what is read from the store, and within ``[cache]
        max_pointer_age`` for what a process holds. The snapshot stays, and may be warmed anew.

        Args:
            datasource: its id.
            actor: who does it, for the history; None for the cache's own actor.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await self._parts.upkeep.disable(wanted, actor or self._actor)

    async def enable(self, datasource: int, actor: str | None = None) -> Steered:
        """Answer from the snapshot again, if it is whole and its life isn't over; else it is cold.

        Args:
            datasource: its id.
            actor: who does it, for the history; None for the cache's own actor.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await self._parts.upkeep.enable(wanted, actor or self._actor)

    async def stats(self, datasource: int) -> Stats:
        """What the cache holds of a data source.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        return await read_stats(self._parts.store, self._keys(wanted.id), wanted, self._parts.seal)

    async def health(self, datasource: int | None = None) -> Overall:
        """How well the cache is, out of what is measured now.

        Args:
            datasource: its id; None for all of them.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.datasources
        if datasource is not None:
            wanted = (self.settings.datasource(datasource),)
        is_on = self.settings.cache.enabled
        return overall(
            [
                await measure(
                    self._parts.store, self._keys(one.id), one, self._parts.seal, is_on=is_on
                )
                for one in wanted
            ]
        )

    async def history(self, datasource: int, hours: int = FINE_HOURS) -> History:
        """What a data source's figures were over the last hours, as a service has kept them.

        Args:
            datasource: its id.
            hours: at most ``[cache] history_days`` of them are kept.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        return await self._parts.sampler.history(self.settings.datasource(datasource), hours)

    async def partition_rows(self, datasource: int) -> Mapping[tuple[str | None, str | None], int]:
        """How many rows the live snapshot has, by measure and frequency; empty without one.

        Args:
            datasource: its id.

        Raises:
            UnknownDatasource: none has this id.
            StoreError: the store.
        """
        wanted = self.settings.datasource(datasource)
        live = await self._parts.snapshots.load(wanted)
        partitions = {} if live is None else live.manifest.partitions
        return {
            (name.measure, name.frequency): partition.rows for name, partition in partitions.items()
        }

    def _keys(self, datasource: int) -> Keys:
        return Keys(self.settings.store.namespace, datasource)
