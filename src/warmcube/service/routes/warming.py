"""``…/warm`` and ``…/warming``: starting warms, and following them, whoever started them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.access.permissions import Action
from warmcube.errors import AccessDenied, InvalidQuery
from warmcube.jobs.job import Job, datasource_of_job
from warmcube.model.request import NULL, Null
from warmcube.query.wording import shown
from warmcube.service.context import Caller, Service
from warmcube.service.documents.admin import EVENTS, STATUS, WARM
from warmcube.service.events import EventStream, job_events, parse_last_id
from warmcube.service.routes.named import (
    PREFIX,
    datasource_in_body,
    datasource_or_job,
    datasources_in_url,
    uncached_json,
)
from warmcube.service.routes.starting import start_jobs
from warmcube.service.strict import body_json, fields_of, parameters
from warmcube.warm.refresh import Refresh
from warmcube.worker.status import outlook_facts, read_status

__all__ = ["warming_routes"]

MOST_NAMES: Final = 1000
"""Of measures or frequencies in one request."""

_STATUS: Final = f"{PREFIX}/warming/status"


def warming_routes(service: Service) -> APIRouter:
    """Warms as jobs, of this process and of all others."""
    routes = APIRouter(tags=["cache"], prefix=PREFIX)
    cache, limits = service.cache, service.settings.limits

    @routes.post("/warm", **WARM)
    async def post_warm(
        request: Request,
        caller: Caller = Depends(service.manager),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        fields = fields_of(data, ("datasource", "measures", "frequencies", "changed", "force"))
        wanted = datasource_in_body(service, fields)
        force, refresh = _flag(fields, "force"), _refresh(fields)

        async def start(datasource: int) -> Job:
            return await service.warming.start(
                datasource, actor=caller.name, force=force, refresh=refresh
            )

        return await start_jobs(wanted, start, _STATUS, is_one=fields["datasource"] != "all")

    @routes.get("/warming/status", **STATUS)
    async def get_status(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        given = datasource_or_job(parameters(request, ("datasource", "job")))
        if "job" in given:
            return uncached_json({"job": (await cache.jobs.find(given["job"])).as_dict()})
        wanted = datasources_in_url(service, given)
        workers = await _workers(service, wanted)
        found = [
            {**await _status(service, each), "worker": dict(told)}
            for each, told in zip(wanted, workers["datasources"], strict=True)
        ]
        return uncached_json({"datasources": found, "workers": workers["workers"]})

    @routes.get("/warming/events", **EVENTS)
    async def get_events(
        request: Request,
        caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        given = datasource_or_job(parameters(request, ("datasource", "job")))
        known = parse_last_id(request.headers.get("last-event-id"))
        seen = await _followed(service, given, known)
        if not await _has_news(service, seen):
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return EventStream(job_events(cache.jobs, seen, lambda: _is_over(service, caller)))

    return routes


async def _status(service: Service, datasource: int) -> dict[str, Any]:
    jobs = service.cache.jobs
    found = await jobs.last(datasource)
    active = next((job for job in found if not job.state.has_ended), None)
    return {
        "datasource": datasource,
        "name": service.settings.datasource(datasource).name,
        "warming": await jobs.holder(datasource),
        "active": None if active is None else active.as_dict(),
        "history": [job.as_dict() for job in found if job.state.has_ended],
    }


async def _workers(service: Service, wanted: Sequence[int]) -> dict[str, Any]:
    """The workers that are alive, and what they mean to do with each data source."""
    cache, settings = service.cache, service.settings
    status = await read_status(
        cache.store,
        settings.store.namespace,
        cache.jobs,
        [settings.datasource(each) for each in wanted],
    )
    return {
        "workers": [card.as_dict() for card in status.workers],
        "datasources": [
            {"workers": each.workers, **outlook_facts(each.outlook)} for each in status.datasources
        ],
    }


async def _followed(
    service: Service, given: Mapping[str, str], known: Mapping[str, int]
) -> dict[str, int]:
    """The jobs to follow, and which revision of each is known already; -1 for none."""
    jobs = service.cache.jobs
    if "job" in given:
        job = await jobs.find(given["job"])
        return {job.id: known.get(job.id, -1)}
    wanted = datasources_in_url(service, given)
    active = [job.id for each in wanted for job in await jobs.last(each) if not job.state.has_ended]
    told = {name: known[name] for name in known if datasource_of_job(name) in wanted}
    return {**dict.fromkeys(active, -1), **told}


async def _has_news(service: Service, seen: Mapping[str, int]) -> bool:
    """Whether any of some jobs goes on, or has ended otherwise than is known."""
    named = {datasource_of_job(name) for name in seen}
    for datasource in sorted(each for each in named if each is not None):
        for job in await service.cache.jobs.last(datasource):
            known = seen.get(job.id)
            if known is not None and (not job.state.has_ended or job.revision > known):
                return True
    return False


def _is_over(service: Service, caller: Caller) -> bool:
    """Whether somebody may listen no longer."""
    ends = caller.identity.valid_until
    if service.is_draining or (ends is not None and time.time() >= ends):
        return True
    try:
        service.cache.require(caller.grant, Action.CACHE_READ, Action.CACHE_MANAGE)
    except AccessDenied:
        return True
    return False


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    flag = fields.get(name)
    if flag is not None and not isinstance(flag, bool):
        raise InvalidQuery(f"{name} is {shown(flag)}; expected true or false")
    return flag is True


def _refresh(fields: Mapping[str, Any]) -> Refresh | None:
    """What to read anew; None for the whole table."""
    measures, frequencies = (_names(fields, name) for name in ("measures", "frequencies"))
    named = measures is not None or frequencies is not None
    if named and fields.get("datasource") == "all":
        raise InvalidQuery("measures and frequencies are of one data source; name it")
    return Refresh.of(measures, frequencies, changed=_flag(fields, "changed"))


def _names(fields: Mapping[str, Any], name: str) -> list[str | Null] | None:
    given = fields.get(name)
    if given is None:
        return None
    if not isinstance(given, list) or len(given) > MOST_NAMES:
        raise InvalidQuery(
            f"{name} is {shown(given)}; expected a list of up to {MOST_NAMES:,} texts"
        )
    found: list[str | Null] = []
    for each in given:
        is_null = isinstance(each, dict) and list(each) == ["null"] and each["null"] is True
        if not is_null and not isinstance(each, str):
            raise InvalidQuery(
                f'{name} has {shown(each)} in it; expected a text, or {{"null": true}}'
            )
        found.append(NULL if is_null else each)
    return found
