"""``/api/session``: signing in and out, for browsers."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.audit.events import SignedIn, SignedOut, denial
from warmcube.audit.request import Request as Audited
from warmcube.authn.crosssite import csrf_token
from warmcube.authn.identity import Identity
from warmcube.authn.oidc import LOGIN_SECONDS, OidcLogin, local_path
from warmcube.authn.sessions import SignedInBy
from warmcube.authn.sign_in import SignIn
from warmcube.errors import (
    InvalidQuery,
    InvalidRequest,
    TooManyAttempts,
    Unauthenticated,
    WarmcubeError,
)
from warmcube.service.context import Service
from warmcube.service.documents.session import OIDC, OIDC_CALLBACK, SIGN_IN, SIGN_OUT, WHO
from warmcube.service.strict import body_json, one_of, parameters

__all__ = ["session_routes"]

_FIELDS: Final = ("user", "password")
_BODY: Final = 16_384
"""Bytes of a body that is read before anybody is known."""
_ANSWER: Final = ("state", "code", "error", "iss")


def session_routes(service: Service) -> APIRouter:
    """Who is signed in, and how to be, or be no more."""
    routes = APIRouter(tags=["session"])
    _add_password(routes, service)
    _add_session(routes, service)
    _add_provider(routes, service)
    return routes


def _add_password(routes: APIRouter, service: Service) -> None:
    limits = service.settings.limits

    @routes.post("/api/session", **SIGN_IN)
    async def post_session(request: Request) -> Response:
        parts = _parts(service)
        if parts.local is None:
            raise InvalidRequest(
                "no passwords are kept here; sign in at /api/session/oidc", status=404
            )
        parts.guard.check_origin(request.scope["headers"])
        parameters(request)
        data = await body_json(request, most=_BODY, depth=limits.depth, bound="a sign-in's bound")
        user, password = _credentials(data)
        try:
            await parts.local.check(user, password, _address(request))
        except (Unauthenticated, TooManyAttempts) as error:
            # What isn't a user's name may be a password in the wrong field.
            known = user if await parts.local.has(user) else None
            _note_refusal(service, error, known)
            raise
        token = await _begin(service, request, user, "password")
        return _json(
            {"user": user, "method": "session", "csrf_token": csrf_token(token)},
            _kept(parts, token),
        )


def _add_session(routes: APIRouter, service: Service) -> None:
    @routes.get("/api/session", **WHO)
    async def get_session(
        request: Request,
        identity: Identity = Depends(service.identify),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        known = {"user": identity.user, "method": identity.method, "csrf_token": None}
        if identity.method == "session":
            token = _parts(service).cookie.read(request.scope["headers"]) or ""
            known["csrf_token"] = csrf_token(token)
        return _json(known)

    @routes.delete("/api/session", **SIGN_OUT)
    async def delete_session(request: Request) -> Response:
        given = parameters(request, ("everywhere",)).get("everywhere")
        everywhere = one_of("everywhere", given, ("true", "false"), "false") == "true"
        if "authorization" in request.headers:
            raise InvalidQuery(
                "a bearer token can't be signed out, it ends by itself; send the cookie alone"
            )
        parts = _parts(service)
        token, session = await parts.authenticator.session(request.method, request.scope["headers"])
        if everywhere:
            ended = await parts.sessions.end_all(session.user)
        else:
            await parts.sessions.end(token)
            ended = 1
        service.cache.note(SignedOut(actor=session.user, subject=session.user, sessions=ended))
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        response.headers.append("Set-Cookie", parts.cookie.clear())
        return response


def _add_provider(routes: APIRouter, service: Service) -> None:
    @routes.get("/api/session/oidc", **OIDC)
    async def get_oidc(request: Request) -> Response:
        path = local_path(parameters(request, ("next",)).get("next"))
        parts = _parts(service)
        started = await _provider(parts).start(path, _address(request))
        return _redirect(started.url, parts.login_cookie.put(started.browser, LOGIN_SECONDS))

    @routes.get("/api/session/oidc/callback", **OIDC_CALLBACK)
    async def get_oidc_callback(request: Request) -> Response:
        parts = _parts(service)
        browser = parts.login_cookie.read(request.scope["headers"])
        try:
            returned = await _provider(parts).finish(_answer(request), browser, _address(request))
        except Unauthenticated as error:
            _note_refusal(service, error, None)
            raise
        token = await _begin(service, request, returned.user, "oidc")
        return _redirect(returned.path, parts.login_cookie.clear(), _kept(parts, token))


def _parts(service: Service) -> SignIn:
    if service.sign_in is None:
        raise InvalidRequest("nobody can sign in here", status=404)
    return service.sign_in


def _provider(parts: SignIn) -> OidcLogin:
    if parts.oidc is None:
        raise InvalidRequest(
            "there is no identity provider here; sign in with POST /api/session", status=404
        )
    return parts.oidc


def _credentials(data: Any) -> tuple[str, str]:
    """The user and the password in a request; no message repeats what was sent."""
    if not isinstance(data, dict) or set(data) != set(_FIELDS):
        raise InvalidQuery("expected an object with the fields user and password, and no others")
    user, password = data["user"], data["password"]
    if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
        raise InvalidQuery("expected texts that aren't empty as user and password")
    return user, password


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _answer(request: Request) -> dict[str, str]:
    """What the provider sent the browser back with; what else it added doesn't matter."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in _ANSWER:
            if name in found:
                raise InvalidQuery(f"the parameter {name} is given twice; sign in again")
            found[name] = value
    return found


def _note_refusal(service: Service, error: WarmcubeError, user: str | None) -> None:
    service.cache.note(
        denial(error, actor="service", subject=user, request=Audited(action="sign_in"))
    )


async def _begin(service: Service, request: Request, user: str, by: SignedInBy) -> str:
    """A new session; the one that the browser may have had before is over."""
    parts = _parts(service)
    try:
        before = parts.cookie.read(request.scope["headers"])
    except Unauthenticated:  # several, of which none will count any more
        before = None
    token = await parts.sessions.begin(user, by)
    if before is not None:
        await parts.sessions.end(before)
    service.cache.note(SignedIn(actor="service", subject=user, by=by))
    return token


def _kept(parts: SignIn, token: str) -> str:
    return parts.cookie.put(token, parts.sessions.life)


def _json(what: dict[str, Any], *cookies: str) -> Response:
    response = Response(orjson.dumps(what), media_type="application/json")
    return _with(response, cookies)


def _redirect(url: str, *cookies: str) -> Response:
    return _with(Response(status_code=303, headers={"Location": url}), cookies)


def _with(response: Response, cookies: tuple[str, ...]) -> Response:
    response.headers["Cache-Control"] = "no-store"
    for cookie in cookies:
        response.headers.append("Set-Cookie", cookie)
    return response
