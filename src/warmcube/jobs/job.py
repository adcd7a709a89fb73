"""One job: what was asked for, and what became of it. Holds figures, never values. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from warmcube.errors import Damage, WarmcubeError
from warmcube.warm.refresh import Refresh

__all__ = [
    "ASKED",
    "STOPPED",
    "Job",
    "JobFailure",
    "JobState",
    "Record",
    "datasource_of_job",
    "failure_of",
    "pack_job",
    "unpack_job",
    "unpack_record",
]

R = TypeVar("R", bound="Record")

ASKED: Final = "asked"
"""The reason of a job that somebody asked for."""

STOPPED: Final = "Stopped"
"""The kind of failure of a job that was told to stop: it says nothing of the next one."""

_ID: Final = re.compile(r"(0|[1-9]\d{0,9})-[0-9a-f]{16}", re.ASCII)
_LONGEST: Final = 1000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ABANDONED = "abandoned"

    @property
    def has_ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job failed.

    Attributes:
        kind: the name of the error's class.
        message: in words that hold no secret; empty where the error isn't one of ours.
    """

    kind: str
    message: str


def failure_of(error: BaseException) -> JobFailure:
    """What a job's record says of an error.

    Only our own errors are quoted, since they hold neither a credential nor a value of a row.
    """
    if isinstance(error, WarmcubeError):
        message = _CONTROL.sub(" ", str(error))
        if len(message) > _LONGEST:
            message = message[: _LONGEST - 1] + "…"
        return JobFailure(type(error).__name__, message)
    if isinstance(error, Exception):
        return JobFailure(type(error).__name__, "unexpected; the log of the process says more")
    return JobFailure(STOPPED, "it was stopped before it was done; start it anew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of any job.

    Attributes:
        id: names the data source, so that the record can be found from it alone.
        datasource: its id.
        actor: who asked for it.
        process: which process asked for it or, once it runs, works on it.
        state: see `JobState`.
        revision: grows whenever something below changes.
        phase: what the job is doing, or was when it ended.
        done: which share of all is done, by weights of the phases, from 0 to 1; never falls.
        rows: how many of `total_rows` this phase has done.
        total_rows: how many there are; None until they are counted.
        eta_seconds: until the whole job is done, from its pace so far; None where there is none.
        queued_ms: when it was asked for, Unix milliseconds by the store's clock.
        started_ms: when work began.
        updated_ms: when its process last gave a sign.
        ended_ms: when it was done or failed.
        failure: why it failed.
        report: what the job did.
    """

    id: str
    datasource: int
    actor: str
    process: str
    state: JobState = JobState.QUEUED
    revision: int = 0
    phase: str | None = None
    done: float = 0.0
    rows: int = 0
    total_rows: int | None = None
    eta_seconds: float | None = None
    queued_ms: int
    started_ms: int | None = None
    updated_ms: int
    ended_ms: int | None = None
    failure: JobFailure | None = None
    report: Mapping[str, Any] | None = None

    def changed(self, **changes: Any) -> Self:
        """The next revision."""
        return replace(self, revision=self.revision + 1, **changes)

    def as_dict(self) -> dict[str, Any]:
        """For whoever may see it: as JSON has it, with instants in ISO 8601."""
        facts = asdict(self)
        for name in ("queued", "started", "updated", "ended"):
            facts[name] = _instant(facts.pop(f"{name}_ms"))
        return facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Record):
    """What is known of one warm.

    Attributes:
        forced: whether to publish although most rows are gone.
        reason: why it was begun: ``asked`` for, or one of `warmcube.worker.schedule.Reason`.
        refresh: what to read anew; None for the whole table.
        entries: written so far.
        bytes: of entries written so far.
    """

    forced: bool = False
    reason: str = ASKED
    refresh: Refresh | None = None
    entries: int = 0
    bytes: int = 0


def pack_job(job: Record) -> bytes:
    """A job's stored form."""
    return json.dumps(asdict(job), separators=(",", ":")).encode()


def unpack_job(stored: bytes) -> Job:
    """What `pack_job` packed of a warm.

    Raises:
        Damage: it can't be read.
    """

    def made(facts: dict[str, Any]) -> Job:
        refresh = facts["refresh"]
        facts["reason"] = str(facts["reason"])
        facts["refresh"] = None if refresh is None else _refresh(**refresh)
        return Job(**facts)

    # Records of before there were reasons and refreshes are of whole warms that were asked for.
    return unpack_record(stored, Job, made, {"reason": ASKED, "refresh": None})


def unpack_record(
    stored: bytes,
    kind: type[R],
    made: Callable[[dict[str, Any]], R],
    absent: Mapping[str, Any] | None = None,
) -> R:
    """What `pack_job` packed.

    Args:
        stored: its form.
        kind: of record.
        made: makes it of its fields.
        absent: what earlier versions didn't write.

    Raises:
        Damage: it can't be read.
    """
    try:
        facts = {**(absent or {}), **json.loads(stored)}
        known = {field.name: facts[field.name] for field in fields(kind)}
        failure = known["failure"]
        known["state"] = JobState(known["state"])
        known["failure"] = None if failure is None else JobFailure(**failure)
        job = made(known)
        named = datasource_of_job(job.id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damage(f"a job's record can't be read ({type(error).__name__})") from error
    if named != job.datasource:
        raise Damage("a job's record bears another data source's id")
    return job


def _refresh(
    measures: Sequence[str | None] | None, frequencies: Sequence[str | None] | None, changed: bool
) -> Refresh:
    return Refresh(
        measures=None if measures is None else tuple(measures),
        frequencies=None if frequencies is None else tuple(frequencies),
        changed=changed,
    )


def datasource_of_job(id: str) -> int | None:
    """Which data source a job's id names; None if it is no job's id."""
    found = _ID.fullmatch(id)
    return int(found[1]) if found else None


def _instant(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
