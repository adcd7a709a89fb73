"""One connection, with bounds on time and size that no client can talk its way out of."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from warmcube.service.problems import MEDIA_TYPE, Problem

__all__ = ["HEAD_BYTES", "Bounds", "Connection", "protocol_of", "sweep"]

HEAD_BYTES: Final = 32_768
"""Of the request line and all headers; and again of what isn't body after them."""

_LINGER: Final = 2.0
"""Seconds for a client to notice that it is refused, before the connection ends."""
_LEAST: Final = 16_384
"""Bytes that somebody must take within the time-out, as long as an answer waits to be sent."""

_NO_LINGER: Final = struct.pack("ii", 1, 0)

_SLOW: Final = Problem(
    status=408, detail="the request took too long to arrive; send it without pauses"
)
_LARGE: Final = Problem(
    status=431,
    detail=f"the request line and headers are larger than {HEAD_BYTES:,} bytes; send a long "
    "query by POST",
)
_TRAILED: Final = Problem(
    status=431,
    detail=f"more than {HEAD_BYTES:,} bytes that are no body follow the headers; send no trailers",
)
_MALFORMED: Final = Problem(status=400, detail="the request isn't HTTP/1.1")
_CROWDED: Final = Problem(
    status=503,
    slug="overloaded",
    detail="there are as many connections as [service] connections allows; try again",
    headers={"Retry-After": "1"},
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process bears.

    Attributes:
        connections: at a time.
        seconds: for a request to arrive, and for each `_LEAST` bytes of an answer to be taken.
    """

    connections: int
    seconds: float


class Connection(HttpToolsProtocol):
    """uvicorn's connection, bounded.

    Times are looked at by `sweep`, every second or so, so that a request costs no timer.
    """

    bounds: Bounds

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.deadline: float | None = None
        """Until when what is being received must have arrived; None while nothing is."""
        self._head = 0
        self._is_in_head = True
        self._apart = 0
        self._is_refused = False
        self._unsent: tuple[float, int] | None = None
        self._closing_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.deadline = self.loop.time() + self.bounds.seconds
        excess = len(self.connections) - self.bounds.connections
        if excess > 0:
            self._is_refused = True
            self.deadline = self.loop.time() + _LINGER
            if excess > 16 + self.bounds.connections // 4:
                self.cut()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            self.refuse(_CROWDED)
            return
        if self.deadline is None:
            self.deadline = self.loop.time() + self.bounds.seconds
        if self._is_in_head:
            self._head += len(data)
        self._apart += len(data)
        super().data_received(data)
        if self._is_in_head and self._head > HEAD_BYTES:
            self.refuse(_LARGE)
        elif self._apart > HEAD_BYTES and not self._is_in_head:
            self.refuse(_TRAILED)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self.deadline is None:  # of a request that came with the one before
            self.deadline = self.loop.time() + self.bounds.seconds

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer is no header (RFC 9110 § 6.5.1): what stands in front may have looked at those.
        if self._is_in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES:
            self.refuse(_LARGE)
            return
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):  # RFC 9112 § 3.2
            self.refuse(_MALFORMED)
            return
        self._is_in_head = False
        self._apart = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._apart = 0  # trailers come after it, and the parser keeps them whole
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        super().on_message_complete()
        self.deadline = None
        self._head = 0
        self._is_in_head = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.deadline is not None and self.cycle.more_body:
            # Answered before the body was there: what still comes is of no use to anybody.
            self.deadline = min(self.deadline, self.loop.time() + _LINGER)

    def send_400_response(self, msg: str) -> None:
        """In the shape of all errors."""
        del msg
        self.refuse(_MALFORMED)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = (self.loop.time(), self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent = None

    def refuse(self, problem: Problem) -> None:
        """Say what is wrong, if nothing is being said already, and hang up."""
        if self.transport.is_closing():
            return
        if self._may_speak():
            self.transport.write(_raw(problem, self.server_state.default_headers))
        self.transport.close()

    def _may_speak(self) -> bool:
        """Whether the next response on this connection isn't somebody else's."""
        cycle = self.cycle
        if cycle is None:
            return True
        if self._is_in_head:
            return cycle.response_complete
        return not cycle.response_started and not self.pipeline

    def cut(self) -> None:
        """End the connection, with all that waits to be sent, in the kernel too."""
        opened = self.transport.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def check_time(self, now: float) -> None:
        """Hang up where somebody is too slow."""
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > self.bounds.seconds:  # what is left isn't taken
                self.cut()
            return
        if self._unsent is not None:
            since, size = self._unsent
            if now - since > self.bounds.seconds:
                left = self.transport.get_write_buffer_size()
                if left > size - _LEAST:
                    self.cut()
                    return
                self._unsent = (now, left)
        if self.deadline is not None and now > self.deadline:
            self.refuse(_CROWDED if self._is_refused else _SLOW)


def protocol_of(bounds: Bounds) -> type[Connection]:
    """The class of connections with these bounds."""
    return type("BoundedConnection", (Connection,), {"bounds": bounds})


def sweep(connections: Iterable[Any], now: float) -> None:
    """Look at the time of each connection.

    Args:
        connections: the open ones.
        now: the event loop's time.
    """
    for connection in list(connections):
        connection.check_time(now)


def _raw(problem: Problem, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A whole response, for whoever never got as far as the application."""
    body = orjson.dumps(problem.as_json())
    own = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **problem.headers,
    }
    lines = [STATUS_LINE[problem.status]]
    lines += (b"%b: %b\r\n" % each for each in headers)
    lines += (f"{name}: {value}\r\n".encode("ascii") for name, value in own.items())
    return b"".join((*lines, b"\r\n", body))
