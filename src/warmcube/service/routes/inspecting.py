"""``…/history``, ``…/partitions``, ``…/entries`` and ``…/entry``: a closer look at the cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.errors import InvalidQuery
from warmcube.model.request import NULL
from warmcube.model.schema import Datasource
from warmcube.observe.sampler import FINE_HOURS
from warmcube.query.inspected import EntryName
from warmcube.query.wording import shown
from warmcube.service.context import Caller, Service
from warmcube.service.documents.inspecting import ENTRIES, ENTRY, HISTORY, PARTITIONS
from warmcube.service.routes.named import PREFIX, datasources_in_url, uncached_json
from warmcube.service.strict import body_json, fields_of, parameters, whole_number

__all__ = ["inspecting_routes"]

_PARTITION: Final = ("datasource", "measure", "frequency")
_ENTRY: Final = (*_PARTITION, "practice", "provider")
_LONGEST_CURSOR: Final = 20


def inspecting_routes(service: Service) -> APIRouter:
    """For those who look after the cache: figures over time, and entries one by one."""
    routes = APIRouter(tags=["cache"], prefix=PREFIX)
    cache, limits = service.cache, service.settings.limits

    @routes.get("/history", **HISTORY)
    async def get_history(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        given = parameters(request, ("datasource", "hours"))
        hours = _hours(service, given.get("hours"))
        found = []
        for each in datasources_in_url(service, given):
            history = await cache.history(each, hours)
            found.append({"datasource": each, "points": history.points, "summary": history.summary})
        return uncached_json(
            {"hours": hours, "kept_days": cache.sampler.days, "datasources": found}
        )

    @routes.get("/partitions", **PARTITIONS)
    async def get_partitions(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        given = parameters(request, ("datasource",))
        found = [
            {
                "datasource": each,
                "partitions": await cache.inspector.partitions(service.settings.datasource(each)),
            }
            for each in datasources_in_url(service, given)
        ]
        return uncached_json({"datasources": found})

    @routes.post("/entries", **ENTRIES)
    async def post_entries(
        request: Request,
        caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        fields = fields_of(data, (*_PARTITION, "cursor"))
        datasource = _datasource(service, fields)
        name = _name(datasource, fields)
        return uncached_json(
            await cache.inspector.entries(datasource, name, caller.grant, _cursor(fields))
        )

    @routes.post("/entry", **ENTRY)
    async def post_entry(
        request: Request,
        caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        fields = fields_of(data, (*_ENTRY, "rows"))
        datasource = _datasource(service, fields)
        has_rows = fields.get("rows")
        if has_rows is not None and not isinstance(has_rows, bool):
            raise InvalidQuery(f"rows is {shown(has_rows)}; expected true or false")
        name = _name(datasource, fields)
        return uncached_json(
            await cache.inspector.entry(datasource, name, caller.grant, has_rows=has_rows is True)
        )

    return routes


def _datasource(service: Service, fields: Mapping[str, Any]) -> Datasource:
    """The data source that a body names.

    Raises:
        UnknownDatasource: none has this id.
        InvalidQuery: it names none.
    """
    named = fields.get("datasource")
    if not isinstance(named, int) or isinstance(named, bool):
        raise InvalidQuery(f"datasource is {shown(named)}; expected the id of a data source")
    return service.settings.datasource(named)


def _name(datasource: Datasource, fields: Mapping[str, Any]) -> EntryName:
    named = {name: _id(name, fields.get(name)) for name in _ENTRY[1:]}
    return EntryName(datasource=datasource.id, **named)


def _id(name: str, value: Any) -> Any:
    """A name as in a query: text, a whole number, ``{"null": true}`` for NULL, or none at all.

    Raises:
        InvalidQuery: it is something else.
    """
    if value == {"null": True} and value["null"] is True:
        return NULL
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise InvalidQuery(
            f'{name} is {shown(value)}; expected text, a whole number, or {{"null": true}} for the '
            "rows without one"
        )
    return value


def _cursor(fields: Mapping[str, Any]) -> int:
    cursor = fields.get("cursor")
    if cursor is None:
        return 0
    if (
        not isinstance(cursor, str)
        or not (cursor.isascii() and cursor.isdigit())
        or len(cursor) > _LONGEST_CURSOR
    ):
        raise InvalidQuery(f"cursor is {shown(cursor)}; expected the one of the page before")
    return int(cursor)


def _hours(service: Service, text: str | None) -> int:
    """How far back.

    Raises:
        InvalidQuery: further than anything is kept.
    """
    if text is None:
        return FINE_HOURS
    most = max(FINE_HOURS, service.cache.sampler.days * 24)
    hours = whole_number("hours", text)
    if not 0 < hours <= most:
        raise InvalidQuery(
            f"hours is {hours:,}; expected 1 to {most:,}, as far as [cache] history_days reaches"
        )
    return hours
