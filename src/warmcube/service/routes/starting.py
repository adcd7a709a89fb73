"""Starting jobs of one data source or of all: what the routes that do so share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from warmcube.errors import InProgress
from warmcube.jobs.job import Record
from warmcube.service.routes.named import uncached_json

__all__ = ["start_jobs"]


async def start_jobs(
    wanted: Sequence[int],
    start: Callable[[int], Awaitable[Record]],
    status: str,
    *,
    is_one: bool,
) -> Response:
    """Start what can be started, and say what was, and what somebody is at already.

    Args:
        wanted: the data sources.
        start: starts the job of one.
        status: where it is told how they get on.
        is_one: whether one was named, and not all.

    Raises:
        InProgress: nothing can.
    """
    started: list[Record] = []
    busy: dict[int, InProgress] = {}
    for each in wanted:
        try:
            started.append(await start(each))
        except InProgress as error:
            busy[each] = error
    if not started:
        raise next(iter(busy.values()))
    job = started[0].id if is_one else None
    return uncached_json(
        {
            "job": job,
            "jobs": [each.as_dict() for each in started],
            "busy": [
                {"datasource": each, "by": error.by, "since": error.since, "job": error.job}
                for each, error in busy.items()
            ],
        },
        status=202,
        Location=status if job is None else f"{status}?job={job}",
    )
