"""``/api/query``: one question, or many in one read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import InvalidQuery
from warmcube.model.request import Query
from warmcube.query.parse import query_from_dict
from warmcube.query.result import Result
from warmcube.service.answers import answer, tagged_answer
from warmcube.service.context import Caller, Service
from warmcube.service.documents import QUERY, QUERY_GET
from warmcube.service.downloads import download
from warmcube.service.forms import FORM_FIELDS, Form, form_of
from warmcube.service.route import ProblemRoute
from warmcube.service.strict import body_json, parameters, parse_body

__all__ = ["query_routes", "wanted"]


def query_routes(service: Service) -> APIRouter:
    """Questions by POST, and by GET for whoever keeps answers."""
    routes = APIRouter(tags=["query"], route_class=ProblemRoute)
    limits = service.settings.limits

    @routes.post("/api/query", **QUERY)
    async def post_query(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008 - a closure's annotations can't be resolved
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        query, form = wanted(data)
        if form.is_file:
            return await download(service, caller, query, form)
        return await answer(service, request, await _ask(caller, query), form)

    @routes.get("/api/query", **QUERY_GET)
    async def get_query(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008
        text = parameters(request, ("q",)).get("q")
        if text is None:
            raise InvalidQuery("the parameter q is missing; give the query as JSON in it")
        query, form = wanted(parse_body(text.encode(errors="surrogateescape"), limits.depth))
        if form.is_file:
            return await download(service, caller, query, form)
        return await tagged_answer(service, request, await _ask(caller, query), form)

    async def _ask(caller: Caller, query: Query) -> Result:
        return await service.cache.query(query, caller.grant)

    return routes


def wanted(data: Any) -> tuple[Query, Form]:
    """The query and the form in a request's object, whose fields stand side by side.

    Raises:
        InvalidQuery: they can't be read.
    """
    if not isinstance(data, Mapping):
        return query_from_dict(data), Form()
    form = form_of(data)
    return query_from_dict({n: v for n, v in data.items() if n not in FORM_FIELDS}), form
