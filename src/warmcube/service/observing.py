"""What is known of every request: its id, a line in the access log, figures. Plain ASGI middleware.

It has to stand outermost, so that it sees what was really sent, whoever made it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from warmcube.audit.context import REQUEST_ID
from warmcube.observe.metrics import Metrics
from warmcube.service.access_log import AccessLog, Served

__all__ = ["Observation", "RequestObserver", "observe"]

_HEADER: Final = b"x-request-id"
_ACCEPTABLE: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


@dataclass(slots=True, eq=False)
class _Seen:
    """What is known of a request so far."""

    request: str
    began: float  # Unix seconds
    clock: float  # by the clock that only grows
    status: int | None = None
    sent: int = 0


class Observation:
    """Where figures and lines of requests go; set when the service starts.

    Attributes:
        metrics: None where there are none.
        log: likewise.
    """

    def __init__(self) -> None:
        self.metrics: Metrics | None = None
        self.log: AccessLog | None = None
        self._told = 0  # how many of the log's lost lines are in the figures

    def add_line(self, served: Served) -> None:
        """Have a line logged, and tell what was lost of those before."""
        if self.log is None:
            return
        self.log.add(served)
        lost = self.log.dropped - self._told
        if lost and self.metrics is not None:
            self.metrics.counter("access_log_dropped").add(lost)
            self._told += lost


@asynccontextmanager
async def observe(
    observation: Observation, metrics: Metrics | None, descriptor: int | None
) -> AsyncIterator[None]:
    """Observe while the context lasts.

    Args:
        observation: that of the middleware.
        metrics: where to count.
        descriptor: where access lines go.
    """
    observation.metrics = metrics
    if descriptor is not None:
        observation.log = AccessLog(descriptor)
    try:
        yield
    finally:
        log, observation.log, observation.metrics = observation.log, None, None
        if log is not None:
            await asyncio.to_thread(log.close)


class RequestObserver:
    """Gives each request an id, and has it logged and counted when it is over.

    The id is the caller's own ``X-Request-ID`` if that is a harmless one. It goes back with the
    answer, and is in the audit lines of whatever the request asks for.

    Args:
        app: whose requests.
        observation: where to.
    """

    def __init__(self, app: ASGIApp, observation: Observation) -> None:
        self._app = app
        self._observation = observation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _request_id(scope["headers"])
        # Of this request alone, and shared by whoever copies the scope.
        scope["state"] = dict(scope.get("state") or {})
        seen = _Seen(request, time.time(), time.perf_counter())

        async def observe_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                others = [each for each in message.get("headers", ()) if each[0] != _HEADER]
                message = {**message, "headers": [*others, (_HEADER, request.encode())]}
            elif message["type"] == "http.response.body":
                seen.sent += len(message.get("body", b""))
            await send(message)

        metrics = self._observation.metrics
        token = REQUEST_ID.set(request)
        if metrics is not None:
            metrics.counter("http_requests_in_flight").add()
        try:
            await self._app(scope, receive, observe_and_send)
        finally:
            REQUEST_ID.reset(token)
            if metrics is not None:
                metrics.counter("http_requests_in_flight").add(-1)
            self._tell(scope, seen)

    def _tell(self, scope: Scope, seen: _Seen) -> None:
        observation = self._observation
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        milliseconds = (time.perf_counter() - seen.clock) * 1000
        if observation.metrics is not None:
            _count(observation.metrics, (route, method), seen, milliseconds)
        if observation.log is not None:
            state: dict[str, Any] = scope["state"]
            client = scope.get("client")
            observation.add_line(
                Served(
                    time=seen.began,
                    request=seen.request,
                    method=method,
                    route=route,
                    status=seen.status,
                    milliseconds=milliseconds,
                    sent=seen.sent,
                    user=state.get("user"),
                    authentication=state.get("method"),
                    client=None if client is None else client[0],
                    problem=state.get("problem"),
                )
            )


def _count(metrics: Metrics, what: tuple[str, str], seen: _Seen, milliseconds: float) -> None:
    status = "none" if seen.status is None else str(seen.status)
    metrics.counter("http_requests", *what, status).add()
    metrics.histogram("http_request_seconds", *what).observe(milliseconds / 1000)
    metrics.counter("http_response_bytes").add(seen.sent)


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The caller's id, if there is just one and it can do no harm; else a new one."""
    given = [value for name, value in headers if name == _HEADER]
    if len(given) == 1 and _ACCEPTABLE.fullmatch(given[0]):
        return given[0].decode()
    return secrets.token_hex(8)
