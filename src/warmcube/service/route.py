"""A route that makes problem details of its own errors, whatever application it stands in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from warmcube.errors import WarmcubeError
from warmcube.service.problems import Problem, error_response, problem_response

__all__ = ["ProblemRoute"]


class ProblemRoute(APIRoute):
    """A route of the API. Other errors than warmcube's are the application's own to handle."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_with_problems(request: Request) -> Response:
            try:
                return await handle(request)
            except WarmcubeError as error:
                return error_response(request, error)
            except ClientDisconnect:
                return problem_response(Problem(status=400, detail="the request broke off"))

        return handle_with_problems
