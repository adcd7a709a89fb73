"""``/embed/{dashboard}``: the page that other sites frame.

It is the same for everybody and every dashboard, and holds nothing of either. Its module finds the
token behind the ``#`` of its address, which a browser sends nowhere, and asks for the figures.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from warmcube.web.policy import content_security_policy
from warmcube.web.templates import Templates

__all__ = ["embed_pages"]


def embed_pages(templates: Templates, ancestors: Sequence[str]) -> APIRouter:
    """The page.

    Args:
        templates: of which it is one.
        ancestors: the origins whose pages may frame it.
    """
    routes = APIRouter(include_in_schema=False)
    page = templates.render("embed.html", {})
    headers = {
        "Content-Security-Policy": content_security_policy(ancestors),
        "Cache-Control": "no-store",
    }

    @routes.get("/embed/{dashboard}")
    async def get_embed(dashboard: str) -> Response:  # noqa: ARG001 - its module reads the address
        return HTMLResponse(page, headers=headers)

    return routes
