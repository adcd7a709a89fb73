"""Which pages of other origins may call the API from a browser (CORS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ApiOrigins"]

_EMBEDDED: Final = ("/embed/", "/api/embed/")
"""A token that is embedded is for the page of its own here, whoever frames that."""


class ApiOrigins:
    """Answers other origins as is configured, but for what is embedded, which none may call.

    Args:
        app: whose answers.
        origins: whose pages may call.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-CSRF-Token"],
            expose_headers=["ETag", "Warmcube-Meta", "X-Request-ID", "Retry-After"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_embedded = scope["type"] == "http" and scope["path"].startswith(_EMBEDDED)
        await (self._app if is_embedded else self._cors)(scope, receive, send)
