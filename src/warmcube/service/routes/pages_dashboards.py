"""``/dashboards`` and ``/dashboards/{dashboard}``: the pages of dashboards.

The first figures come in the page itself, so that one navigation is one round trip.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.permissions import Action
from warmcube.dashboard.definition import Dashboard
from warmcube.dashboard.document import rendered_json
from warmcube.dashboard.filters import filters_of
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import InvalidQuery, Overloaded, QueryTimeout, SourceError, WarmcubeError
from warmcube.service.context import Caller, Service
from warmcube.service.pages import Site, Visit, page_route
from warmcube.service.problems import problem_of
from warmcube.web.address import filters_in

__all__ = ["dashboard_pages"]

_ZONE_COOKIE: Final = "warmcube-zone"
_NOTHING: Final = b"null"
_ESCAPED: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))
"""What might end a script element; in JSON it stands only inside of texts."""


def dashboard_pages(site: Site) -> APIRouter:
    """The list of what there is for whoever looks, and each dashboard."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)
    service = site.service

    @routes.get("/dashboards")
    async def get_dashboards(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        found = await service.renderer.dashboards(visit.caller.grant)
        return site.page(
            request,
            "dashboards.html",
            visit.viewer,
            dashboards=found,
            sources={each.id: each.name for each in service.cache.datasources},
        )

    @routes.get("/dashboards/{dashboard}")
    async def get_dashboard(
        request: Request,
        dashboard: str,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - likewise
    ) -> Response:
        caller = visit.caller
        found = await service.renderer.dashboard(dashboard, caller.grant)
        definition, (rendered, trouble) = await asyncio.gather(
            _described(service, found, caller), _rendered(service, request, found, caller)
        )
        data = {
            "dashboard": definition,
            "trouble": None if trouble is None else problem_of(trouble).as_json(),
            "may_export": any(
                right.permission.action is Action.EXPORT for right in caller.grant.rights
            ),
        }
        return site.page(
            request,
            "dashboard.html",
            visit.viewer,
            dashboard=found,
            data=_inline(orjson.dumps(data)),
            rendered=_inline(rendered),
        )

    return routes


async def _described(service: Service, dashboard: Dashboard, caller: Caller) -> Any:
    """The definition; without what the filter bar offers where nothing can be told of the table."""
    try:
        return await service.renderer.describe(dashboard, caller.grant)
    except (SourceError, Overloaded, QueryTimeout):
        return {"id": dashboard.id, "datasource": dashboard.datasource, "offers": None}


async def _rendered(
    service: Service, request: Request, dashboard: Dashboard, caller: Caller
) -> tuple[bytes, WarmcubeError | None]:
    """The figures that an address asks for, and what couldn't be done about it.

    Filters that can't be used are left out, all of them: what is shown then is what the dashboard
    shows by itself, never something in between. Where there are no figures at all, the page says
    so, and can try again.
    """
    given = filters_in(request.query_params.multi_items())
    zone = _zone(request)
    trouble: WarmcubeError | None = None
    try:
        try:
            filters = filters_of({**given, "time_zone": zone})
            rendered = await service.renderer.render(dashboard, filters, caller.grant)
        except InvalidQuery as error:
            if not given:
                raise
            trouble = error
            filters = UniversalFilters(time_zone=zone)
            rendered = await service.renderer.render(dashboard, filters, caller.grant)
    except (SourceError, Overloaded, QueryTimeout) as error:
        return _NOTHING, error
    return await asyncio.to_thread(rendered_json, rendered, _problem), trouble


def _zone(request: Request) -> str | None:
    """The viewer's time zone as their page has told it before; None if it is no such thing."""
    zone = request.cookies.get(_ZONE_COOKIE)
    try:
        return filters_of({"time_zone": zone}).time_zone
    except InvalidQuery:
        return None


def _problem(error: WarmcubeError) -> dict[str, Any]:
    return problem_of(error).as_json()


def _inline(json: bytes) -> Markup:
    """JSON as the text of a script element."""
    for character, escaped in _ESCAPED:
        json = json.replace(character, escaped)
    return Markup(json.decode())  # noqa: S704 - nothing that is markup is left in it
