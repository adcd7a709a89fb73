"""The way of the one request that comes a thousand times a second, past all routing.

It does what the route of ``POST /api/query`` does, by the same functions. FastAPI's own way to it,
through its stacks and the solving of dependencies, costs several times what the rest of the service
adds to a query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from warmcube.errors import WarmcubeError
from warmcube.service.context import Service
from warmcube.service.routes.query import QUERY_PATH, answer_post

__all__ = ["DirectQueries"]

Refuse: TypeAlias = Callable[[Request, WarmcubeError], Awaitable[Response]]


class DirectQueries:
    """Answers ``POST /api/query``, and leaves all else to the application.

    Args:
        app: the application.
        service: what answers need.
        route: what documents the same, for whoever wants to know which route was taken.
        refuse: makes a response of an error.
    """

    def __init__(self, app: ASGIApp, service: Service, route: BaseRoute, refuse: Refuse) -> None:
        self._app = app
        self._service = service
        self._route = route
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] != QUERY_PATH
            or scope["method"] != "POST"
            or scope.get("root_path")
        ):
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        request = Request(scope, receive)
        try:
            caller = await self._service.caller(request)
            response = await answer_post(self._service, request, caller)
        except WarmcubeError as error:
            response = await self._refuse(request, error)
        except ClientDisconnect:  # nobody is there to be answered
            return
        await response(scope, receive, send)
