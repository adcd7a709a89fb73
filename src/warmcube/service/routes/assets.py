"""``/static``: what pages load."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from warmcube.service.encodings import chosen
from warmcube.web.assets import PREFIX, Assets

__all__ = ["asset_routes"]

_FOR_EVER: Final = "public, max-age=31536000, immutable"


def asset_routes(assets: Assets) -> APIRouter:
    """Styles and modules, for anybody: they hold nothing of anybody's."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(f"{PREFIX}/{{version}}/{{name}}")
    async def get_asset(request: Request, version: str, name: str) -> Response:
        asset = assets.find(version, name)
        if asset is None:
            raise HTTPException(404)
        data, coding = await asset.encoded(chosen(request.headers.get("accept-encoding")))
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept-Encoding"}
        if coding != "identity":
            headers["Content-Encoding"] = coding
        return Response(data, headers={**headers, "Content-Type": asset.media_type})

    return routes
