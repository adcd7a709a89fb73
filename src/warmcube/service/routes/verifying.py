"""``…/verify``: comparing the cache with its database, as jobs, and how they get on."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from warmcube.compare.verifier import DEFAULT_SAMPLE, MOST_SAMPLE
from warmcube.errors import InvalidQuery
from warmcube.jobs.verification import Verification
from warmcube.query.wording import shown
from warmcube.service.context import Caller, Service
from warmcube.service.documents.verifying import VERIFY, VERIFY_STATUS
from warmcube.service.routes.named import (
    PREFIX,
    datasource_in_body,
    datasource_or_job,
    datasources_in_url,
    uncached_json,
)
from warmcube.service.routes.starting import start_jobs
from warmcube.service.strict import body_json, fields_of, parameters

__all__ = ["MOST_SEED", "verifying_routes"]

MOST_SEED: Final = 2**53 - 1
"""What every reader of JSON reads exactly."""

_STATUS: Final = f"{PREFIX}/verify/status"


def verifying_routes(service: Service) -> APIRouter:
    """Verifications as jobs, of this process and of all others."""
    routes = APIRouter(tags=["cache"], prefix=PREFIX)
    cache, limits = service.cache, service.settings.limits

    @routes.post("/verify", **VERIFY)
    async def post_verify(
        request: Request,
        caller: Caller = Depends(service.manager),  # noqa: FAST002, B008
    ) -> Response:
        parameters(request)
        data = await body_json(request, most=limits.body, depth=limits.depth)
        fields = fields_of(data, ("datasource", "sample", "seed"))
        wanted = datasource_in_body(service, fields)
        sample = _number(fields, "sample", MOST_SAMPLE)
        seed = _number(fields, "seed", MOST_SEED)

        async def start(datasource: int) -> Verification:
            return await service.verifying.start(
                datasource,
                actor=caller.name,
                sample=DEFAULT_SAMPLE if sample is None else sample,
                seed=secrets.randbelow(1 << 32) if seed is None else seed,
            )

        return await start_jobs(wanted, start, _STATUS, is_one=fields["datasource"] != "all")

    @routes.get("/verify/status", **VERIFY_STATUS)
    async def get_status(
        request: Request,
        _caller: Caller = Depends(service.reader),  # noqa: FAST002, B008
    ) -> Response:
        given = datasource_or_job(parameters(request, ("datasource", "job")))
        if "job" in given:
            job = await cache.verifications.find(given["job"])
            return uncached_json({"job": job.as_dict()})
        found = [await _status(service, each) for each in datasources_in_url(service, given)]
        return uncached_json({"datasources": found})

    return routes


async def _status(service: Service, datasource: int) -> dict[str, Any]:
    found = await service.cache.verifications.last(datasource)
    active = next((job for job in found if not job.state.has_ended), None)
    return {
        "datasource": datasource,
        "name": service.settings.datasource(datasource).name,
        "active": None if active is None else active.as_dict(),
        "history": [job.as_dict() for job in found if job.state.has_ended],
    }


def _number(fields: Mapping[str, Any], name: str, most: int) -> int | None:
    given = fields.get(name)
    if given is None:
        return None
    if type(given) is not int or not 0 <= given <= most:
        raise InvalidQuery(f"{name} is {shown(given)}; expected a whole number from 0 to {most:,}")
    return given
