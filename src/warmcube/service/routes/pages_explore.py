"""``/explore``: one query, its chart, its rows, and how it was answered."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.grant import Grant
from warmcube.access.permissions import Action
from warmcube.dashboard.guess import MeasureFacts, look_of
from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.request import AGGREGATES, NULL, OPERATORS
from warmcube.model.schema import Datasource
from warmcube.service.pages import Site, Visit, page_route

__all__ = ["explore_pages"]


def explore_pages(site: Site) -> APIRouter:
    """The page on which one asks freely."""
    routes = APIRouter(route_class=page_route(site), include_in_schema=False)
    cache = site.service.cache

    @routes.get("/explore")
    async def get_explore(
        request: Request,
        visit: Visit = Depends(site.visit),  # noqa: FAST002, B008 - as a closure says it
    ) -> Response:
        grant = visit.caller.grant
        found = cache.open_datasources(grant)
        data = {
            "user": visit.viewer.user,
            "datasources": await asyncio.gather(
                *(_described(cache, each, grant) for each in found)
            ),
            "organizations": [each._asdict() for each in cache.organizations(grant)],
            "aggregates": AGGREGATES,
            "operators": OPERATORS,
            "may_export": any(right.permission.action is Action.EXPORT for right in grant.rights),
            "rights": [
                {
                    "role": right.held.role,
                    "organization": right.held.organization,
                    "permission": str(right.permission),
                }
                for right in grant.rights
            ],
        }
        return site.page(request, "explore.html", visit.viewer, data=data)

    return routes


async def _described(cache: AnalyticsCache, datasource: Datasource, grant: Grant) -> dict[str, Any]:
    """What the page needs to know of a data source; one that is out of reach says so."""
    roles = datasource.roles
    columns: list[dict[str, str]] = []
    measures: list[dict[str, Any]] = []
    trouble: str | None = None
    try:
        schema, _ = await cache.schema(datasource.id, grant)
        columns = [{"name": name, "type": str(schema[name].type)} for name in schema.names]
        found = await cache.measures(datasource.id, grant)
        measures = [_measure(measure, frequency) for measure, frequency in found]
    except AccessDenied:
        raise
    except WarmcubeError as error:
        trouble = str(error)
    return {
        "id": datasource.id,
        "name": datasource.name,
        "columns": columns,
        "measures": measures,
        "roles": {
            "measure": roles.measure,
            "practice": roles.practice,
            "provider": roles.provider,
            "frequency": roles.frequency,
            "date": roles.date,
            "value": roles.value,
        },
        "trouble": trouble,
    }


def _measure(measure: Any, frequency: Any) -> dict[str, Any]:
    """A measure and a frequency as queries name them, and how its figures are probably meant."""
    facts = MeasureFacts(name=None if measure is NULL else str(measure))
    return {
        "measure": _named(measure),
        "frequency": _named(frequency),
        "look": look_of(facts),
        "aggregate": "avg" if facts.is_level else "sum",
    }


def _named(name: Any) -> Any:
    return {"null": True} if name is NULL else name
