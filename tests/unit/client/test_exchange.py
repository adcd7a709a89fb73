"""How long a call tries, what it tries again, and what it never does; step by step, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from warmcube.client.exchange import ATTEMPTS, Call, Close, Do, Reach, Read, Send, Steps, Wait
from warmcube.errors import (
    AccessDenied,
    Overloaded,
    ServiceError,
    ServiceUnavailable,
    SourceUnavailable,
    WarmcubeError,
)

URL = httpx.URL("https://analytics.example.com/")


@dataclass
class Answer:
    """A reply whose body comes in pieces."""

    response: httpx.Response
    pieces: list[Any]


@dataclass
class Played:
    """What came of a call, and what was done for it."""

    outcome: Any
    waits: list[float]
    requests: list[httpx.Request]
    closed: int


def answer(status: int = 200, body: Any = b"{}", **headers: str) -> Answer:
    """An answer with some headers; a problem where the status says so."""
    pieces = body if isinstance(body, list) else [body]
    kind = "application/json" if status < 300 else "application/problem+json"
    named = {"content-type": kind} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return Answer(httpx.Response(status, headers=named), pieces)


def problem(status: int, slug: str, **more: Any) -> bytes:
    """The body of a problem."""
    return json.dumps(
        {"type": f"urn:warmcube:problem:{slug}", "status": status, "detail": "why", **more}
    ).encode()


def play(
    script: list[Any],
    *,
    timeout: float = 30.0,
    is_read: bool = True,
    token: Any = None,
    took: float = 0.0,
    steps: Callable[[Reach, Call[Any]], Steps[Any]] | None = None,
) -> Played:
    """Drive a call through a script of answers and errors; each takes some seconds."""
    clock = [0.0]
    reach = Reach(URL, token, timeout, clock=lambda: clock[0], chance=lambda: 1.0)
    call: Call[Any] = Call(
        method="GET" if is_read else "POST",
        path="api/x",
        read=lambda body, _headers: body,
        is_read=is_read,
    )
    running = reach.perform(call) if steps is None else steps(reach, call)
    coming, played = list(script), Played(None, [], [], 0)
    value: Any = None
    while True:
        try:
            step = running.throw(value) if isinstance(value, Exception) else running.send(value)
        except StopIteration as end:
            played.outcome = end.value
            return played
        except WarmcubeError as error:
            played.outcome = error
            return played
        value = None
        match step:
            case Send(request):
                played.requests.append(request)
                clock[0] += took
                value = coming.pop(0)
            case Read(reply):
                value = reply.pieces.pop(0) if reply.pieces else b""  # type: ignore[attr-defined]
                clock[0] += took
            case Close():
                played.closed += 1
            case Wait(seconds):
                played.waits.append(seconds)
                clock[0] += seconds
            case Do(call_it):
                value = call_it()


BROKEN = httpx.ConnectError("no")
BUSY = problem(503, "overloaded", retry_after=2.5)


def test_an_answer_is_its_whole_body() -> None:
    """In as many pieces as it comes."""
    played = play([answer(body=[b"a", b"b", b"c"])])
    assert (played.outcome, played.closed, played.waits) == (b"abc", 1, [])


def test_a_read_is_tried_again_with_growing_pauses() -> None:
    """So often, and then the error comes out."""
    played = play([BROKEN] * ATTEMPTS)
    assert played.waits == [0.1, 0.2, 0.4, 0.8]
    assert isinstance(played.outcome, ServiceUnavailable)
    assert str(played.outcome) == (
        "the service at https://analytics.example.com can't be reached (ConnectError); check the "
        "address, and whether the service runs"
    )
    assert play([BROKEN, answer()]).outcome == b"{}"


@pytest.mark.parametrize("kind", [httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
def test_a_read_is_tried_again_when_it_breaks(kind: type[httpx.TransportError]) -> None:
    """As when a kept connection was closed from the other side."""
    assert play([kind("no"), answer()]).outcome == b"{}"


def test_what_takes_too_long_is_not_tried_again() -> None:
    """It would only be asked for twice."""
    played = play([httpx.ReadTimeout("no"), answer()])
    assert "didn't answer within 30 s (ReadTimeout)" in str(played.outcome)
    assert len(played.requests) == 1


def test_what_changes_something_is_never_tried_again() -> None:
    """Neither after a broken connection nor after a 503."""
    for coming in (BROKEN, httpx.ReadError("no"), answer(503, BUSY, retry_after="2")):
        played = play([coming, answer()], is_read=False)
        assert isinstance(played.outcome, WarmcubeError)
        assert len(played.requests) == 1


def test_a_503_says_when_to_come_back() -> None:
    """Exactly then the read is tried again; without a word of it it isn't."""
    played = play([answer(503, BUSY, retry_after="3"), answer()])
    assert (played.outcome, played.waits, played.closed) == (b"{}", [2.5], 2)
    played = play([answer(503, problem(503, "unanswerable"), retry_after="3"), answer()])
    assert played.waits == [3.0]
    played = play([answer(503, problem(503, "unanswerable")), answer()])
    assert isinstance(played.outcome, SourceUnavailable)
    played = play([answer(503, BUSY, retry_after="soon"), answer()])
    assert isinstance(played.outcome, Overloaded)


