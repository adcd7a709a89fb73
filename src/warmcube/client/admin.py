"""The calls for whoever looks after the cache: warm, follow, judge, invalidate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar

from warmcube.client.calls import of_form
from warmcube.client.exchange import Call, Reach, Steps, Wait
from warmcube.client.wire import packed, read_plain_json
from warmcube.errors import ServiceUnavailable, WarmcubeError, WarmError
from warmcube.model.request import Null
from warmcube.observe.stats import Stats
from warmcube.warm.invalidate import Invalidation
from warmcube.warm.report import WarmReport
from warmcube.warm.steer import Steered, Steering

__all__ = [
    "AnyJob",
    "JobWatcher",
    "Names",
    "WarmJob",
    "Which",
    "find_job",
    "follow",
    "follow_job",
    "get_admin",
    "get_health",
    "get_stats",
    "invalidate",
    "known",
    "list_warming",
    "of_datasource",
    "post_admin",
    "report_of",
    "start_warm",
    "steer",
]

_T = TypeVar("_T")
_J = TypeVar("_J", bound="AnyJob")
_PREFIX: Final = "api/admin/analytics/cache"
_PAUSE: Final = 0.5

Which: TypeAlias = int | Literal["all"]
"""A data source, or all of them."""


class AnyJob(Protocol):
    """What jobs of all kinds have."""

    @property
    def id(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def failure(self) -> Mapping[str, str] | None: ...
    @property
    def report(self) -> Mapping[str, Any] | None: ...
    @property
    def has_ended(self) -> bool: ...


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
    return get_admin(
        "stats",
        lambda told: tuple(known(Stats, each) for each in told["datasources"]),
        of_datasource(datasource),
    )


def get_health(datasource: int | None) -> Call[Mapping[str, Any]]:
    """How well the cache is."""
    return get_admin("health", dict, of_datasource(datasource))


def list_warming(datasource: int | None) -> Call[tuple[Mapping[str, Any], ...]]:
    """Who warms what, and the last jobs of each data source."""
    return get_admin(
        "warming/status", lambda told: tuple(told["datasources"]), of_datasource(datasource)
    )


def find_job(id: str) -> Call[WarmJob]:
    """How far a job is."""
    return get_admin("warming/status", lambda told: known(WarmJob, told["job"]), {"job": id})


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
    return post_admin(
        "warm",
        body,
        lambda told: tuple(known(WarmJob, each) for each in told["jobs"]),
    )


def invalidate(which: Which) -> Call[tuple[Invalidation, ...]]:
    """Take snapshots away."""
    return post_admin(
        "invalidate",
        {"datasource": which},
        lambda told: tuple(known(Invalidation, each) for each in told["invalidated"]),
    )


def steer(action: Steering, datasource: int) -> Call[Steered]:
    """Roll back, unpin, disable or enable."""
    return post_admin(
        action, {"datasource": datasource}, lambda told: known(Steered, told["steered"])
    )


def follow(
    reach: Reach, id: str, progress: JobWatcher | None, seconds: float | None
) -> Steps[WarmReport]:
    """Wait until a warm has ended.

    Raises:
        WarmError: it failed, or its process is gone.
        ServiceUnavailable: the time was over before; the job goes on.
    """
    job = yield from follow_job(reach, find_job(id), id, progress, seconds)
    return report_of(job, lambda report: known(WarmReport, report), WarmError, "warm again")


def follow_job(
    reach: Reach,
    find: Call[_J],
    id: str,
    progress: Callable[[_J], None] | None,
    seconds: float | None,
) -> Steps[_J]:
    """A job of any kind, once it has ended.

    Raises:
        ServiceUnavailable: the time was over before; the job goes on.
    """
    begun = time.monotonic()
    told: _J | None = None
    while True:
        job = yield from reach.perform(find)
        if progress is not None and job != told:
            progress(job)
        told = job
        if job.has_ended:
            return job
        if seconds is not None and time.monotonic() - begun + _PAUSE > seconds:
            raise ServiceUnavailable(
                f"job {id} hasn't ended within {seconds:g} s; it goes on, and it may be waited for "
                "again"
            )
        yield Wait(_PAUSE)


def report_of(
    job: AnyJob, read: Callable[[Mapping[str, Any]], _T], error: type[WarmcubeError], advice: str
) -> _T:
    """What a job has done.

    Args:
        job: has ended.
        read: makes the report of its fields.
        error: what is raised if it didn't end well.
        advice: what to do if its process is gone.
    """
    if job.state == "done" and job.report is not None:
        return of_form(read, job.report)
    why = f"its process is gone; {advice}"
    if job.failure is not None:
        why = f"{job.failure.get('kind')}: {job.failure.get('message')}"
    raise error(f"job {job.id} is {job.state}: {why}")


def get_admin(
    path: str, read: Callable[[Any], _T], parameters: Mapping[str, str] | None = None
) -> Call[_T]:
    """A call of an admin route that only looks."""
    return Call(
        method="GET", path=f"{_PREFIX}/{path}", parameters=parameters or {}, read=_reading(read)
    )


def post_admin(path: str, body: Mapping[str, Any], read: Callable[[Any], _T]) -> Call[_T]:
    """A call of an admin route that does something."""
    return Call(
        method="POST",
        path=f"{_PREFIX}/{path}",
        body=packed(body),
        is_read=False,
        read=_reading(read),
    )


def known(kind: type[_T], told: Mapping[str, Any]) -> _T:
    """The fields that this client knows; a newer service may tell more."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in told.items() if name in names})


def of_datasource(datasource: int | None) -> dict[str, str]:
    """The parameters of a call that is about one data source, or about all."""
    return {} if datasource is None else {"datasource": str(int(datasource))}


def _reading(read: Callable[[Any], _T]) -> Callable[[bytes, Any], _T]:
    return lambda body, _headers: of_form(read, read_plain_json(body))
