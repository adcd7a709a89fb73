"""``/explore``: one query, its chart, its rows, and how it was answered."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.service.pages import Site, Visit, page_route

__all__ = ["explore_pages"]


def explore_pages(site: Site) -> APIRouter:
    """The page on which one asks freely."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)

    @routes.get("/explore")
    async def get_explore(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        return site.page(request, "explore.html", visit.viewer)

    return routes
