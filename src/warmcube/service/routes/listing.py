"""``/api/datasources`` and ``/api/organizations``: what somebody may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import InvalidQuery
from warmcube.model.request import NULL
from warmcube.model.schema import Datasource
from warmcube.query.jsonform import columns_json
from warmcube.query.parse import query_from_dict
from warmcube.query.result import Result
from warmcube.query.wording import shown
from warmcube.service.context import Caller, Service
from warmcube.service.documents.listing import DATASOURCES, MEASURES, ORGANIZATIONS, VALUES
from warmcube.service.forms import meta_json
from warmcube.service.route import ProblemRoute
from warmcube.service.strict import parameters, parse_body, whole_number

__all__ = ["listing_routes"]

_NARROWING: Final = (
    "measure",
    "frequency",
    "organization",
    "practices",
    "providers",
    "start",
    "end",
    "where",
)


def listing_routes(service: Service) -> APIRouter:
    """Lists under the caller's grant."""
    routes = APIRouter(tags=["lists"], route_class=ProblemRoute)
    cache = service.cache

    @routes.get("/api/datasources", **DATASOURCES)
    async def get_datasources(
        request: Request,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = [_described(each) for each in cache.open_datasources(caller.grant)]
        return _listed({"datasources": found})

    @routes.get("/api/datasources/{id}/measures", **MEASURES)
    async def get_measures(
        request: Request,
        id: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        datasource = whole_number("the data source", id)
        found = await cache.measures(datasource, caller.grant)
        roles = next(each.roles for each in cache.datasources if each.id == datasource)
        return _listed(
            {
                "measures": [{"measure": _name(m), "frequency": _name(f)} for m, f in found],
                "schema": {
                    "measure": _typed(found.result, roles.measure),
                    "frequency": _typed(found.result, roles.frequency),
                },
                "meta": orjson.Fragment(meta_json(found.meta)),
            }
        )

    @routes.get("/api/datasources/{id}/values/{column}", **VALUES)
    async def get_values(
        request: Request,
        id: str,
        column: str,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        text = parameters(request, ("q",)).get("q")
        given = {} if text is None else _narrowing(text, service.settings.limits.depth)
        datasource = whole_number("the data source", id)
        query = query_from_dict({"datasource": datasource, **given})
        found = await cache.values(
            datasource,
            column,
            caller.grant,
            **{name: getattr(query, name) for name in _NARROWING},
        )
        columns = columns_json(found.result, decimals="string")
        return _listed(
            {
                "values": orjson.Fragment(columns[columns.index(b":[") + 1 : -1]),
                "has_null": found.has_null,
                "schema": _typed(found.result, found.result.columns[0]),
                "meta": orjson.Fragment(meta_json(found.meta)),
            }
        )

    @routes.get("/api/organizations", **ORGANIZATIONS)
    async def get_organizations(
        request: Request,
        caller: Caller = Depends(service.caller),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        found = [each._asdict() for each in cache.organizations(caller.grant)]
        return _listed({"organizations": found})

    return routes


def _described(datasource: Datasource) -> dict[str, Any]:
    roles = datasource.roles
    return {
        "id": datasource.id,
        "name": datasource.name,
        "time_zone": datasource.time_zone,
        "roles": {
            "measure": roles.measure,
            "practice": roles.practice,
            "provider": roles.provider,
            "frequency": roles.frequency,
            "date": roles.date,
            "value": roles.value,
        },
    }


def _typed(result: Result, column: str | None) -> dict[str, str] | None:
    if column is None:
        return None
    return {"name": column, "type": str(result.table.columns[column].type)}


def _name(name: Any) -> Any:
    return {"null": True} if name is NULL else name


def _narrowing(text: str, depth: int) -> Mapping[str, Any]:
    given = parse_body(text.encode(errors="surrogateescape"), depth)
    if not isinstance(given, dict):
        raise InvalidQuery("q is no object; expected the fields that narrow a query, as JSON")
    for name in given:
        if name not in _NARROWING:
            raise InvalidQuery(
                f"q has an unknown field {shown(name)}; the fields are {', '.join(_NARROWING)}"
            )
    return given


def _listed(what: Mapping[str, Any]) -> Response:
    return Response(
        orjson.dumps(what, default=str),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
