"""``/api/admin/analytics/cache``: what the cache holds, and how well it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.observe.health import WEIGHTS
from warmcube.service.context import Caller, Service
from warmcube.service.documents.admin import HEALTH, INVALIDATE, STATS, STEER
from warmcube.service.routes.named import (
    PREFIX,
    datasource_in_body,
    datasources_in_url,
    one_datasource_in_body,
    uncached_json,
)
from warmcube.service.strict import body_json, fields_of, parameters, whole_number
from warmcube.warm.steer import Steered

__all__ = ["admin_routes"]


def admin_routes(service: Service) -> APIRouter:
    """What those may see and do who look after the cache: figures, never values of rows."""
    routes = APIRouter(tags=["cache"], prefix=PREFIX)
    cache, limits = service.cache, service.settings.limits

    @routes.get("/stats", **STATS)
    async def get_stats(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        wanted = datasources_in_url(service, parameters(request, ("datasource",)))
        return uncached_json({"datasources": [await cache.stats(each) for each in wanted]})

    @routes.get("/health", **HEALTH)
    async def get_health(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        text = parameters(request, ("datasource",)).get("datasource")
        found = await cache.health(None if text is None else whole_number("datasource", text))
        plain: dict[str, Any] = orjson.loads(orjson.dumps(found))
        return uncached_json({"weights": WEIGHTS, **plain})

    @routes.post("/invalidate", **INVALIDATE)
    async def post_invalidate(
        request: Request,
        caller: Caller = Depends(service.manager),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        wanted = datasource_in_body(service, fields_of(data, ("datasource",)))
        gone = [await cache.invalidate(each, caller.name) for each in wanted]
        return uncached_json({"invalidated": gone})

    for action, steer in (
        ("rollback", cache.rollback),
        ("unpin", cache.unpin),
        ("disable", cache.disable),
        ("enable", cache.enable),
    ):
        routes.add_api_route(
            f"/{action}", _steering(service, steer), methods=["POST"], **STEER[action]
        )
    return routes


def _steering(
    service: Service, steer: Callable[[int, str | None], Awaitable[Steered]]
) -> Callable[..., Awaitable[Response]]:
    """The route that steers the data source that a body names."""
    limits = service.settings.limits

    async def post(
        request: Request,
        caller: Caller = Depends(service.manager),  # noqa: B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        wanted = one_datasource_in_body(service, fields_of(data, ("datasource",)))
        return uncached_json({"steered": await steer(wanted, caller.name)})

    return post
