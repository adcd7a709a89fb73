"""``/admin``: the cache and its users, for those who look after them."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.permissions import Action, ScopeKind
from warmcube.service.pages import Site, Visit, page_route

__all__ = ["admin_pages"]

_CACHE = (Action.CACHE_READ, Action.CACHE_MANAGE)
_DIRECTORY = (Action.DIRECTORY_READ, Action.DIRECTORY_MANAGE)


def admin_pages(site: Site) -> APIRouter:
    """The page of operators; for others it is an error page that says so."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)
    cache = site.service.cache

    @routes.get("/admin")
    async def get_admin(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        grant = visit.caller.grant
        cache.require(grant, *_CACHE, *_DIRECTORY)
        may_read = any(map(grant.permits, _CACHE))
        data = {
            "may_read": may_read,
            "may_manage": grant.permits(Action.CACHE_MANAGE),
            "may_read_directory": any(map(grant.permits, _DIRECTORY)),
            "may_read_rows": any(
                (right.permission.action, right.permission.scope) == (Action.READ, ScopeKind.ALL)
                for right in grant.rights
            ),
            "kept_days": cache.sampler.days,
            "datasources": [
                {
                    "id": each.id,
                    "name": each.name,
                    "has_practice": each.roles.practice is not None,
                    "has_provider": each.roles.provider is not None,
                }
                for each in cache.datasources
                if may_read
            ],
        }
        return site.page(request, "admin.html", visit.viewer, data=data)

    return routes