def test_the_deadline_bounds_everything() -> None:
    """No pause goes beyond it, and the hint comes out instead."""
    played = play([answer(503, BUSY, retry_after="3"), answer()], timeout=2.0)
    assert played.waits == []
    assert isinstance(played.outcome, Overloaded)
    assert played.outcome.retry_after == 2.5
    played = play([BROKEN] * ATTEMPTS, timeout=0.5, took=0.2)
    assert played.waits == [0.1]
    assert [each.extensions["timeout"]["read"] for each in played.requests] == [
        0.5,
        pytest.approx(0.2),
    ]


def test_a_body_that_takes_too_long_is_given_up() -> None:
    """However steadily it drips."""
    played = play([answer(body=[b"x"] * 100)], timeout=10.0, took=1.0)
    assert "took longer than 10 s" in str(played.outcome)
    assert played.closed == 1


def test_a_body_that_breaks_off_is_no_answer() -> None:
    """Nothing of it is used, and it isn't asked for again."""

    def steps(reach: Reach, call: Call[Any]) -> Steps[Any]:
        outer = reach.perform(call)
        step = next(outer)
        while True:
            sent = yield step
            if isinstance(step, Read):
                step = outer.throw(httpx.RemoteProtocolError("no"))
            else:
                step = outer.send(sent)

    played = play([answer()], steps=steps)
    assert "broke off (RemoteProtocolError)" in str(played.outcome)
    assert (played.closed, len(played.requests)) == (1, 1)


def test_redirects_are_not_followed() -> None:
    """The token goes nowhere else."""
    played = play([answer(308, b"", location="https://elsewhere.example.com/api/x")])
    assert isinstance(played.outcome, ServiceError)
    assert "a redirect (308), which isn't followed" in str(played.outcome)
    assert len(played.requests) == 1


def test_an_error_bears_the_id_of_its_request() -> None:
    """With which an operator finds the rest in the logs."""
    played = play([answer(403, problem(403, "denied"), x_request_id="r-7")])
    assert isinstance(played.outcome, AccessDenied)
    assert (str(played.outcome), played.outcome.__notes__) == ("why", ["request 'r-7'"])


def test_a_problem_without_an_end_is_read_no_further() -> None:
    """Its status says enough."""
    played = play([answer(403, [b"x" * 40_000] * 10)])
    assert str(played.outcome) == "the service answered with status 403"


def test_what_is_no_problem_is_told_by_its_status() -> None:
    """As from a proxy in between."""
    page = Answer(httpx.Response(502, headers={"content-type": "text/html"}), [b"<html>"])
    assert str(play([page]).outcome) == "the service answered with status 502"
    assert type(play([answer(500, b"[]")]).outcome) is ServiceError
    assert type(play([answer(500, b"nonsense")]).outcome) is ServiceError


def test_the_token_is_asked_for_each_time() -> None:
    """So that a new one counts from the next request on."""
    tokens = iter(["one", "two"])
    played = play([BROKEN, answer()], token=lambda: next(tokens))
    assert [each.headers["authorization"] for each in played.requests] == [
        "Bearer one",
        "Bearer two",
    ]
    assert [each.headers["authorization"] for each in play([answer()], token="t").requests] == [
        "Bearer t"
    ]
    assert "authorization" not in play([answer()]).requests[0].headers


def test_a_stream_is_handed_on_piece_by_piece() -> None:
    """And may take as long as it comes."""
    taken: list[bytes] = []
    played = play(
        [answer(body=[b"a"] * 100)],
        timeout=2.0,
        took=1.0,
        steps=lambda reach, call: reach.stream(call, taken.append),
    )
    assert taken == [b"a"] * 100
    assert isinstance(played.outcome, httpx.Headers)
    assert played.closed == 1
