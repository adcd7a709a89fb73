"""Following a job: how its end is told, step by step, by hand."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from warmcube.client.admin import WarmJob, find_job, follow
from warmcube.client.exchange import Close, Reach, Read, Send, Wait
from warmcube.errors import ServiceError, ServiceUnavailable, WarmcubeError, WarmError

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


def job(state: str, **fields: Any) -> dict[str, Any]:
    """A job as the service tells of it."""
    return {"id": "1-a", "datasource": 1, "actor": "ana", "state": state, "newer": 1, **fields}


def play(jobs: list[dict[str, Any]], heard: list[WarmJob], seconds: float | None = None) -> Any:
    """Follow a job through its states; returns the report or the error, and the pauses."""

    class Reply:
        response = httpx.Response(200)

        def __init__(self, told: Any) -> None:
            self.pieces = [json.dumps({"job": told}).encode()]

    reach = Reach(httpx.URL("https://host/"), None, 30.0)
    steps = follow(reach, "1-a", heard.append, seconds)
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
