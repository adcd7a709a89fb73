"""The application that ``warmcube serve`` runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from warmcube.authn.bearer import BearerTokens
from warmcube.authn.connect import open_bearer_tokens, require_authentication
from warmcube.authn.embeds import open_embeds
from warmcube.authn.identity import Identity
from warmcube.authn.sign_in import open_sign_in
from warmcube.config import Settings
from warmcube.dashboard.render import Dashboards
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.service.context import Identify, Service
from warmcube.service.defects import DefectProblems
from warmcube.service.direct import DirectQueries
from warmcube.service.documents.document import VERSION, describe
from warmcube.service.figures import keep_figures
from warmcube.service.headers import SecurityHeaders
from warmcube.service.metrics_port import serve_metrics
from warmcube.service.observing import Observation, RequestObserver, observe
from warmcube.service.origins import ApiOrigins
from warmcube.service.pages import Site
from warmcube.service.problems import Problem, error_response, problem_of, problem_response
from warmcube.service.repairing import keep_repaired
from warmcube.service.routes.admin import admin_routes
from warmcube.service.routes.assets import asset_routes
from warmcube.service.routes.dashboards import dashboard_routes
from warmcube.service.routes.embeds import embed_routes
from warmcube.service.routes.inspecting import inspecting_routes
from warmcube.service.routes.listing import listing_routes
from warmcube.service.routes.metrics import metrics_routes
from warmcube.service.routes.oversight import oversight_routes
from warmcube.service.routes.pages import entrance_routes
from warmcube.service.routes.pages_admin import admin_pages
from warmcube.service.routes.pages_dashboards import dashboard_pages
from warmcube.service.routes.pages_embed import embed_pages
from warmcube.service.routes.pages_explore import explore_pages
from warmcube.service.routes.probes import probe_routes
from warmcube.service.routes.query import QUERY_PATH, query_routes
from warmcube.service.routes.session import session_routes
from warmcube.service.routes.verifying import verifying_routes
from warmcube.service.routes.warming import warming_routes
from warmcube.store.paced import ServingStore
from warmcube.web.assets import PREFIX, Assets
from warmcube.web.templates import Templates

__all__ = ["add_problem_handlers", "api_routes", "by_token", "create_app"]

_DETAILS: Final = {
    404: "there is nothing at this path; /api/openapi.json lists what there is",
    405: "this path has no such method; /api/openapi.json lists those it has",
}


_SIGN_IN_WAY: Final = "/api/session/oidc"
"""To the identity provider and back: the one part of the API through which people themselves go."""


def create_app(
    settings: Settings,
    identify: Identify | None = None,
    *,
    processes: int = 1,
    metrics_folder: Path | None = None,
    access_log: int | None = None,
    dashboards: Dashboards | None = None,
) -> FastAPI:
    """An application with an engine of its own.

    Args:
        settings: the configuration.
        identify: finds out who sends a request without a session; None for the bearer tokens that
            the configuration speaks of.
        processes: how many processes like this one are behind the port; they share the database.
        metrics_folder: where the processes of one service share their figures; private.
        access_log: the descriptor that a line goes to for each request; None for none.
        dashboards: the definitions of dashboards; None for those of the configured folder.

    Raises:
        ConfigError: nobody could prove who they are, the keys for that can't be used, or what is
            configured for metrics can't be.
    """
    cache = AnalyticsCache(
        settings, actor="service", processes=processes, metrics_folder=metrics_folder
    )
    observation = Observation()
    tokens: BearerTokens | None = None
    if identify is None:
        require_authentication(settings)
        tokens = open_bearer_tokens(settings)
        identify = by_token(tokens)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if tokens is not None:
                stack.push_async_callback(tokens.close)
            await stack.enter_async_context(cache)
            service.sign_in = open_sign_in(settings, ServingStore(cache.store))
            if service.sign_in is not None:
                stack.push_async_callback(service.sign_in.close)
            service.embeds = open_embeds(settings, ServingStore(cache.store))
            await stack.enter_async_context(observe(observation, cache.metrics, access_log))
            await stack.enter_async_context(serve_metrics(cache))
            await stack.enter_async_context(keep_figures(cache.sampler))
            stack.push_async_callback(service.close)
            await stack.enter_async_context(keep_repaired(cache, service.warming))
            yield

    app = FastAPI(
        title="warmcube",
        version=VERSION,
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    service = Service(settings, identify, cache, dashboards)
    app.state.service = service
    routers = tuple(api_routes(service))
    for routes in routers:
        app.include_router(routes)
    add_pages(app, service)
    for more in (probe_routes(service), metrics_routes(service)):
        app.include_router(more)
    add_problem_handlers(app)
    describe(app)
    posted = next(each for routes in routers for each in routes.routes if _is_query(each))
    app.add_middleware(DirectQueries, service=service, route=posted, refuse=_warmcube_error)
    app.add_middleware(DefectProblems)
    section = settings.service
    if section.cors_origins:
        app.add_middleware(ApiOrigins, origins=section.cors_origins)
    public = section.public_url
    app.add_middleware(
        SecurityHeaders, is_secure=public is not None and public.startswith("https://")
    )
    app.add_middleware(RequestObserver, observation=observation)
    return app


def by_token(tokens: BearerTokens) -> Identify:
    """Finds out who sends a request by its bearer token."""

    async def identify(request: Request) -> Identity:
        return await tokens.authenticate(request.scope["headers"])

    return identify


def _is_query(route: BaseRoute) -> bool:
    return (
        isinstance(route, APIRoute) and route.path == QUERY_PATH and "POST" in (route.methods or ())
    )


def api_routes(service: Service) -> Iterable[APIRouter]:
    """The routes that need nothing but an engine and a caller."""
    return (
        query_routes(service),
        listing_routes(service),
        dashboard_routes(service),
        admin_routes(service),
        warming_routes(service),
        verifying_routes(service),
        inspecting_routes(service),
        oversight_routes(service),
    )


def add_pages(app: FastAPI, service: Service) -> None:
    """What is for browsers: pages where people can sign in, and the one that other sites frame."""
    auth = service.settings.auth
    has_site = service.settings.has_sign_in
    if not has_site and auth.embed is None:
        return
    assets = Assets()
    app.include_router(asset_routes(assets))
    if auth.embed is not None:
        app.include_router(embed_routes(service))
        ancestors = service.settings.service.frame_ancestors
        app.include_router(embed_pages(Templates(assets), ancestors))
    if has_site:
        _add_site(app, service, assets)


def _add_site(app: FastAPI, service: Service, assets: Assets) -> None:
    app.include_router(session_routes(service))
    site = Site(service, assets)
    app.state.site = site
    for pages in (entrance_routes, dashboard_pages, explore_pages, admin_pages):
        app.include_router(pages(site))


def add_problem_handlers(app: FastAPI) -> None:
    """Make problem details of every error."""
    handlers: dict[type[Exception], Callable[[Request, Any], Any]] = {
        WarmcubeError: _warmcube_error,
        HTTPException: _http_error,
        ClientDisconnect: _gone,
    }
    for kind, handle in handlers.items():
        app.add_exception_handler(kind, handle)


async def _warmcube_error(request: Request, error: WarmcubeError) -> Response:
    response = error_response(request, error)
    site: Site | None = getattr(request.app.state, "site", None)
    if site is not None and _is_for_a_person(request):  # whom the identity provider sent here
        return site.error_page(request, problem_of(error))
    return response


async def _http_error(request: Request, error: HTTPException) -> Response:
    site: Site | None = getattr(request.app.state, "site", None)
    if site is not None and error.status_code == 404 and _is_for_a_person(request):
        return await site.missing(request, error)
    detail = _DETAILS.get(error.status_code, "the request can't be served")
    headers = dict(error.headers or {})
    request.state.problem = "HTTPException"
    return problem_response(Problem(status=error.status_code, detail=detail, headers=headers))


def _is_for_a_person(request: Request) -> bool:
    """Whether a browser shows what it gets to somebody, rather than a module or a program."""
    path = request.url.path
    is_program = path.startswith(("/api/", f"{PREFIX}/")) and not path.startswith(_SIGN_IN_WAY)
    is_shown = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and is_shown and not is_program


async def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    return problem_response(Problem(status=400, detail="the request broke off"))
