"""What the routes of pages share: who looks, how a page is sent, and errors as pages.

A route of a page is written like this::

    routes = APIRouter(route_class=page_route(site), include_in_schema=False)

    @routes.get("/explore")
    async def get_explore(request: Request, visit: Visit = Depends(site.visit)) -> Response:
        return site.page(request, "explore.html", visit.viewer, datasources=...)

`Site.visit` lets nobody in who isn't signed in: they are sent to the sign-in page, and come back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from warmcube.access.permissions import Action
from warmcube.authn.crosssite import csrf_token
from warmcube.authn.headers import cookies_named
from warmcube.authn.identity import Identity
from warmcube.authn.oidc import local_path
from warmcube.errors import InvalidQuery, Unauthenticated, WarmcubeError
from warmcube.service.context import Caller, Service
from warmcube.service.problems import Problem, problem_of
from warmcube.web.assets import Assets
from warmcube.web.policy import content_security_policy
from warmcube.web.templates import Templates
from warmcube.web.viewer import Viewer, links

__all__ = ["SIGN_IN_PATH", "Site", "Visit", "page_route"]

_LOG: Final = logging.getLogger("warmcube")

SIGN_IN_PATH: Final = "/sign-in"
_THEMES: Final = ("light", "dark")
_THEME_COOKIE: Final = "warmcube-theme"
_OPERATORS: Final = (
    Action.CACHE_READ,
    Action.CACHE_MANAGE,
    Action.DIRECTORY_READ,
    Action.DIRECTORY_MANAGE,
)
_TITLES: Final = {
    401: "Who are you?",
    403: "This page is for others",
    404: "There is no such page",
    429: "Too much at once",
    500: "Something broke",
    503: "Out of reach just now",
}
_OTHER_TITLE: Final = "That didn't work"
_NOTHING_TITLE: Final = "Nothing is open to you yet"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page by somebody who may see something here.

    Attributes:
        caller: who asks, and what they may.
        viewer: the same, as the page shows it.
    """

    caller: Caller
    viewer: Viewer


class Site:
    """The pages of one service.

    Args:
        service: what answers need.
        assets: what pages load.
    """

    def __init__(self, service: Service, assets: Assets) -> None:
        self.service: Final = service
        self.assets: Final = assets
        self._templates = Templates(assets)

    async def visit(self, request: Request) -> Visit:
        """Who asks for a page; a dependency of every page but the sign-in page.

        Raises:
            Unauthenticated: nobody knows.
            AccessDenied: they may nothing.
        """
        identity = await self.service.identify(request)
        # An error page shows who is signed in too.
        request.state.viewer = self._unknown(request, identity)
        caller = await self.service.caller(request)
        grant = caller.grant
        viewer = Viewer(
            user=identity.user,
            name=grant.user.name or identity.user,
            csrf_token=request.state.viewer.csrf_token,
            is_known=True,
            is_operator=any(grant.permits(action) for action in _OPERATORS),
        )
        request.state.viewer = viewer
        return Visit(caller, viewer)

    def page(
        self,
        request: Request,
        template: str,
        viewer: Viewer | None,
        *,
        status: int = 200,
        **values: Any,
    ) -> Response:
        """A page, under the strict policy; nobody keeps it.

        It isn't compressed: it holds a secret beside what its address says, and lengths would tell.

        Args:
            request: for it.
            template: its name.
            viewer: who looks; None for somebody who isn't signed in.
            status: of HTTP.
            values: what the template uses beside the shell's own.
        """
        path = request.url.path
        shell = {"viewer": viewer, "links": links(viewer, path), "theme": _theme(request)}
        return HTMLResponse(
            self._templates.render(template, {**shell, **values}),
            status_code=status,
            headers={
                "Content-Security-Policy": content_security_policy(),
                "Cache-Control": "no-store",
            },
        )

    def error_page(self, request: Request, problem: Problem) -> Response:
        """A problem in the shell of all pages, in words for people."""
        viewer: Viewer | None = getattr(request.state, "viewer", None)
        title = _TITLES.get(problem.status, _OTHER_TITLE)
        if problem.status == 403 and viewer is not None and not viewer.is_known:
            title = _NOTHING_TITLE
        response = self.page(
            request,
            "error.html",
            viewer,
            status=problem.status,
            title=title,
            detail=_sentence(problem.detail),
            problem_status=problem.status,
        )
        response.headers.update(problem.headers)
        return response

    def refused(self, request: Request, error: WarmcubeError) -> Response:
        """What a browser gets instead of a page: the sign-in page, or what went wrong."""
        request.state.problem = type(error).__name__
        if isinstance(error, Unauthenticated):
            request.state.problem += f" ({error.code})"
            if "authorization" not in request.headers:
                return RedirectResponse(_sign_in_for(request), status_code=303)
        problem = problem_of(error)
        if problem.status >= 500:
            _LOG.warning("%s: %s", type(error).__name__, error)
        return self.error_page(request, problem)

    async def missing(self, request: Request, error: HTTPException) -> Response:
        """The page where there is none; who is signed in keeps their navigation."""
        try:
            await self.visit(request)
        except WarmcubeError:
            _LOG.debug("nobody is known on a page that isn't there")
        request.state.problem = "HTTPException"
        detail = "Nothing is at this address. It may have been mistyped, or what was here is gone."
        return self.error_page(request, Problem(status=error.status_code, detail=detail))

    def _unknown(self, request: Request, identity: Identity) -> Viewer:
        token = ""
        if identity.method == "session" and self.service.sign_in is not None:
            session = self.service.sign_in.cookie.read(request.scope["headers"])
            token = csrf_token(session or "")
        return Viewer(
            user=identity.user,
            name=identity.user,
            csrf_token=token,
            is_known=False,
            is_operator=False,
        )


def page_route(site: Site) -> type[APIRoute]:
    """The class of routes whose errors become pages."""

    class PageRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_with_pages(request: Request) -> Response:
                try:
                    return await handle(request)
                except WarmcubeError as error:
                    return site.refused(request, error)
                except (HTTPException, ClientDisconnect):
                    raise
                except Exception as error:  # noqa: BLE001 - logged, and told like any other
                    _LOG.exception("a defect: %s", type(error).__name__)
                    detail = "the service failed; its log says why, under the request id"
                    return site.error_page(request, Problem(status=500, detail=detail))

            return handle_with_pages

    return PageRoute


def _sentence(text: str) -> str:
    """A message of the service's, which begins in lower case and ends without a full stop."""
    first = text[:1].upper() + text[1:]
    return first if first.endswith((".", "!", "?")) else f"{first}."


def _theme(request: Request) -> str | None:
    """The theme that a browser's user chose; None to follow the system."""
    chosen = cookies_named(request.scope["headers"], _THEME_COOKIE)
    return next((each for each in chosen if each in _THEMES), None)


def _sign_in_for(request: Request) -> str:
    """The sign-in page, and from there back to what was asked for."""
    wanted = quote(request.url.path)
    if request.url.query:
        wanted += f"?{request.url.query}"
    try:
        wanted = local_path(wanted)
    except InvalidQuery:
        wanted = "/"
    return SIGN_IN_PATH if wanted == "/" else f"{SIGN_IN_PATH}?{urlencode({'next': wanted})}"
