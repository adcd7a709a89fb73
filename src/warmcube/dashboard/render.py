"""A dashboard for one viewer: its questions asked in one read, its charts made of the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple, Protocol

from warmcube.access.grant import Grant
from warmcube.access.ids import show
from warmcube.access.standing import Purpose
from warmcube.audit.events import denial
from warmcube.audit.listed import listed_ids
from warmcube.audit.request import Request
from warmcube.dashboard.assemble import assemble
from warmcube.dashboard.chart import render_chart
from warmcube.dashboard.dates import resolve, time_zone
from warmcube.dashboard.dates import today as viewers_today
from warmcube.dashboard.definition import Chart, Dashboard
from warmcube.dashboard.described import describe_dashboard, sees_conditions
from warmcube.dashboard.drill import Mark, drills_within, rows_query
from warmcube.dashboard.filters import Narrowed, check_lengths, narrow_filters
from warmcube.dashboard.kept import KeptCharts
from warmcube.dashboard.origins import meta_of_page
from warmcube.dashboard.periods import compared_range
from warmcube.dashboard.plan import MOST_QUERIES, Page, Plan, plan_charts
from warmcube.dashboard.rendered import (
    DateRange,
    Dropped,
    RenderedChart,
    RenderedDashboard,
    UniversalFilters,
)
from warmcube.engine import AnalyticsCache
from warmcube.errors import (
    AccessDenied,
    InvalidQuery,
    Overloaded,
    QueryTimeout,
    SourceError,
    UnknownDashboard,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.model.request import Query
from warmcube.query.result import Result

__all__ = ["Dashboards", "GivenDashboards", "Renderer", "Rows"]


_LARGE: Final = 20_000
"""From so many rows of answers on, charts are made beside the event loop."""
_LARGE_AT_ONCE: Final = 2
"""How many of these are assembled at a time."""


class Dashboards(Protocol):
    """Where the definitions are."""

    async def current(self) -> Mapping[str, Dashboard]:
        """All of them, by id."""
        ...


class GivenDashboards:
    """Definitions that were made in code.

    Args:
        dashboards: all of them.
    """

    def __init__(self, *dashboards: Dashboard) -> None:
        self._by_id = {each.id: each for each in dashboards}

    async def current(self) -> Mapping[str, Dashboard]:
        """All of them, by id."""
        return self._by_id


class Rows(NamedTuple):
    """The rows behind a mark.

    Attributes:
        query: what was asked for them; None where the definition compares with what isn't the
            viewer's to see.
        result: its answer.
        dropped: what of the filters doesn't hold.
    """

    query: Query | None
    result: Result
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class _View:
    """A dashboard as somebody sees it.

    Attributes:
        grant: the viewer's, as it counts now.
        page: what all charts have in common.
        narrowed: the filters.
        resolved: the days of a preset, or days as they are.
    """

    grant: Grant
    page: Page
    narrowed: Narrowed
    resolved: Callable[[str | DateRange], DateRange]

    def dates_of(self, chart: Chart) -> tuple[DateRange, DateRange | None]:
        """The days that a chart is about, and those that it is compared with."""
        own = self.page.dates if chart.dates is None else self.resolved(chart.dates)
        compared = None if chart.comparison is None else compared_range(own, chart.comparison)
        return own, compared


class Renderer:
    """Renders dashboards.

    Args:
        cache: answers; open when `render` is called.
        library: the definitions.
        week_start: the day on which weeks begin, 0 for Monday.
        today: the day from which presets count; None for the viewer's own.
        clock: the time now, aware.
    """

    def __init__(
        self,
        cache: AnalyticsCache,
        library: Dashboards,
        week_start: int = 0,
        today: date | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._library = library
        self._week_start = week_start
        self._today = today
        self._clock = clock
        self._kept = KeptCharts()
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def dashboards(self, grant: Grant) -> tuple[Dashboard, ...]:
        """Those that exist for a viewer, by id.

        Raises:
            AccessDenied: the grant is over.
        """
        readable = {each.id for each in self._cache.open_datasources(grant)}
        held = {each.role for each in grant.roles}
        return tuple(
            each
            for _, each in sorted((await self._library.current()).items())
            if each.datasource in readable and (not each.roles or held & set(each.roles))
        )

    async def dashboard(self, id: str, grant: Grant) -> Dashboard:
        """One of them.

        Raises:
            UnknownDashboard: it doesn't exist, for this viewer.
            AccessDenied: the grant is over.
        """
        for each in await self.dashboards(grant):
            if each.id == id:
                return each
        raise UnknownDashboard(
            f"there is no dashboard {show(id)}; /api/dashboards lists those that you may see"
        )

    async def _existing(self, grant: Grant) -> frozenset[str]:
        return frozenset([each.id for each in await self.dashboards(grant)])

    async def render(
        self,
        dashboard: Dashboard,
        filters: UniversalFilters,
        grant: Grant,
        charts: Sequence[str] | None = None,
        *,
        purpose: Purpose = "read",
    ) -> RenderedDashboard:
        """The figures of a dashboard's charts, all from one picture of the data.

        Args:
            dashboard: from `dashboard`.
            filters: what the page is narrowed by; what the viewer may not name is dropped.
            grant: the viewer's.
            charts: the ids of those that are wanted; None for all.
            purpose: "export" for figures that will leave the house, "embed" for those that another
                site shows: of rows alone that may be.

        Raises:
            InvalidQuery: a filter is wrong, or there is no such chart.
            AccessDenied: the grant is over, or the data source isn't theirs to read.
            Overloaded: too much is asked at once.
            SourceError: neither the cache nor the database could answer.
        """
        started = time.perf_counter()
        wanted = _wanted(dashboard, charts)
        # What may be read and not exported is named by mistake: the read itself refuses it.
        naming: Purpose = "embed" if purpose == "embed" else "read"
        view = await self._view(dashboard, filters, grant, naming)
        plan = plan_charts(dashboard, wanted, view.page, view.dates_of)
        answers = await self._ask(plan, view.grant, purpose)
        rendered = await self._rendered(plan, wanted, answers)
        return RenderedDashboard(
            id=dashboard.id,
            title=dashboard.title,
            description=dashboard.description,
            dates=view.page.dates,
            filters=view.narrowed.filters,
            dropped=view.narrowed.dropped,
            charts=drills_within(rendered, await self._existing(view.grant)),
            meta=meta_of_page(plan, answers, len(rendered), (time.perf_counter() - started) * 1000),
        )

    async def describe(self, dashboard: Dashboard, grant: Grant) -> dict[str, Any]:
        """A dashboard's definition as its viewer may see it; see `describe_dashboard`.

        Raises:
            AccessDenied: the grant is over, or the data source isn't theirs to read.
            SourceError: neither the cache nor the database could tell its columns.
        """
        schema, grant = await self._cache.schema(dashboard.datasource, grant)
        datasource = self._cache.settings.datasource(dashboard.datasource)
        organizations = self._cache.organizations(grant)
        charts = drills_within(dashboard.charts, await self._existing(grant))
        dashboard = replace(dashboard, charts=charts)
        return describe_dashboard(dashboard, grant, datasource, schema, organizations)

    async def rows(
        self,
        dashboard: Dashboard,
        chart: str,
        mark: Mark,
        filters: UniversalFilters,
        grant: Grant,
    ) -> Rows:
        """The rows behind a chart, or behind one mark of it.

        Args:
            dashboard: from `dashboard`.
            chart: its id.
            mark: what of the chart.
            filters: what the page is narrowed by.
            grant: the viewer's.

        Raises:
            InvalidQuery: there is no such chart or mark, or a filter is wrong.
            AccessDenied: the grant is over, or the data source isn't theirs to read.
            SourceError: neither the cache nor the database could answer.
        """
        (wanted,) = _wanted(dashboard, [chart])
        view = await self._view(dashboard, filters, grant)
        query = rows_query(dashboard, wanted, mark, view.page, view.dates_of)
        result = await self._cache.query(query, view.grant)
        page = view.page
        is_seen = sees_conditions(dashboard, wanted, view.grant, page.datasource, page.schema)
        return Rows(query if is_seen else None, result, view.narrowed.dropped)

    async def _view(
        self,
        dashboard: Dashboard,
        filters: UniversalFilters,
        grant: Grant,
        purpose: Purpose = "read",
    ) -> _View:
        """What the viewer is to see of the data source, and which days are meant."""
        check_lengths(filters, self._cache.settings.limits.list)
        schema, grant = await self._cache.schema(dashboard.datasource, grant)
        datasource = self._cache.settings.datasource(dashboard.datasource)
        narrowed = narrow_filters(filters, grant, datasource, schema, purpose)
        self._note(narrowed, dashboard, grant, purpose)
        zone = time_zone(filters.time_zone or datasource.time_zone)
        day = self._today or viewers_today(self._clock(), zone)
        has_dates = datasource.roles.date is not None

        def resolved(wanted: str | DateRange) -> DateRange:
            if not has_dates:
                return DateRange()
            if isinstance(wanted, DateRange):  # days that stay are what they are
                return wanted
            return resolve(wanted, day, self._week_start)

        dates = DateRange(start=filters.start, end=filters.end)
        if filters.start is None and filters.end is None:
            dates = resolved(filters.preset or dashboard.dates)
        page = Page(
            datasource=datasource,
            schema=schema,
            organization=narrowed.filters.organization,
            practices=narrowed.filters.practices,
            providers=narrowed.filters.providers,
            where=narrowed.where,
            dates=dates,
        )
        return _View(grant, page, narrowed, resolved)

    async def _ask(
        self, plan: Plan, grant: Grant, purpose: Purpose
    ) -> Sequence[Result | WarmcubeError]:
        if not plan.queries:
            return ()
        answers = await self._cache.query_many(
            plan.queries, grant, purpose=purpose, most=MOST_QUERIES
        )
        for each in answers:
            if isinstance(each, AccessDenied | UnknownDatasource):
                raise each
        first = answers[0]
        if isinstance(first, SourceError | Overloaded | QueryTimeout) and not any(
            isinstance(each, Result) for each in answers
        ):
            raise first
        return answers

    async def _rendered(
        self, plan: Plan, charts: Sequence[Chart], answers: Sequence[Result | WarmcubeError]
    ) -> tuple[RenderedChart, ...]:
        """All charts; of many figures beside the event loop, and then not kept."""
        rows = sum(len(each) for each in answers if isinstance(each, Result))
        make = assemble if rows > _LARGE else self._kept.assemble

        def work() -> tuple[RenderedChart, ...]:
            return tuple(
                render_chart(chart, planned, answers, plan, make)
                for chart, planned in zip(charts, plan.charts, strict=True)
            )

        if rows <= _LARGE:
            return work()
        async with self._large:  # whoever asks for much waits for others who do, not all for them
            return await asyncio.to_thread(work)

    def _note(
        self, narrowed: Narrowed, dashboard: Dashboard, grant: Grant, purpose: Purpose
    ) -> None:
        """Have it written that somebody's link named what isn't theirs."""
        for error, named in narrowed.refusals:
            request = Request(
                action="query" if purpose == "read" else purpose,
                datasource=dashboard.datasource,
                organization=named.organization,
                practices=listed_ids(named.practices),
                providers=listed_ids(named.providers),
            )
            self._cache.note(
                denial(error, actor=grant.actor, subject=grant.user.id, request=request)
            )


def _wanted(dashboard: Dashboard, charts: Sequence[str] | None) -> tuple[Chart, ...]:
    if charts is None:
        return dashboard.charts
    known = {chart.id: chart for chart in dashboard.charts}
    for named in charts:
        if named not in known:
            raise InvalidQuery(
                f'dashboard "{dashboard.id}" has no chart {show(named)}; its charts are '
                f"{', '.join(known)}"
            )
    return tuple(known[named] for named in dict.fromkeys(charts))
