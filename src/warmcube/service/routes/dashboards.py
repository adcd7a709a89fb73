"""``/api/dashboards``: which there are, what they define, and their figures."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.dashboard.definition import Dashboard
from warmcube.dashboard.document import dropped_document, query_document, rendered_json
from warmcube.dashboard.drill import MARK_FIELDS, mark_of
from warmcube.dashboard.filters import filters_of
from warmcube.dashboard.rendered import RenderedDashboard
from warmcube.errors import InvalidQuery, LimitExceeded, WarmcubeError
from warmcube.query.wording import shown
from warmcube.service.answers import json_response
from warmcube.service.context import Caller, Service
from warmcube.service.documents.dashboards import (
    DASHBOARD,
    DASHBOARDS,
    DATA,
    RENDER,
    ROWS,
    SNAPSHOT,
)
from warmcube.service.figure_files import figures_file, figures_form
from warmcube.service.forms import FORM_FIELDS, encode, form_of
from warmcube.service.problems import problem_of
from warmcube.service.route import ProblemRoute
from warmcube.service.strict import body_json, fields_of, parameters

__all__ = ["chart_ids", "dashboard_routes", "encode_rendered"]

_PATH: Final = "/api/admin/analytics/dashboard/{dashboard}"
_CHART: Final = _PATH + "/charts/{chart}"
_FIELDS: Final = ("filters", "charts")
_DATA_FIELDS: Final = ("filters", "format", "spreadsheet")
_LARGE: Final = 20_000
"""From so many values on, encoding leaves the event loop."""


def dashboard_routes(service: Service) -> APIRouter:
    """Dashboards under the caller's grant."""
    routes = APIRouter(tags=["dashboards"], route_class=ProblemRoute)
    limits, renderer = service.settings.limits, service.renderer

    @routes.get("/api/dashboards", **DASHBOARDS)
    async def get_dashboards(
        request: Request,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008 - a closure's annotations can't be resolved
    ) -> Response:
        parameters(request)
        found = [_listed(each) for each in await renderer.dashboards(caller.grant)]
        return await json_response(request, orjson.dumps({"dashboards": found}))

    @routes.get("/api/dashboards/{dashboard}", **DASHBOARD)
    async def get_dashboard(
        request: Request,
        dashboard: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await renderer.dashboard(dashboard, caller.grant)
        document = await renderer.describe(found, caller.grant)
        return await json_response(request, orjson.dumps(document))

    @routes.get("/api/dashboards/{dashboard}/snapshot", **SNAPSHOT)
    async def get_snapshot(
        request: Request,
        dashboard: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await renderer.dashboard(dashboard, caller.grant)
        snapshot = await service.cache.snapshot(found.datasource, caller.grant)
        return await json_response(request, orjson.dumps({"snapshot": snapshot}))

    @routes.post(f"{_PATH}/render", **RENDER)
    async def post_render(
        request: Request,
        dashboard: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await renderer.dashboard(dashboard, caller.grant)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        given = fields_of(data, _FIELDS)
        rendered = await renderer.render(
            found, filters_of(given.get("filters")), caller.grant, chart_ids(given.get("charts"))
        )
        return await json_response(request, await encode_rendered(rendered, limits.answer))

    _add_chart_routes(routes, service)
    return routes


def _add_chart_routes(routes: APIRouter, service: Service) -> None:
    limits, renderer = service.settings.limits, service.renderer

    @routes.post(f"{_CHART}/data", **DATA)
    async def post_data(
        request: Request,
        dashboard: str,
        chart: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await renderer.dashboard(dashboard, caller.grant)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        given = fields_of(data, _DATA_FIELDS)
        form = figures_form(given)
        rendered = await renderer.render(
            found, filters_of(given.get("filters")), caller.grant, [chart], purpose="export"
        )
        return await figures_file(rendered, form, limits.answer)

    @routes.post(f"{_CHART}/rows", **ROWS)
    async def post_rows(
        request: Request,
        dashboard: str,
        chart: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = await renderer.dashboard(dashboard, caller.grant)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        given = fields_of(data, (*MARK_FIELDS, "filters", *FORM_FIELDS))
        form = form_of(given)
        if not form.is_json:
            raise InvalidQuery(f"format is {shown(form.format)}; rows come as rows or columns")
        rows = await renderer.rows(
            found, chart, mark_of(given), filters_of(given.get("filters")), caller.grant
        )
        body = await encode(rows.result, form, most=limits.answer)
        query = None if rows.query is None else query_document(rows.query)
        more = orjson.dumps({"query": query, "dropped": dropped_document(rows.dropped)})
        return await json_response(request, body.data[:-1] + b"," + more[1:])


def _listed(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "id": dashboard.id,
        "title": dashboard.title,
        "description": dashboard.description,
        "datasource": dashboard.datasource,
        "charts": len(dashboard.charts),
    }


def chart_ids(given: Any) -> list[str] | None:
    """The charts that a request names; None for all.

    Raises:
        InvalidQuery: it can't be read.
    """
    if given is None:
        return None
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise InvalidQuery(f"charts is {shown(given)}; expected a list of the ids of charts")
    return given


async def encode_rendered(rendered: RenderedDashboard, most: int) -> bytes:
    """The figures as JSON; many are encoded beside the event loop.

    Raises:
        LimitExceeded: they have too many bytes.
    """
    size = sum(
        len(facet.labels) * len(facet.series) for chart in rendered.charts for facet in chart.facets
    )
    if size > _LARGE:
        body = await asyncio.to_thread(rendered_json, rendered, _described)
    else:
        body = rendered_json(rendered, _described)
    if len(body) > most:
        raise LimitExceeded(
            f"the dashboard has {len(body):,} bytes, more than [limits] answer = {most:,}; narrow "
            "it, or ask for fewer charts at once"
        )
    return body


def _described(error: WarmcubeError) -> dict[str, Any]:
    return problem_of(error).as_json()
