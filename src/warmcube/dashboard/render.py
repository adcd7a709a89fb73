"""A dashboard for one viewer: its questions asked in one read, its charts made of the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from warmcube.access.grant import Grant
from warmcube.access.ids import show
from warmcube.access.standing import Purpose
from warmcube.audit.events import denial
from warmcube.audit.listed import listed_ids
from warmcube.audit.request import Request
from warmcube.dashboard.assemble import assemble
from warmcube.dashboard.columns import type_word
from warmcube.dashboard.dates import resolve, time_zone
from warmcube.dashboard.definition import Chart, Dashboard
from warmcube.dashboard.filters import Narrowed, narrow_filters
from warmcube.dashboard.periods import compared_range
from warmcube.dashboard.plan import MOST_QUERIES, ChartPlan, Page, Plan, plan_charts
from warmcube.dashboard.rendered import (
    DateRange,
    RenderedChart,
    RenderedDashboard,
    RenderMeta,
    UniversalFilters,
)
from warmcube.engine import AnalyticsCache
from warmcube.errors import (
    AccessDenied,
    InvalidQuery,
    Overloaded,
    SourceError,
    UnknownDashboard,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.model.schema import Datasource
from warmcube.query.result import Origin, Result

__all__ = ["Dashboards", "GivenDashboards", "Renderer"]

_SLOWEST: Final[tuple[Origin, ...]] = ("resident", "store", "database")


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


class Renderer:
    """Renders dashboards.

    Args:
        cache: answers; open when `render` is called.
        library: the definitions.
        week_start: the day on which weeks begin, 0 for Monday.
        clock: the time now, aware.
    """

    def __init__(
        self,
        cache: AnalyticsCache,
        library: Dashboards,
        week_start: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cache = cache
        self._library = library
        self._week_start = week_start
        self._clock = clock

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
            purpose: "embed" for only those rows that may be shown in another site too.

        Raises:
            InvalidQuery: a filter is wrong, or there is no such chart.
            AccessDenied: the grant is over, or the data source isn't theirs to read.
            Overloaded: too much is asked at once.
            SourceError: neither the cache nor the database could answer.
        """
        started = time.perf_counter()
        wanted = _wanted(dashboard, charts)
        schema, grant = await self._cache.schema(dashboard.datasource, grant)
        datasource = self._cache.settings.datasource(dashboard.datasource)
        narrowed = narrow_filters(filters, grant, datasource, schema, purpose)
        self._note(narrowed, dashboard, grant, purpose)
        resolved = self._resolver(filters.time_zone or datasource.time_zone)
        dates = _page_dates(dashboard, narrowed.filters, datasource, resolved)
        page = Page(
            datasource=datasource,
            schema=schema,
            organization=narrowed.filters.organization,
            practices=narrowed.filters.practices,
            providers=narrowed.filters.providers,
            where=narrowed.where,
            dates=dates,
        )

        def dates_of(chart: Chart) -> tuple[DateRange, DateRange | None]:
            own = dates
            if chart.dates is not None and datasource.roles.date is not None:
                own = resolved(chart.dates)
            if chart.comparison is None:
                return own, None
            return own, compared_range(own, chart.comparison)

        plan = plan_charts(dashboard, wanted, page, dates_of)
        answers = await self._ask(plan, grant, purpose)
        rendered = tuple(
            _rendered(chart, planned, answers, plan)
            for chart, planned in zip(wanted, plan.charts, strict=True)
        )
        return RenderedDashboard(
            id=dashboard.id,
            title=dashboard.title,
            description=dashboard.description,
            dates=dates,
            filters=narrowed.filters,
            dropped=narrowed.dropped,
            charts=rendered,
            meta=_meta_of_page(plan, answers, rendered, started),
        )

    def _resolver(self, zone: str) -> Callable[[str | DateRange], DateRange]:
        """What presets mean now, somewhere; days that stay are what they are."""
        now, place = self._clock(), time_zone(zone)

        def resolved(dates: str | DateRange) -> DateRange:
            if isinstance(dates, DateRange):
                return dates
            return resolve(dates, now, place, self._week_start)

        return resolved

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
        if isinstance(first, SourceError | Overloaded) and not any(
            isinstance(each, Result) for each in answers
        ):
            raise first
        return answers

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


def _page_dates(
    dashboard: Dashboard,
    filters: UniversalFilters,
    datasource: Datasource,
    resolved: Callable[[str | DateRange], DateRange],
) -> DateRange:
    if datasource.roles.date is None:
        return DateRange()
    if filters.start is not None or filters.end is not None:
        return DateRange(start=filters.start, end=filters.end)
    return resolved(filters.preset or dashboard.dates)


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


def _rendered(
    chart: Chart,
    planned: ChartPlan | WarmcubeError,
    answers: Sequence[Result | WarmcubeError],
    plan: Plan,
) -> RenderedChart:
    base = RenderedChart(
        id=chart.id,
        title=chart.title,
        type=chart.type,
        description=chart.description,
        format=chart.format,
        is_percent=chart.is_percent,
        drill=chart.drill,
        width=chart.width,
        height=chart.height,
    )
    if isinstance(planned, WarmcubeError):
        return replace(base, error=planned)
    started = time.perf_counter()
    results: dict[int, Result] = {}
    for place in planned.places:
        answer = answers[place]
        if isinstance(answer, WarmcubeError):
            return replace(base, error=answer)
        results[place] = answer
    try:
        found = assemble(planned, {place: each.table for place, each in results.items()})
    except WarmcubeError as error:
        return replace(base, error=error)
    took = (time.perf_counter() - started) * 1000
    took += sum(each.meta.timings.get("evaluate", 0.0) for each in results.values())
    labels = planned.labels
    return replace(
        base,
        column=None if labels is None else labels.column,
        column_type=None if labels is None else type_word(labels.type),
        dates=planned.dates,
        compared=planned.compared,
        facets=found.facets,
        change=found.change,
        progress=found.progress,
        hidden=found.hidden,
        notes=found.notes,
        meta=_meta(plan, results, took),
    )


def _meta(plan: Plan, results: Mapping[int, Result], ms: float) -> RenderMeta:
    """Where some answers come from, taken together."""
    metas = [each.meta for each in results.values()]
    if not metas:
        return RenderMeta(ms=ms)
    fetched: dict[tuple[object, object], int] = {}
    for place, each in results.items():
        query = plan.queries[place]
        partition = (query.measure, query.frequency)
        fetched[partition] = max(fetched.get(partition, 0), each.meta.rows_fetched)
    return RenderMeta(
        origin=max((each.origin for each in metas), key=_SLOWEST.index),
        snapshot=metas[0].snapshot,
        as_of=min((each.as_of for each in metas if each.as_of is not None), default=None),
        stale=any(each.stale for each in metas),
        rows_fetched=sum(fetched.values()),
        rows=sum(each.rows for each in metas),
        ms=ms,
    )


def _meta_of_page(
    plan: Plan,
    answers: Sequence[Result | WarmcubeError],
    charts: Sequence[RenderedChart],
    started: float,
) -> RenderMeta:
    results = {place: each for place, each in enumerate(answers) if isinstance(each, Result)}
    meta = _meta(plan, results, 0.0)
    return replace(
        meta,
        ms=(time.perf_counter() - started) * 1000,
        charts=len(charts),
        queries=len(plan.queries),
    )
