"""`AsyncClient`: the same calls as `Client`, to be awaited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

import httpx

from warmcube.access.listing import OrganizationName
from warmcube.client import admin, calls, verifying
from warmcube.client.admin import JobWatcher, Names, WarmJob, Which
from warmcube.client.base import Base, Narrowing
from warmcube.client.calls import ExportFormat, OpenDatasource
from warmcube.client.driving import drive_async
from warmcube.client.exchange import Call, Steps
from warmcube.client.verifying import VerifyJob, VerifyWatcher
from warmcube.compare.report import VerifyReport
from warmcube.errors import WarmcubeError
from warmcube.model.request import Query
from warmcube.observe.stats import Stats
from warmcube.query.listing import Measures, Values
from warmcube.query.result import Result
from warmcube.warm.invalidate import Invalidation
from warmcube.warm.report import WarmReport
from warmcube.warm.steer import Steered

__all__ = ["AsyncClient"]

_T = TypeVar("_T")


class AsyncClient(Base[httpx.AsyncClient]):
    """The calls of a service, to be awaited; use it as an asynchronous context manager.

    Args:
        url: the service's address: ``https://host[:port]``, or ``http://`` on loopback.
        token: a bearer token, or a function that gives one for each request, asynchronous or not.
        token_file: instead, a file that holds nothing but the token; it is read anew each time.
        timeout: seconds for one call, with everything that is tried for it. Of an export, that is
            until it begins.
        allow_plain_http: send the token in plain text to other hosts than this one.
        tls: whom to trust instead of the usual authorities.

    Raises:
        ConfigError: the URL, the token or the timeout can't be used.
    """

    _http_class = httpx.AsyncClient

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def query(self, query: Query) -> Result:
        """The answer to one query: the same as `AnalyticsCache.query` gives, value by value."""
        return await self._perform(calls.ask(query))

    async def query_many(self, queries: Sequence[Query]) -> list[Result | WarmcubeError]:
        """The answers to many queries in one read; an error stands in the place of its query."""
        return await self._perform(calls.ask_many(queries))

    async def values(self, datasource: int, column: str, **narrowing: Unpack[Narrowing]) -> Values:
        """The distinct values of a column in the caller's rows, narrowed as a `Query` is."""
        narrowed = Query(datasource=datasource, **narrowing)
        return await self._perform(calls.list_values(datasource, column, narrowed))

    async def measures(self, datasource: int) -> Measures:
        """The measures, each with one frequency, of which the caller has rows."""
        return await self._perform(calls.list_measures(datasource))

    async def datasources(self) -> tuple[OpenDatasource, ...]:
        """The data sources that exist for the caller."""
        return await self._perform(calls.list_datasources())

    async def organizations(self) -> tuple[OrganizationName, ...]:
        """The organizations that the caller may filter by."""
        return await self._perform(calls.list_organizations())

    async def export(
        self,
        query: Query,
        path: str | Path,
        format: ExportFormat = "parquet",
        *,
        spreadsheet: bool = False,
    ) -> Path:
        """Stream an answer to a file, which only its owner may read.

        The file is there whole, or as it was before: what arrives goes into another one beside it,
        which takes its place at the end.

        Args:
            query: the question.
            path: of the file.
            format: how it is written.
            spreadsheet: put an apostrophe before texts that a spreadsheet would compute; of CSV.
        """
        return await self._drive(
            calls.export(self._reach, query, Path(path), format, spreadsheet=spreadsheet)
        )

    async def stats(self, datasource: int | None = None) -> tuple[Stats, ...]:
        """What the cache holds of a data source, or of each. It takes ``cache:read``."""
        return await self._perform(admin.get_stats(datasource))

    async def health(self, datasource: int | None = None) -> Mapping[str, Any]:
        """How well the cache is: a score, and what it is made of."""
        return await self._perform(admin.get_health(datasource))

    async def warming(self, datasource: int | None = None) -> tuple[Mapping[str, Any], ...]:
        """Of each data source who warms it, the job that runs, and the last ones."""
        return await self._perform(admin.list_warming(datasource))

    async def job(self, id: str) -> WarmJob:
        """How far a warm is."""
        return await self._perform(admin.find_job(id))

    async def wait(
        self,
        job: WarmJob | str,
        *,
        progress: JobWatcher | None = None,
        seconds: float | None = None,
    ) -> WarmReport:
        """Wait until a warm has ended.

        Args:
            job: the job, or its id.
            progress: told whenever something has changed.
            seconds: to wait at most; None for as long as it takes.

        Raises:
            WarmError: it failed.
            ServiceUnavailable: the time was over before; the job goes on.
        """
        name = job if isinstance(job, str) else job.id
        return await self._drive(admin.follow(self._reach, name, progress, seconds))

    async def warm(
        self,
        datasource: Which,
        *,
        measures: Names = None,
        frequencies: Names = None,
        changed: bool = False,
        force: bool = False,
    ) -> tuple[WarmJob, ...]:
        """Have a data source warmed, or ``"all"``; returns at once. Needs ``cache:manage``.

        Args:
            datasource: which.
            measures: read only these anew; ``NULL`` for the rows without one; None for all.
            frequencies: read only what is at these, likewise.
            changed: read only what has changed since the last warm.
            force: publish although far fewer rows are there than before.

        Raises:
            WarmInProgress: somebody is warming it: `by` says who, `job` with which job.
        """
        call = admin.start_warm(
            datasource, measures=measures, frequencies=frequencies, changed=changed, force=force
        )
        return await self._perform(call)

    async def verify(
        self, datasource: Which, *, sample: int | None = None, seed: int | None = None
    ) -> tuple[VerifyJob, ...]:
        """Have the cache compared with its database; returns at once. Needs ``cache:manage``.

        Args:
            datasource: which, or ``"all"``.
            sample: how many slices are compared row by row, up to 10,000; None for 50.
            seed: what they are drawn with; None for another one each time.

        Raises:
            VerifyInProgress: somebody is verifying it: `by` says who, `job` with which job.
        """
        return await self._perform(verifying.start_verify(datasource, sample, seed))

    async def verifying(self, datasource: int | None = None) -> tuple[Mapping[str, Any], ...]:
        """Of each data source the verification that runs, and the last ones."""
        return await self._perform(verifying.list_verifying(datasource))

    async def verification(self, id: str) -> VerifyJob:
        """How far a verification is."""
        return await self._perform(verifying.find_verification(id))

    async def wait_verified(
        self,
        job: VerifyJob | str,
        *,
        progress: VerifyWatcher | None = None,
        seconds: float | None = None,
    ) -> VerifyReport:
        """Wait until a verification has ended; what it found, its 100 worst findings at most.

        Args:
            job: the job, or its id.
            progress: told whenever something has changed.
            seconds: to wait at most; None for as long as it takes.

        Raises:
            VerifyError: it came to no verdict.
            ServiceUnavailable: the time was over before; the job goes on.
        """
        name = job if isinstance(job, str) else job.id
        steps = verifying.follow_verification(self._reach, name, progress, seconds)
        return await self._drive(steps)

    async def invalidate(self, datasource: Which) -> tuple[Invalidation, ...]:
        """Take the snapshot of a data source away, or of ``"all"``. Needs ``cache:manage``."""
        return await self._perform(admin.invalidate(datasource))

    async def rollback(self, datasource: int) -> Steered:
        """Serve the snapshot before the live one again, and pin it. Needs ``cache:manage``.

        Raises:
            RollbackRefused: no earlier snapshot can be served.
        """
        return await self._perform(admin.steer("rollback", datasource))

    async def unpin(self, datasource: int) -> Steered:
        """Let it be warmed again without anybody's asking. Needs ``cache:manage``.

        Raises:
            ServiceError: the service.
        """
        return await self._perform(admin.steer("unpin", datasource))

    async def disable(self, datasource: int) -> Steered:
        """Have the database answer everything of it. Needs ``cache:manage``.

        Raises:
            ServiceError: the service.
        """
        return await self._perform(admin.steer("disable", datasource))

    async def enable(self, datasource: int) -> Steered:
        """Answer from its snapshot again. Needs ``cache:manage``.

        Raises:
            ServiceError: the service.
        """
        return await self._perform(admin.steer("enable", datasource))

    async def _perform(self, call: Call[_T]) -> _T:
        return await self._drive(self._reach.perform(call))

    async def _drive(self, steps: Steps[_T]) -> _T:
        return await drive_async(self._http, steps)
