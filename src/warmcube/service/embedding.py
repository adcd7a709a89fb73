"""Dashboards in other sites: what may be embedded, and what is shown there.

What is shown has the rights that whoever embedded it has now, within the filters that they fixed
then. Whoever looks is nobody here: they learn neither whose rights these are, nor why they ended.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from warmcube.access.grant import Grant
from warmcube.audit.events import denial
from warmcube.audit.listed import listed_ids
from warmcube.audit.reasons import denial_reason
from warmcube.audit.request import Request
from warmcube.authn.embeds import Embed, Embeds
from warmcube.dashboard.definition import Dashboard, Drill
from warmcube.dashboard.embed import narrow_embedded
from warmcube.dashboard.filters import filters_of
from warmcube.dashboard.rendered import RenderedDashboard, UniversalFilters
from warmcube.errors import (
    AccessDenied,
    InvalidRequest,
    Unauthenticated,
    UnknownDashboard,
    UnknownDatasource,
    WarmcubeError,
)
from warmcube.service.context import Service

__all__ = ["check_fixed", "embed_request", "embeds_of", "view"]

ATTEMPTS: Final = 3
_OVER: Final = (
    "this embedded dashboard is over, or doesn't show this; open the page that it is embedded in "
    "again"
)


def embeds_of(service: Service) -> Embeds:
    """The embeds, in a service that runs.

    Raises:
        InvalidRequest: there are none.
    """
    if service.embeds is None:
        raise InvalidRequest("dashboards aren't embedded here", status=404)
    return service.embeds


def embed_request(dashboard: Dashboard | None, filters: UniversalFilters | None = None) -> Request:
    """What is asked for, for the audit."""
    filters = filters or UniversalFilters()
    return Request(
        action="embed",
        datasource=None if dashboard is None else dashboard.datasource,
        organization=filters.organization,
        practices=listed_ids(filters.practices),
        providers=listed_ids(filters.providers),
    )


async def check_fixed(
    service: Service, dashboard: Dashboard, filters: UniversalFilters, grant: Grant
) -> None:
    """That somebody may embed a dashboard with these filters; nothing is read for it.

    Raises:
        AccessDenied: they may not, or name what they may not see.
        InvalidQuery: a filter is wrong.
    """
    try:
        rendered = await service.renderer.render(dashboard, filters, grant, (), purpose="embed")
    except (AccessDenied, UnknownDatasource) as error:
        _note(service, error, grant.actor, grant.user.id, embed_request(dashboard, filters))
        raise
    if rendered.dropped:
        lost = rendered.dropped[0]
        raise AccessDenied(
            f"{lost.filter} {lost.value!r} is outside what you may embed; fix only what is yours",
            reason=f"{lost.filter.removesuffix('s')} outside the scope",
        )


async def view(
    service: Service,
    token: str,
    dashboard: str,
    read: Callable[[], Awaitable[tuple[UniversalFilters, Sequence[str] | None]]],
) -> tuple[Embed, RenderedDashboard]:
    """One look at an embedded dashboard.

    Token and rights are looked at before and after: an answer that took its time is given only
    where it would be now.

    Args:
        service: of the whole.
        token: as it came.
        dashboard: the id that is asked for.
        read: reads what the page asks for, once it is known that it may ask: how what is fixed
            is narrowed further, and which charts.

    Raises:
        Unauthenticated: the token stands for nothing, or no longer.
        AccessDenied: the rights that it had are gone, or something beyond them is asked for.
        InvalidQuery: something is asked for that can't be.
        StoreError: the store can't tell.
    """
    embed = await _use(service, token, dashboard)
    grant = await _grant(service, embed)
    asked, charts = await read()
    for _ in range(ATTEMPTS):
        rendered = await _render(service, embed, grant, asked, charts)
        await _use(service, token, dashboard)
        renewed = await _grant(service, embed)
        if renewed.version == grant.version:
            return embed, _without_more(rendered)
        grant = renewed
    raise AccessDenied(_OVER, reason="grant outdated")


async def _use(service: Service, token: str, dashboard: str) -> Embed:
    """What a token stands for; that it stands for nothing is audited."""
    try:
        return await embeds_of(service).use(token, dashboard)
    except Unauthenticated as error:
        _note(service, error, "service", None, embed_request(None))
        raise


async def _grant(service: Service, embed: Embed) -> Grant:
    """What whoever embedded it may do now."""
    try:
        return await service.cache.authorize(embed.user, actor=f"embed {embed.id}", anew=False)
    except AccessDenied as error:  # audited already
        raise AccessDenied(_OVER, reason=error.reason) from error


async def _render(
    service: Service,
    embed: Embed,
    grant: Grant,
    asked: UniversalFilters,
    charts: Sequence[str] | None,
) -> RenderedDashboard:
    dashboard: Dashboard | None = None
    fixed = filters_of(embed.filters)
    try:
        dashboard = await service.renderer.dashboard(embed.dashboard, grant)
        filters = narrow_embedded(fixed, asked, lambda each: grant.directory.subtree([each]))
        rendered = await service.renderer.render(dashboard, filters, grant, charts, purpose="embed")
    except (AccessDenied, UnknownDatasource, UnknownDashboard) as error:
        _note(service, error, grant.actor, grant.user.id, embed_request(dashboard, fixed))
        raise AccessDenied(_OVER, reason=str(denial_reason(error)[0])) from error
    if rendered.dropped:  # audited already; to go on without it would be to show something else
        raise AccessDenied(_OVER, reason=f"{rendered.dropped[0].filter} outside the scope")
    return rendered


def _without_more(rendered: RenderedDashboard) -> RenderedDashboard:
    """What is shown, without what it was narrowed by and where it leads to."""
    dated = UniversalFilters(
        preset=rendered.filters.preset,
        start=rendered.filters.start,
        end=rendered.filters.end,
        time_zone=rendered.filters.time_zone,
    )
    charts = tuple(replace(chart, drill=Drill()) for chart in rendered.charts)
    return replace(rendered, filters=dated, charts=charts)


def _note(
    service: Service, error: WarmcubeError, actor: str, subject: str | None, request: Request
) -> None:
    service.cache.note(denial(error, actor=actor, subject=subject, request=request))
