"""``/api/query``: one question, or many in one read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import InvalidQuery
from warmcube.model.request import Query
from warmcube.query.parse import query_from_dict
from warmcube.service.answers import answer, tagged_answer
from warmcube.service.context import Caller, Service
from warmcube.service.documents import QUERY, QUERY_GET
from warmcube.service.downloads import download
from warmcube.service.forms import FORM_FIELDS, Form, form_of
from warmcube.service.route import ProblemRoute
from warmcube.service.strict import body_json, parameters, parse_body

__all__ = ["QUERY_PATH", "answer_post", "query_routes", "wanted"]

QUERY_PATH: Final = "/api/query"


def query_routes(service: Service) -> APIRouter:
    """Questions by POST, and by GET for whoever keeps answers."""
    routes = APIRouter(tags=["query"], route_class=ProblemRoute)
    limits = service.settings.limits

    @routes.post(QUERY_PATH, **QUERY)
    async def post_query(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008 - a closure's annotations can't be resolved
        return await answer_post(service, request, caller)

    @routes.get(QUERY_PATH, **QUERY_GET)
    async def get_query(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008
        text = parameters(request, ("q",)).get("q")
        if text is None:
            raise InvalidQuery("the parameter q is missing; give the query as JSON in it")
        query, form = wanted(parse_body(text.encode(errors="surrogateescape"), limits.depth))
        if form.is_file:
            return await download(service, caller, query, form)
        result = await service.cache.query(query, caller.grant)
        return await tagged_answer(service, request, result, form)

    return routes


async def answer_post(service: Service, request: Request, caller: Caller) -> Response:
    """The answer to a question that was posted.

    Raises:
        WarmcubeError: there is none.
    """
    parameters(request)
    limits = service.settings.limits
    data = await body_json(request, most=limits.body, depth=limits.depth)
    query, form = wanted(data)
    if form.is_file:
        return await download(service, caller, query, form)
    result = await service.cache.query(query, caller.grant)
    return await answer(service, request, result, form)


def wanted(data: Any) -> tuple[Query, Form]:
    """The query and the form in a request's object, whose fields stand side by side.

    Raises:
        InvalidQuery: they can't be read.
    """
    if not isinstance(data, Mapping):
        return query_from_dict(data), Form()
    form = form_of(data)
    return query_from_dict({n: v for n, v in data.items() if n not in FORM_FIELDS}), form
