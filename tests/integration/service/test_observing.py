"""Requests have an id, a line in the access log, and audit lines that can be found by it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.audit import read_lines
from tests.support.caches import make_cache
from tests.support.leaks import LeakScan
from tests.support.services import as_user, open_client, query_of

from warmcube.audit.context import REQUEST_ID
from warmcube.service.observing import Observation, RequestObserver

KINDS = ("granted", "blocked_filter", "denied")


async def test_access_log_and_audit_share_the_id(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Each request has one line, which says who asked for what kind of thing, but not for what."""
    audit, log = tmp_path / "audit.jsonl", tmp_path / "access.log"
    more = f'[audit]\npath = "{audit}"\n'
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    with log.open("wb") as file:
        async with open_client(settings, LeakScan(PRACTICES), access_log=file.fileno()) as opened:
            client, _ = opened
            client.headers["Accept-Encoding"] = "identity"  # so that lengths can be compared
            query = query_of(practices=[101])
            answers = [
                await client.post("/api/query", json=query, headers=as_user("north")),
                await client.post(
                    "/api/query",
                    json=query_of(practices=[110]),
                    headers=as_user("north", **{"X-Request-ID": "mine-4711"}),
                ),
                await client.get(
                    "/api/datasources/1/values/note",
                    params={"q": json.dumps(query_of())},
                    headers=as_user("nobody-knows-me"),
                ),
                await client.get("/secret/path?token=secret", headers={"Cookie": "secret=secret"}),
                await client.get("/api/datasources"),
            ]
    ids = [answer.headers["x-request-id"] for answer in answers]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    shown = ("request", "method", "route", "status", "bytes", "user", "auth", "problem")
    assert [tuple(line[name] for name in shown) for line in lines] == [
        (*(id_, method, route, answer.status_code, len(answer.content)), *who)
        for id_, answer, (method, route, *who) in zip(
            ids,
            answers,
            [
                ("POST", "/api/query", "north", "token", None),
                ("POST", "/api/query", "north", "token", "AccessDenied"),
                (
                    *("GET", "/api/datasources/{id}/values/{column}"),
                    *("nobody-knows-me", "token", "AccessDenied"),
                ),
                ("GET", "unmatched", None, None, "HTTPException"),
                ("GET", "/api/datasources", None, None, "Unauthenticated (missing)"),
            ],
            strict=True,
        )
    ]
    assert [answer.status_code for answer in answers] == [200, 403, 403, 404, 401]
    assert len(set(ids)) == 5
    assert ids[1] == "mine-4711"
    assert {line["client"] for line in lines} == {"127.0.0.1"}
    assert "secret" not in log.read_text()
    events = [each for each in read_lines(audit.read_bytes()) if each["event"] in KINDS]
    assert [(each["event"], each["request"]) for each in events] == [
        ("granted", ids[0]),
        ("blocked_filter", ids[1]),
        ("denied", ids[2]),
    ]


@pytest.mark.parametrize(
    "given",
    [
        [b"a b"],
        [b""],
        [b"x" * 65],
        [b"a\r\nSet-Cookie: a=b"],
        [b"\xff"],
        [b"one", b"two"],
        [],
    ],
)
async def test_an_id_that_could_do_harm_is_replaced(given: list[bytes]) -> None:
    """So is one that is ambiguous."""
    sent, seen = await pass_through([(b"x-request-id", value) for value in given])
    assert re.fullmatch("[0-9a-f]{16}", seen[0])
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", seen[0].encode())]


async def test_a_harmless_id_is_kept() -> None:
    """And the application's own of that name is not sent beside it."""
    sent, seen = await pass_through([(b"x-request-id", b"A-z_0.9")], own=b"another")
    assert seen == ["A-z_0.9"]
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", b"A-z_0.9")]


async def pass_through(
    headers: list[tuple[bytes, bytes]], own: bytes | None = None
) -> tuple[list[Message], list[Any]]:
    """What comes out of the middleware, and the ids that the application saw."""
    seen: list[Any] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(REQUEST_ID.get())
        scope["state"]["user"] = "somebody"
        more = [] if own is None else [(b"x-request-id", own)]
        start = {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b"), *more]}
        await send(start)
        await send({"type": "http.response.body", "body": b"x"})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    shared: dict[str, Any] = {}
    scope = {"type": "http", "method": "GET", "headers": headers, "state": shared}
    await RequestObserver(app, Observation())(scope, receive, send)
    assert REQUEST_ID.get() is None
    assert shared == {}  # of all requests: nobody's user stands there
    return sent, seen


async def test_a_request_that_fails_is_counted_and_logged(
    client: httpx.AsyncClient, app: Any
) -> None:
    """With the status that its defect was answered with; none is in flight any more."""

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    app.state.service.cache.open_datasources = fail
    assert (await client.get("/api/datasources", headers=as_user("root"))).status_code == 500
    text = (await client.get("/metrics")).text
    assert (
        'warmcube_http_requests_total{method="GET",route="/api/datasources",status="500"} 1.0'
        in text
    )
    assert "warmcube_http_requests_in_flight 1.0" in text


async def test_lost_lines_are_in_the_figures(tmp_path: Path, redis_url: str, facts: str) -> None:
    """A log that nobody reads any more is no reason not to answer."""
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS).settings
    reading, writing = os.pipe()
    os.close(reading)
    async with open_client(settings, LeakScan(PRACTICES), access_log=writing) as (client, _):
        for _ in range(200):
            text = (await client.get("/metrics")).text
            found = re.search(r"^warmcube_access_log_dropped_total (\S+)$", text, re.MULTILINE)
            if found:
                break
        assert found is not None
        assert float(found[1]) > 0
    os.close(writing)
