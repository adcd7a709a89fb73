"""The API inside an application that has an authentication of its own.

::

    from warmcube.fastapi import router

    cache = AnalyticsCache.from_config("warmcube.toml")
    app.include_router(router(cache, user=current_user), prefix="/analytics")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request

from warmcube.authn.identity import Identity
from warmcube.engine import AnalyticsCache
from warmcube.errors import Unauthenticated
from warmcube.service.context import Service
from warmcube.service.routes.listing import listing_routes
from warmcube.service.routes.query import query_routes

__all__ = ["router"]


def router(
    cache: AnalyticsCache, *, user: Callable[..., Any], actor: str = "embedded"
) -> APIRouter:
    """The service's routes for asking, with its strictness, limits and problem details.

    Those for warming and watching the cache aren't among them.

    Below the prefix, paths are the service's own (``/api/query``, ``/api/datasources``, …), so
    that `warmcube.client.Client` works with the prefix in its URL.

    Args:
        cache: is opened and closed with the application, unless it is open already.
        user: a dependency of the application that gives the id of the user who asks, as the
            directory has it; None if nobody is signed in. Like any dependency it may depend on
            others, and raise an ``HTTPException``, which is the application's own to handle.
        actor: who asks for the users, for the audit.
    """

    async def remember(request: Request, asking: Any = Depends(user)) -> None:  # noqa: B008 - so a closure says it
        request.state.warmcube_user = asking

    async def identify(request: Request) -> Identity:
        asking = request.state.warmcube_user
        if asking is None:
            raise Unauthenticated("nobody is signed in; sign in first")
        if not isinstance(asking, str) or not asking:
            raise TypeError(
                f"the dependency `user` gave a {type(asking).__name__}; warmcube.fastapi.router "
                "expects the user's id in the directory, a text, or None"
            )
        return Identity(user=asking, actor=actor, method="embedded")

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        if cache.is_open:
            yield
            return
        async with cache:
            yield

    service = Service(cache.settings, identify, cache)
    routes = APIRouter(dependencies=[Depends(remember)], lifespan=lifespan)
    for make in (query_routes, listing_routes):
        routes.include_router(make(service))
    return routes
