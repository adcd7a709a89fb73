"""Following a job: how its end is told, step by step, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from warmcube.client.admin import WarmJob, find_job, follow
from warmcube.client.exchange import Close, Reach, Read, Send, Wait
from warmcube.client.verifying import follow_verification
from warmcube.compare.report import Finding, Table, Verdict
from warmcube.errors import (
    ServiceError,
    ServiceUnavailable,
    VerifyError,
    WarmcubeError,
    WarmError,
)

REPORT = {
    "datasource": 1,
    "snapshot": "7",
    "rows": 5,
    "entries": 2,
    "partitions": 1,
    "bytes": 10,
    "index_bytes": 3,
    "seconds": 0.5,
    "unheard_of": True,
}


VERIFIED = {
    "datasource": 1,
    "snapshot": "7",
    "advice": "",
    "as_of": "2026-01-01T00:00:00+00:00",
    "compared_at": None,
    "change_column": None,
    "has_fingerprints": False,
    "partitions": 1,
    "rows": 5,
    "database_rows": 5,
    "entries": 2,
    "slices": 1,
    "slice_rows": 1,
    "slices_left_out": 0,
    "seed": 6,
}


def job(state: str, **fields: Any) -> dict[str, Any]:
    """A job as the service tells of it."""
    return {"id": "1-a", "datasource": 1, "actor": "ana", "state": state, "newer": 1, **fields}


def play(
    jobs: list[dict[str, Any]],
    heard: list[Any],
    seconds: float | None = None,
    following: Callable[..., Any] = follow,
) -> Any:
    """Follow a job through its states; returns the report or the error, and the pauses."""

    class Reply:
        response = httpx.Response(200)

        def __init__(self, told: Any) -> None:
            self.pieces = [json.dumps({"job": told}).encode()]

    reach = Reach(httpx.URL("https://host/"), None, 30.0)
    steps = following(reach, "1-a", heard.append, seconds)
    coming, pauses = list(jobs), 0
    value: Any = None
    while True:
        try:
            step = steps.send(value)
        except StopIteration as end:
            return end.value, pauses
        except WarmcubeError as error:
            return error, pauses
        value = None
        match step:
            case Send():
                value = Reply(coming.pop(0))
            case Read(reply):
                value = reply.pieces.pop() if reply.pieces else b""  # type: ignore[attr-defined]
            case Wait():
                pauses += 1
            case Close():
                pass


def test_every_change_is_told_once() -> None:
    """The same twice is no news; the report comes at the end."""
    heard: list[WarmJob] = []
    running = job("running", done=0.5, phase="reading")
    jobs = [job("queued"), running, running, job("done", done=1.0, report=REPORT)]
    report, pauses = play(jobs, heard)
    assert [(each.state, each.done) for each in heard] == [
        ("queued", 0.0),
        ("running", 0.5),
        ("done", 1.0),
    ]
    assert (report.rows, report.snapshot, pauses) == (5, "7", 3)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (
            job("failed", failure={"kind": "TableMismatch", "message": "no table"}),
            "job 1-a is failed: TableMismatch: no table",
        ),
        (job("abandoned"), "job 1-a is abandoned: its process is gone; warm again"),
    ],
)
def test_a_job_that_did_not_end_well_is_an_error(ended: dict[str, Any], said: str) -> None:
    """With what is known of why."""
    error, _ = play([ended], [])
    assert (type(error), str(error)) == (WarmError, said)


def test_waiting_has_an_end() -> None:
    """Of its own; the job hasn't."""
    error, pauses = play([job("running")] * 3, [], seconds=0.0)
    assert isinstance(error, ServiceUnavailable)
    assert "it goes on" in str(error)
    assert pauses == 0


def test_an_answer_without_a_job_is_refused() -> None:
    """Instead of a KeyError."""
    with pytest.raises(ServiceError, match="form"):
        find_job("1-a").read(b"{}", httpx.Headers())


def test_a_verification_is_followed_likewise() -> None:
    """Its report comes with what it found, as the library has it; no verdict is an error."""
    finding = {"kind": "sum", "what": "the sum differs", "table": "changed", "newer": 1}
    verdict = {"verdict": "changed", "findings": [finding], "newer": 1}
    asked = {"sample": 5, "seed": 6}
    jobs = [job("running", **asked), job("done", **asked, report={**VERIFIED, **verdict})]
    heard: list[Any] = []
    report, pauses = play(jobs, heard, following=follow_verification)
    assert (report.verdict, report.rows, pauses) == (Verdict.CHANGED, 5, 1)
    assert report.findings == (Finding(kind="sum", what="the sum differs", table=Table.CHANGED),)
    assert [each.state for each in heard] == ["running", "done"]
    error, _ = play([job("abandoned", **asked)], [], following=follow_verification)
    assert (type(error), str(error)) == (
        VerifyError,
        "job 1-a is abandoned: its process is gone; verify again",
    )
    odd = job("done", **asked, report={**VERIFIED, **verdict, "verdict": "splendid"})
    error, _ = play([odd], [], following=follow_verification)
    assert isinstance(error, ServiceError)
