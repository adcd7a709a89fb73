"""The calls for whoever has the cache compared with its database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from warmcube.client.admin import (
    Which,
    follow_job,
    get_admin,
    known,
    of_datasource,
    post_admin,
    report_of,
)
from warmcube.client.exchange import Call, Reach, Steps
from warmcube.compare.report import Finding, Table, Verdict, VerifyReport
from warmcube.errors import VerifyError

__all__ = [
    "VerifyJob",
    "VerifyWatcher",
    "find_verification",
    "follow_verification",
    "list_verifying",
    "start_verify",
]

_STATUS: Final = "verify/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyJob:
    """A verification that the service was asked for, as far as it is.

    Attributes:
        id: of the job.
        datasource: which is verified.
        actor: who asked for it.
        reason: why it was begun: ``asked``, or a worker's ``scheduled``.
        sample: how many slices are compared row by row, at most.
        seed: what they are drawn with.
        state: ``queued``, ``running``, ``done``, ``failed`` or ``abandoned`` (its process is gone).
        phase: what it is doing.
        done: which share of all is done, from 0 to 1.
        rows: how many of `total_rows` this phase has done.
        total_rows: how many there are.
        eta_seconds: until all is done, from its pace so far.
        failure: why it came to no verdict: ``kind`` and ``message``.
        report: the fields of a `warmcube.compare.report.VerifyReport`, with its 100 worst findings.
    """

    id: str
    datasource: int
    actor: str
    state: str
    sample: int
    seed: int
    reason: str = "asked"
    phase: str | None = None
    done: float = 0.0
    rows: int = 0
    total_rows: int | None = None
    eta_seconds: float | None = None
    failure: Mapping[str, str] | None = None
    report: Mapping[str, Any] | None = None

    @property
    def has_ended(self) -> bool:
        return self.state not in ("queued", "running")


VerifyWatcher: TypeAlias = Callable[[VerifyJob], None]


def start_verify(which: Which, sample: int | None, seed: int | None) -> Call[tuple[VerifyJob, ...]]:
    """Ask for verifications."""
    return post_admin(
        "verify",
        {"datasource": which, "sample": sample, "seed": seed},
        lambda told: tuple(known(VerifyJob, each) for each in told["jobs"]),
    )


def list_verifying(datasource: int | None) -> Call[tuple[Mapping[str, Any], ...]]:
    """The verification that runs, and the last ones of each data source."""
    return get_admin(_STATUS, lambda told: tuple(told["datasources"]), of_datasource(datasource))


def find_verification(id: str) -> Call[VerifyJob]:
    """How far a verification is."""
    return get_admin(_STATUS, lambda told: known(VerifyJob, told["job"]), {"job": id})


def follow_verification(
    reach: Reach, id: str, progress: VerifyWatcher | None, seconds: float | None
) -> Steps[VerifyReport]:
    """Wait until a verification has ended.

    Raises:
        VerifyError: it came to no verdict, or its process is gone.
        ServiceUnavailable: the time was over before; the job goes on.
    """
    job = yield from follow_job(reach, find_verification(id), id, progress, seconds)
    return report_of(job, _report, VerifyError, "verify again")


def _report(told: Mapping[str, Any]) -> VerifyReport:
    findings = tuple(
        known(Finding, {**each, "table": Table(each["table"])}) for each in told["findings"]
    )
    verdict = Verdict(told["verdict"])
    return known(VerifyReport, {**told, "verdict": verdict, "findings": findings})
