"""What nobody foresaw, as a problem like any other, under the same headers."""

from __future__ import annotations

import logging
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmcube.service.problems import Problem, problem_response

__all__ = ["BrokenOff", "DefectProblems"]

_LOG: Final = logging.getLogger("warmcube")


class BrokenOff(Exception):
    """An answer that has begun can't go on: its connection has to break."""


class DefectProblems:
    """Answers 500 where the application raised, and logs what.

    An answer that has begun can't be mended: then the connection breaks, so that nobody takes what
    came for the whole.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except BrokenOff:
            raise
        except Exception as error:
            _LOG.exception("a defect: %s", type(error).__name__)
            if has_begun:
                raise
            detail = "the service failed; its log says why, under the request id"
            await problem_response(Problem(status=500, detail=detail))(scope, receive, send)
