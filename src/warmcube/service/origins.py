"""Which pages of other origins may call the API from a browser (CORS)."""

from __future__ import annotations

from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ApiOrigins"]

_EMBEDDED: Final = ("/embed/", "/api/embed/")
"""A token that is embedded is for the page of its own here, whoever frames that."""


class ApiOrigins:
    """Answers other origins as configured, but for what is embedded, which none may call.

    Args:
        app: whose answers.
        options: of Starlette's ``CORSMiddleware``.
    """

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        self._app = app
        self._cors = CORSMiddleware(app, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_embedded = scope["type"] == "http" and scope["path"].startswith(_EMBEDDED)
        await (self._app if is_embedded else self._cors)(scope, receive, send)
