"""``/api/embeds`` and ``/api/embed``: dashboards in other sites.

A token of an embed counts on the two routes of its dashboard below ``/embed`` and ``/api/embed``,
and on no other; no cookie is read there, and no other token counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.permissions import Action
from warmcube.audit.events import EmbedMinted, EmbedRevoked
from warmcube.authn.bearer import token_of
from warmcube.authn.embed_token import LONGEST_LIFE
from warmcube.authn.embeds import Embed
from warmcube.dashboard.document import filters_document
from warmcube.dashboard.filters import filters_of
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import InvalidQuery, InvalidRequest
from warmcube.query.wording import shown
from warmcube.service.answers import json_response
from warmcube.service.context import Caller, Service
from warmcube.service.documents.embeds import EMBEDS, MINT, RENDER_EMBEDDED, REVOKE
from warmcube.service.embedding import check_fixed, embed_request, embeds_of, view
from warmcube.service.routes.dashboards import chart_ids, encode_rendered
from warmcube.service.routes.named import uncached_json
from warmcube.service.strict import body_json, fields_of, one_of, parameters

__all__ = ["embed_routes"]

_OTHERS: Final = (Action.CACHE_MANAGE, Action.DIRECTORY_MANAGE)
"""Either lets somebody see and revoke the embeds of others."""


def embed_routes(service: Service) -> APIRouter:
    """Tokens for those who embed, and figures for those who look."""
    routes = APIRouter(tags=["embeds"])
    _add_mint(routes, service)
    _add_embeds(routes, service)
    _add_render(routes, service)
    return routes


def _add_mint(routes: APIRouter, service: Service) -> None:
    limits = service.settings.limits

    @routes.post("/api/dashboards/{dashboard}/embed", **MINT)
    async def post_embed(
        request: Request,
        dashboard: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        grant = caller.grant
        found = await service.renderer.dashboard(dashboard, grant)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        given = fields_of(data, ("filters", "seconds"))
        filters, seconds = filters_of(given.get("filters")), _seconds(given.get("seconds"))
        await check_fixed(service, found, filters, grant)
        minted = await embeds_of(service).mint(
            grant.user.id, found.id, filters_document(filters), seconds
        )
        embed = minted.embed
        await service.cache.record(
            EmbedMinted(
                actor=grant.actor,
                subject=grant.user.id,
                embed=embed.id,
                dashboard=found.id,
                request=embed_request(found, filters),
                expires=_instant(embed.expires),
            )
        )
        path = f"/embed/{found.id}#token={minted.token}"
        return uncached_json(
            {
                "id": embed.id,
                "token": minted.token,
                "expires_at": _text(embed.expires),
                "url": (service.settings.service.public_url or "") + path,
            },
            201,
        )


def _add_embeds(routes: APIRouter, service: Service) -> None:
    @routes.get("/api/embeds", **EMBEDS)
    async def get_embeds(
        request: Request,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        given = parameters(request, ("everyone",)).get("everyone")
        everyone = one_of("everyone", given, ("true", "false"), "false") == "true"
        if everyone:
            service.cache.require(caller.grant, *_OTHERS)
        user = None if everyone else caller.grant.user.id
        found = await embeds_of(service).in_force(user)
        return uncached_json({"embeds": [_document(each) for each in found]})

    @routes.delete("/api/embeds/{embed}", **REVOKE)
    async def delete_embed(
        request: Request,
        embed: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        grant, embeds = caller.grant, embeds_of(service)
        found = await embeds.find(embed)
        is_theirs = found is not None and found.user == grant.user.id
        if found is None or not (is_theirs or any(map(grant.permits, _OTHERS))):
            raise InvalidRequest(
                "no embed of yours with this id counts; /api/embeds lists those that do",
                status=404,
            )
        await embeds.revoke(found)
        service.cache.note(
            EmbedRevoked(
                actor=caller.name, subject=found.user, embed=found.id, dashboard=found.dashboard
            )
        )
        return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _add_render(routes: APIRouter, service: Service) -> None:
    limits = service.settings.limits

    @routes.post("/api/embed/{dashboard}/render", **RENDER_EMBEDDED)
    async def post_render(request: Request, dashboard: str) -> Response:
        async def read() -> tuple[UniversalFilters, list[str] | None]:
            parameters(request)
            data = await body_json(request, most=limits.body, depth=limits.depth)
            given = fields_of(data, ("filters", "charts"))
            return filters_of(given.get("filters")), chart_ids(given.get("charts"))

        request.state.method = "embed"
        token = token_of(request.scope["headers"])
        embed, rendered = await view(service, token, dashboard, read)
        request.state.user = embed.user
        return await json_response(request, await encode_rendered(rendered, limits.answer))


def _seconds(given: Any) -> int:
    if given is None:
        return LONGEST_LIFE
    if type(given) is not int or not 1 <= given <= LONGEST_LIFE:
        raise InvalidQuery(
            f"seconds is {shown(given)}; expected a whole number from 1 to {LONGEST_LIFE}"
        )
    return given


def _document(embed: Embed) -> Mapping[str, Any]:
    return {
        "id": embed.id,
        "user": embed.user,
        "dashboard": embed.dashboard,
        "filters": embed.filters,
        "issued_at": _text(embed.issued),
        "expires_at": _text(embed.expires),
    }


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(seconds: int) -> str:
    return _instant(seconds).isoformat().replace("+00:00", "Z")
