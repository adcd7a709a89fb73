"""`AnalyticsCache` without ``await``: every call waits for the asynchronous one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from warmcube.access.grant import Grant
from warmcube.access.listing import OrganizationName
from warmcube.access.permissions import Action
from warmcube.access.standing import Purpose
from warmcube.audit.events import AuditEvent
from warmcube.blocking.export import ExportStream
from warmcube.blocking.loop import Inbox, LoopThread
from warmcube.compare.report import Stage, VerifyProgress, VerifyReport
from warmcube.compare.verifier import DEFAULT_SAMPLE
from warmcube.config import Settings, load
from warmcube.directory.check import DatasourceKeys
from warmcube.engine import AnalyticsCache as AsyncCache
from warmcube.errors import NotUsable, WarmcubeError
from warmcube.jobs.job import Job
from warmcube.jobs.verification import Verification
from warmcube.model.request import Filter, Null, Query
from warmcube.model.schema import Datasource, Schema
from warmcube.observe.health import Overall
from warmcube.observe.metrics import Metrics
from warmcube.observe.sampler import FINE_HOURS
from warmcube.observe.samples import History
from warmcube.observe.stats import Stats
from warmcube.query.contents import Contents
from warmcube.query.exporter import PIECE
from warmcube.query.listing import Measures, Values
from warmcube.query.result import Result
from warmcube.warm.invalidate import Invalidation
from warmcube.warm.report import Progress, ProgressCallback, WarmReport
from warmcube.warm.steer import Steered

__all__ = ["AnalyticsCache"]

_T = TypeVar("_T")


class AnalyticsCache:
    """Whole tables of measures, warm in a store, answered per user; for synchronous code.

    It has the calls of `warmcube.AnalyticsCache`, which its methods refer to, and does nothing of
    its own: one asynchronous cache works in a thread. Any number of threads may use it at a time.
    An answer that is waited for can be interrupted by Ctrl-C, which cancels it. A process that was
    forked from the one that opened the cache can't use it.

    Use as a context manager, or call `open` and `close`. One that is still open when the
    interpreter ends is closed then.

    Args:
        settings: see `warmcube.config`.
        actor: who asks, for the audit, where a call doesn't say otherwise.
        is_probe: as for `warmcube.AnalyticsCache`.
        stdout: likewise.
        processes: likewise.
        metrics_folder: likewise.
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
        self._make = partial(
            AsyncCache,
            settings,
            actor=actor,
            is_probe=is_probe,
            stdout=stdout,
            processes=processes,
            metrics_folder=metrics_folder,
        )
        self._lock = threading.Lock()
        self._opened: tuple[LoopThread, AsyncCache] | None = None

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
    def is_open(self) -> bool:
        """Whether it can be asked: between its opening and its closing."""
        return self._opened is not None

    @property
    def metrics(self) -> Metrics | None:
        """The figures, while the cache is open; None where ``[cache] metrics`` is off."""
        opened = self._opened
        return None if opened is None else opened[1].metrics

    def open(self) -> Self:
        """Start embedded servers where configured, and open the rest; nothing is read yet.

        Raises:
            EmbeddedError: an embedded server can't be started.
            ConfigError: something that is configured can't be used.
            NotUsable: it is open already.
        """
        with self._lock:
            if self._opened is not None:
                raise NotUsable("the cache is open already; open it once")
            cache = self._make()
            thread = LoopThread(partial(cache.__aexit__, None, None, None))
            try:
                thread.run(cache.__aenter__)
            except BaseException:
                thread.abandon()
                raise
            self._opened = thread, cache
        return self

    def close(self) -> None:
        """Cancel what still runs, and close everything; once more does nothing."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[0].close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def warm(
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
        """See `warmcube.AnalyticsCache.warm`; `progress` is told in the thread that waits."""
        thread, cache = self._parts()
        inbox: Inbox[Progress] = Inbox(progress)
        return thread.run(
            partial(
                cache.warm,
                datasource,
                measures=measures,
                frequencies=frequencies,
                changed=changed,
                force=force,
                progress=inbox.tell,
                job=job,
            ),
            inbox,
        )

    def authorize(self, user: str, *, actor: str | None = None, anew: bool = True) -> Grant:
        """See `warmcube.AnalyticsCache.authorize`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.authorize, user, actor=actor, anew=anew))

    def record(self, event: AuditEvent) -> None:
        """See `warmcube.AnalyticsCache.record`."""
        thread, cache = self._parts()
        thread.run(partial(cache.record, event))

    def note(self, event: AuditEvent) -> None:
        """See `warmcube.AnalyticsCache.note`."""
        thread, cache = self._parts()
        thread.run(partial(_awaited, partial(cache.note, event)))

    def require(self, grant: Grant, *any_of: Action) -> None:
        """See `warmcube.AnalyticsCache.require`."""
        thread, cache = self._parts()
        thread.run(partial(_awaited, partial(cache.require, grant, *any_of)))

    def open_datasources(self, grant: Grant) -> tuple[Datasource, ...]:
        """See `warmcube.AnalyticsCache.open_datasources`."""
        thread, cache = self._parts()
        return thread.run(partial(_awaited, partial(cache.open_datasources, grant)))

    def organizations(self, grant: Grant) -> tuple[OrganizationName, ...]:
        """See `warmcube.AnalyticsCache.organizations`."""
        thread, cache = self._parts()
        return thread.run(partial(_awaited, partial(cache.organizations, grant)))

    def owners(self, datasource: int) -> DatasourceKeys:
        """See `warmcube.AnalyticsCache.owners`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.owners, datasource))

    def contents(self, datasource: int) -> Contents:
        """See `warmcube.AnalyticsCache.contents`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.contents, datasource))

    def query(self, query: Query, grant: Grant) -> Result:
        """See `warmcube.AnalyticsCache.query`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.query, query, grant))

    def schema(self, datasource: int, grant: Grant) -> tuple[Schema, Grant]:
        """See `warmcube.AnalyticsCache.schema`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.schema, datasource, grant))

    def snapshot(self, datasource: int, grant: Grant) -> str | None:
        """See `warmcube.AnalyticsCache.snapshot`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.snapshot, datasource, grant))

    def query_many(
        self,
        queries: Sequence[Query],
        grant: Grant,
        *,
        purpose: Purpose = "read",
        most: int | None = None,
    ) -> list[Result | WarmcubeError]:
        """See `warmcube.AnalyticsCache.query_many`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.query_many, queries, grant, purpose=purpose, most=most))

    def export_stream(
        self,
        query: Query,
        grant: Grant,
        format: str = "csv",
        *,
        spreadsheet: bool = False,
        chunk_rows: int = PIECE,
    ) -> ExportStream:
        """See `warmcube.AnalyticsCache.export_stream`; iterate over it with ``for``."""
        thread, cache = self._parts()
        begin = partial(
            cache.export_stream,
            query,
            grant,
            format,
            spreadsheet=spreadsheet,
            chunk_rows=chunk_rows,
        )
        return ExportStream(thread, thread.run(begin))

    def export(self, query: Query, grant: Grant) -> Result:
        """See `warmcube.AnalyticsCache.export`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.export, query, grant))

    def values(  # noqa: PLR0913 - what a query may be narrowed by
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
        """See `warmcube.AnalyticsCache.values`."""
        thread, cache = self._parts()
        return thread.run(
            partial(
                cache.values,
                datasource,
                column,
                grant,
                measure=measure,
                frequency=frequency,
                organization=organization,
                practices=practices,
                providers=providers,
                start=start,
                end=end,
                where=where,
            )
        )

    def measures(self, datasource: int, grant: Grant) -> Measures:
        """See `warmcube.AnalyticsCache.measures`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.measures, datasource, grant))

    def invalidate(self, datasource: int, actor: str | None = None) -> Invalidation:
        """See `warmcube.AnalyticsCache.invalidate`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.invalidate, datasource, actor))

    def verify(
        self,
        datasource: int,
        *,
        sample: int = DEFAULT_SAMPLE,
        seed: int | None = None,
        progress: VerifyProgress | None = None,
        actor: str | None = None,
        job: Verification | None = None,
    ) -> VerifyReport:
        """See `warmcube.AnalyticsCache.verify`; `progress` is told in the thread that waits."""
        thread, cache = self._parts()

        def show(told: tuple[Stage, int, int]) -> None:
            if progress is not None:
                progress(*told)

        inbox: Inbox[tuple[Stage, int, int]] = Inbox(None if progress is None else show)
        hear = inbox.tell

        def tell(stage: Stage, done: int, total: int) -> None:
            if hear is not None:
                hear((stage, done, total))

        return thread.run(
            partial(
                cache.verify,
                datasource,
                sample=sample,
                seed=seed,
                progress=tell,
                actor=actor,
                job=job,
            ),
            inbox,
        )

    def rollback(self, datasource: int, actor: str | None = None) -> Steered:
        """See `warmcube.AnalyticsCache.rollback`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.rollback, datasource, actor))

    def unpin(self, datasource: int, actor: str | None = None) -> Steered:
        """See `warmcube.AnalyticsCache.unpin`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.unpin, datasource, actor))

    def disable(self, datasource: int, actor: str | None = None) -> Steered:
        """See `warmcube.AnalyticsCache.disable`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.disable, datasource, actor))

    def enable(self, datasource: int, actor: str | None = None) -> Steered:
        """See `warmcube.AnalyticsCache.enable`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.enable, datasource, actor))

    def stats(self, datasource: int) -> Stats:
        """See `warmcube.AnalyticsCache.stats`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.stats, datasource))

    def health(self, datasource: int | None = None) -> Overall:
        """See `warmcube.AnalyticsCache.health`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.health, datasource))

    def history(self, datasource: int, hours: int = FINE_HOURS) -> History:
        """See `warmcube.AnalyticsCache.history`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.history, datasource, hours))

    def partition_rows(self, datasource: int) -> Mapping[tuple[str | None, str | None], int]:
        """See `warmcube.AnalyticsCache.partition_rows`."""
        thread, cache = self._parts()
        return thread.run(partial(cache.partition_rows, datasource))

    def _parts(self) -> tuple[LoopThread, AsyncCache]:
        opened = self._opened
        if opened is None:
            raise NotUsable("the cache isn't open; use it within its with block, or call open()")
        return opened


async def _awaited(call: Callable[[], _T]) -> _T:
    """A call that doesn't wait, made in the loop, where its cache belongs."""
    return call()
