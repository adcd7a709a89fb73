"""``/dashboards`` and ``/dashboards/{id}``: the pages of dashboards."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.service.pages import Site, Visit, page_route

__all__ = ["dashboard_pages"]


def dashboard_pages(site: Site) -> APIRouter:
    """The list of what there is for whoever looks, and each dashboard."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)

    @routes.get("/dashboards")
    async def get_dashboards(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        return site.page(request, "dashboards.html", visit.viewer)

    @routes.get("/dashboards/{id}")
    async def get_dashboard(
        request: Request,
        id: str,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - likewise
    ) -> Response:
        return site.page(request, "dashboard.html", visit.viewer, dashboard=id)

    return routes
