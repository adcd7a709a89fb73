"""What the admin routes share: where they are, which data source is meant, how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from starlette.responses import Response

from warmcube.errors import InvalidQuery
from warmcube.query.wording import shown
from warmcube.service.context import Service
from warmcube.service.strict import whole_number

__all__ = [
    "PREFIX",
    "datasource_in_body",
    "datasource_or_job",
    "datasources_in_url",
    "one_datasource_in_body",
    "uncached_json",
]

PREFIX: Final = "/api/admin/analytics/cache"


def datasources_in_url(service: Service, given: Mapping[str, str]) -> list[int]:
    """The data source that a URL's parameters name, or all of them.

    Raises:
        UnknownDatasource: none has this id.
    """
    text = given.get("datasource")
    if text is None:
        return [each.id for each in service.cache.datasources]
    return [service.settings.datasource(whole_number("datasource", text)).id]


def datasource_in_body(service: Service, fields: Mapping[str, Any]) -> list[int]:
    """The data source that a body names, or all of them.

    Raises:
        UnknownDatasource: none has this id.
        InvalidQuery: it names none.
    """
    named = fields.get("datasource")
    if named == "all":
        return [each.id for each in service.cache.datasources]
    if named is None:
        raise InvalidQuery('datasource is missing; expected the id of a data source, or "all"')
    if not isinstance(named, int) or isinstance(named, bool):
        raise InvalidQuery(
            f'datasource is {shown(named)}; expected the id of a data source, or "all"'
        )
    return [service.settings.datasource(named).id]


def datasource_or_job(given: Mapping[str, str]) -> Mapping[str, str]:
    """A URL's parameters, of which one is given at most.

    Raises:
        InvalidQuery: both are.
    """
    if len(given) > 1:
        raise InvalidQuery("both datasource and job are given; a job is of one data source anyway")
    return given


def one_datasource_in_body(service: Service, fields: Mapping[str, Any]) -> int:
    """The one data source that a body names: not all at once, since each is a decision.

    Raises:
        UnknownDatasource: none has this id.
        InvalidQuery: it names none, or not one.
    """
    named = fields.get("datasource")
    if not isinstance(named, int) or isinstance(named, bool):
        raise InvalidQuery(f"datasource is {shown(named)}; expected the id of a data source")
    return service.settings.datasource(named).id


def uncached_json(what: object, status: int = 200, **headers: str) -> Response:
    """JSON that nobody keeps."""
    return Response(
        orjson.dumps(what),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )
