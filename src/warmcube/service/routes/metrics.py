"""``/metrics``, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from warmcube.service.context import Service
from warmcube.service.metrics_door import MetricsDoor

__all__ = ["metrics_routes"]


def metrics_routes(service: Service) -> APIRouter:
    """The figures of all processes of this service, for those whom the configuration lets in.

    For others there is nothing here.

    Raises:
        ConfigError: the file of the token can't be used.
    """
    routes = APIRouter(include_in_schema=False)
    door = MetricsDoor(service.settings)

    @routes.get("/metrics")
    async def get_metrics(request: Request) -> Response:
        headers = request.scope["headers"]
        metrics = service.cache.metrics
        client = None if request.client is None else request.client.host
        if metrics is None or not door.is_shown(client, headers):
            raise HTTPException(404)
        door.check(headers)
        text, media_type = await metrics.exposition(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type, "Cache-Control": "no-store"})

    return routes
