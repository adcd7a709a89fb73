"""Dashboards in other sites: what may be embedded, and what is shown there.

What is shown has the rights that whoever embedded it has now, within the filters that they fixed
then. Whoever looks is nobody here: they learn neither whose rights these are, nor why they ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from warmcube.access.grant import Grant
from warmcube.audit.events import denial
from warmcube.audit.listed import listed_ids
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

__all__ = ["Viewing", "check_fixed", "embed_request", "embeds_of", "view"]

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


class Viewing:
    """One look at an embedded dashboard.

    Args:
        service: of the whole.
        token: as it came.
        dashboard: the id that is asked for.
    """

    def __init__(self, service: Service, token: str, dashboard: str) -> None:
        self._service = service
        self._token = token
        self._dashboard = dashboard

    async def embed(self) -> Embed:
        """What the token stands for, now.

        Raises:
            Unauthenticated: nothing, or no longer.
            StoreError: the store can't tell.
        """
        try:
            return await embeds_of(self._service).use(self._token, self._dashboard)
        except Unauthenticated as error:
            _note(self._service, error, "service", None, embed_request(None))
            raise
