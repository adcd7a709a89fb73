"""The way into the pages: ``/`` and ``/sign-in``."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from warmcube.authn.oidc import local_path
from warmcube.errors import InvalidQuery, Unauthenticated
from warmcube.service.pages import SIGN_IN_PATH, Site, page_route

__all__ = ["entrance_routes"]


def entrance_routes(site: Site) -> APIRouter:
    """Where people come in; nobody has to be known here."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)
    auth = site.service.settings.auth

    @routes.get("/")
    async def get_start() -> Response:
        return RedirectResponse("/dashboards", status_code=303)

    @routes.get(SIGN_IN_PATH)
    async def get_sign_in(request: Request) -> Response:
        wanted = _wanted(request)
        if await _is_signed_in(site, request):
            return RedirectResponse(wanted, status_code=303)
        return site.page(
            request,
            "sign-in.html",
            None,
            next=wanted,
            has_passwords=auth.local is not None,
            has_provider=auth.oidc is not None,
        )

    return routes


def _wanted(request: Request) -> str:
    """Where to go after signing in; what may lead elsewhere, or is the sign-in page, isn't gone to.

    A link that somebody made wrong is no reason to keep people out.
    """
    try:
        wanted = local_path(request.query_params.get("next"))
    except InvalidQuery:
        return "/"
    return "/" if wanted.startswith(SIGN_IN_PATH) else wanted


async def _is_signed_in(site: Site, request: Request) -> bool:
    """Whether a browser has a session; tokens don't count where people sign in."""
    parts = site.service.sign_in
    if parts is None:  # pragma: no cover - these routes are there where people can sign in
        return False
    try:
        await parts.authenticator.authenticate(request.method, request.scope["headers"])
    except Unauthenticated:
        return False
    return True
