"""``/api/query`` and ``/api/export``: one question, many in one read, and files."""

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
from warmcube.service.batches import answer_batch, batch_of
from warmcube.service.context import Caller, Service
from warmcube.service.documents.query import BATCH, EXPORT, QUERY, QUERY_GET
from warmcube.service.downloads import download, export_of, file_form
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
            service.check_download(request, caller)
            return await download(service, caller, query, file_form(form.format))
        result = await service.cache.query(query, caller.grant)
        return await tagged_answer(service, request, result, form)

    @routes.post("/api/query/batch", **BATCH)
    async def post_batch(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        asked, form = batch_of(data, limits.batch)
        return await answer_batch(service, request, caller, asked, form)

    @routes.post("/api/export", **EXPORT)
    async def post_export(request: Request, caller: Caller = Depends(service.caller)) -> Response:  # noqa: FAST002, B008
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        query, form = export_of(data)
        return await download(service, caller, query, form)

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
        return await download(service, caller, query, file_form(form.format))
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
