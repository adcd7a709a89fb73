"""``/healthz`` and ``/readyz``: for whoever starts, restarts and balances processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from warmcube.readiness import Part
from warmcube.service.context import Service

__all__ = ["probe_routes"]

_DRAINING = Part("service", is_ready=False, why="it is shutting down")


def probe_routes(service: Service) -> APIRouter:
    """Whether the process lives, and whether it can answer; for anybody."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    async def get_health() -> Response:
        return _told({"alive": True})

    @routes.get("/readyz")
    async def get_readiness() -> Response:
        if service.is_draining:
            return _parts([_DRAINING])
        return _parts(await service.cache.readiness.parts())

    return routes


def _parts(parts: Iterable[Part]) -> Response:
    told = {part.name: {"ready": part.is_ready, "why": part.why} for part in parts}
    is_ready = all(part["ready"] for part in told.values())
    return _told({"ready": is_ready, "parts": told}, status=200 if is_ready else 503)


def _told(what: Any, status: int = 200) -> Response:
    return Response(
        orjson.dumps(what),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
