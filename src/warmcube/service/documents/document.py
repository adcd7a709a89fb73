"""The OpenAPI document as a whole.

Requests are read by our own strict parsers, so the modules beside this one, a module per resource
like `warmcube.service.routes`, tell FastAPI what they accept.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

__all__ = ["VERSION", "describe"]

VERSION: Final = "1.0.0"
"""Of the API; its first number changes when a client that was right may go wrong."""

_ABOUT: Final = """\
Whole tables of measures, answered for each caller with exactly the rows that they may see.

Only an absent field or a null means "not given": `[]` is an empty list and stays one. What isn't
known, stands twice or would have to be guessed is an error. Every error is problem details
(RFC 9457); its `type` says which kind it is.
"""
_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "a token of one of the configured issuers",
    },
    "embed": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "a token of `/api/dashboards/{dashboard}/embed`, for that dashboard alone",
    },
}


def describe(app: FastAPI) -> None:
    """Give an application its document: FastAPI's, with what FastAPI can't know."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=_ABOUT, routes=app.routes
            )
            made.setdefault("components", {})["securitySchemes"] = _SCHEMES
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
