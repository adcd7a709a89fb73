"""``/admin``: the cache, for those who look after it."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.permissions import Action
from warmcube.service.pages import Site, Visit, page_route

__all__ = ["admin_pages"]


def admin_pages(site: Site) -> APIRouter:
    """The page of operators; for others it is an error page that says so."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)

    @routes.get("/admin")
    async def get_admin(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        site.service.cache.require(
            visit.caller.grant, Action.CACHE_READ, Action.CACHE_MANAGE, Action.DIRECTORY_READ
        )
        return site.page(request, "admin.html", visit.viewer)

    return routes
