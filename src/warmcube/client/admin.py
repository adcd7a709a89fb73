"""The calls for whoever looks after the cache: warm, follow, judge, invalidate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, TypeAlias, TypeVar

from warmcube.client.calls import of_form
from warmcube.client.exchange import Call, Reach, Steps, Wait
from warmcube.client.wire import packed, read_plain_json
from warmcube.errors import ServiceUnavailable, WarmError
from warmcube.model.request import Null
from warmcube.observe.stats import Stats
from warmcube.warm.invalidate import Invalidation
from warmcube.warm.report import WarmReport
from warmcube.warm.steer import Steered, Steering

__all__ = [
    "JobWatcher",
    "Names",
    "WarmJob",
    "Which",
    "find_job",
    "follow",
    "get_health",
    "get_stats",
    "invalidate",
    "list_warming",
    "start_warm",
    "steer",
]

_T = TypeVar("_T")
_PREFIX: Final = "api/admin/analytics/cache"
_PAUSE: Final = 0.5

Which: TypeAlias = int | Literal["all"]
"""A data source, or all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmJob:
    """A warm that the service was asked for, as far as it is.

    Attributes:
        id: of the job.
        datasource: which is warmed.
        actor: who asked for it.
        reason: why it was begun: ``asked``, or a worker's ``cold``, ``aging``, ``scheduled`` or
            ``damage``.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``abandoned`` (its process is gone).
        phase: what it is doing.
        done: which share of all is done, from 0 to 1.
        rows: how many of `total_rows` this phase has done.
        total_rows: how many the source holds; None until they are counted.
        entries: written so far.
        bytes: of entries written so far.
        eta_seconds: until all is done, from its pace so far.
        failure: why it failed: ``kind`` and ``message``.
        report: the fields of a `WarmReport`.
    """

    id: str
    datasource: int
    actor: str
    state: str
    phase: str | None = None
    done: float = 0.0
    rows: int = 0
    total_rows: int | None = None
    entries: int = 0
    bytes: int = 0
    eta_seconds: float | None = None
    failure: Mapping[str, str] | None = None
    report: Mapping[str, Any] | None = None
    reason: str = "asked"

    @property
    def has_ended(self) -> bool:
        return self.state not in ("queued", "running")


Names: TypeAlias = Sequence[str | Null] | None
JobWatcher: TypeAlias = Callable[[WarmJob], None]


def get_stats(datasource: int | None) -> Call[tuple[Stats, ...]]:
    """What the cache holds of each data source."""
    return _get(
        "stats", lambda told: tuple(_known(Stats, each) for each in told["datasources"]), datasource
    )


def get_health(datasource: int | None) -> Call[Mapping[str, Any]]:
    """How well the cache is."""
    return _get("health", dict, datasource)


def list_warming(datasource: int | None) -> Call[tuple[Mapping[str, Any], ...]]:
    """Who warms what, and the last jobs of each data source."""
    return _get("warming/status", lambda told: tuple(told["datasources"]), datasource)


def find_job(id: str) -> Call[WarmJob]:
    """How far a job is."""
    return Call(
        method="GET",
        path=f"{_PREFIX}/warming/status",
        parameters={"job": id},
        read=_reading(lambda told: _known(WarmJob, told["job"])),
    )


def start_warm(
    which: Which,
    *,
    measures: Names,
    frequencies: Names,
    changed: bool,
    force: bool,
) -> Call[tuple[WarmJob, ...]]:
    """Ask for warms."""
    body: dict[str, Any] = {"datasource": which, "force": force}
    # What isn't asked for isn't sent: older services don't know it.
    body |= {
        name: value
        for name, value in (
            ("measures", measures),
            ("frequencies", frequencies),
            ("changed", changed or None),
        )
        if value is not None
    }
    return _post(
        "warm",
        body,
        lambda told: tuple(_known(WarmJob, each) for each in told["jobs"]),
    )


def invalidate(which: Which) -> Call[tuple[Invalidation, ...]]:
    """Take snapshots away."""
    return _post(
        "invalidate",
        {"datasource": which},
        lambda told: tuple(_known(Invalidation, each) for each in told["invalidated"]),
    )


def steer(action: Steering, datasource: int) -> Call[Steered]:
    """Roll back, unpin, disable or enable."""
    return _post(action, {"datasource": datasource}, lambda told: _known(Steered, told["steered"]))


def follow(
    reach: Reach, id: str, progress: JobWatcher | None, seconds: float | None
) -> Steps[WarmReport]:
    """Wait until a job has ended.

    Raises:
        WarmError: it failed, or its process is gone.
        ServiceUnavailable: the time was over before; the job goes on.
    """
    begun = time.monotonic()
    told: WarmJob | None = None
    while True:
        job = yield from reach.perform(find_job(id))
        if progress is not None and job != told:
            progress(job)
        told = job
        if job.has_ended:
            return _report(job)
        if seconds is not None and time.monotonic() - begun + _PAUSE > seconds:
            raise ServiceUnavailable(
                f"job {id} hasn't ended within {seconds:g} s; it goes on, and wait() may be called "
                "again"
            )
        yield Wait(_PAUSE)


def _report(job: WarmJob) -> WarmReport:
    if job.state == "done" and job.report is not None:
        return of_form(lambda report: _known(WarmReport, report), job.report)
    why = "its process is gone; warm again"
    if job.failure is not None:
        why = f"{job.failure.get('kind')}: {job.failure.get('message')}"
    raise WarmError(f"job {job.id} is {job.state}: {why}")


def _get(path: str, read: Callable[[Any], _T], datasource: int | None) -> Call[_T]:
    parameters = {} if datasource is None else {"datasource": str(int(datasource))}
    return Call(method="GET", path=f"{_PREFIX}/{path}", parameters=parameters, read=_reading(read))


def _post(path: str, body: Mapping[str, Any], read: Callable[[Any], _T]) -> Call[_T]:
    return Call(
        method="POST",
        path=f"{_PREFIX}/{path}",
        body=packed(body),
        is_read=False,
        read=_reading(read),
    )


def _reading(read: Callable[[Any], _T]) -> Callable[[bytes, Any], _T]:
    return lambda body, _headers: of_form(read, read_plain_json(body))


def _known(kind: type[_T], told: Mapping[str, Any]) -> _T:
    """The fields that this client knows; a newer service may tell more."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in told.items() if name in names})
