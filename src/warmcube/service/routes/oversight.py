"""``/api/admin/directory``: the users, and what each may see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.service.context import Caller, Service
from warmcube.service.documents.oversight import ACCESS, DEFECTS, ORGANIZATIONS, USERS
from warmcube.service.routes.named import uncached_json
from warmcube.service.strict import parameters

__all__ = ["oversight_routes"]

_PREFIX: Final = "/api/admin/directory"


def oversight_routes(service: Service) -> APIRouter:
    """For those who look after the users."""
    routes = APIRouter(tags=["directory"], prefix=_PREFIX)
    cache = service.cache

    @routes.get("/organizations", **ORGANIZATIONS)
    async def get_all_organizations(
        request: Request,
        caller: Caller = Depends(service.overseer),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        return uncached_json({"organizations": await cache.oversight.organizations(caller.grant)})

    @routes.get("/users", **USERS)
    async def get_users(
        request: Request,
        caller: Caller = Depends(service.overseer),  # noqa: FAST002, B008
    ) -> Response:
        given = parameters(request, ("search", "organization", "after"))
        found = await cache.oversight.users(
            caller.grant,
            search=given.get("search", ""),
            organization=given.get("organization"),
            after=given.get("after", ""),
        )
        return uncached_json(
            {"users": found.users, "total": found.total, "following": found.following}
        )

    @routes.get("/users/{user}/access", **ACCESS)
    async def get_access(
        request: Request,
        user: str,
        caller: Caller = Depends(service.overseer),  # noqa: FAST002, B008
    ) -> Response:
        given = parameters(request, ("organization",))
        found = await cache.oversight.explain(caller.grant, user, given.get("organization"))
        denied = {"reason": found.reason, "message": found.message}
        return uncached_json(
            {
                "user": found.user,
                "denied": None if found.access is not None else denied,
                "access": None if found.access is None else found.access.as_json(),
            }
        )

    @routes.get("/defects", **DEFECTS)
    async def get_defects(
        request: Request,
        caller: Caller = Depends(service.overseer),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await cache.oversight.findings(caller.grant)
        return uncached_json({"findings": [asdict(each) for each in found]})

    return routes
