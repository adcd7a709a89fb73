"""The access log: a line of JSON for each request, written off the event loop.

A line holds no secret, no query string, and no path but the template of one that was matched. What
comes from outside is bounded, and nothing in it can end or forge a line.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from warmcube.audit.text import escape, shorten
from warmcube.audit.writing import write_all

__all__ = ["AccessLog", "Served"]

_QUEUE: Final = 10_000
_GATHER: Final = 0.05
"""Seconds for which lines are gathered, so that a write has many of them."""
_BATCH: Final = 500
_PATIENCE: Final = 2.0
"""Seconds that the end waits for what isn't written yet."""


@dataclass(frozen=True, slots=True)
class Served:
    """One request, when it is over.

    Attributes:
        time: Unix seconds at which it came.
        request: its id.
        method: of HTTP.
        route: the template of its path; "unmatched" if there is none.
        status: of the answer; None if it never got one.
        milliseconds: until its end.
        sent: bytes of the answer's body.
        user: whose rights counted, if that became known.
        authentication: how they were recognised.
        client: the address that it came from.
        problem: the kind of error that it was answered with.
    """

    time: float
    request: str
    method: str
    route: str
    status: int | None
    milliseconds: float
    sent: int
    user: str | None
    authentication: str | None
    client: str | None
    problem: str | None


class AccessLog:
    """Writes lines to a descriptor in a thread of its own; whoever adds one never waits.

    A reader that doesn't keep up loses lines, which are counted, and holds up nobody.

    Args:
        descriptor: where lines go; that of standard error is 2.
        queue_size: how many lines may wait.
    """

    def __init__(self, descriptor: int, *, queue_size: int = _QUEUE) -> None:
        self._descriptor = descriptor
        self._refused = 0  # counted by who adds
        self._failed = 0  # counted by the thread
        self._queue_size = queue_size
        self._queue: deque[Served] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="warmcube-access-log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many lines were lost so far."""
        return self._refused + self._failed

    def add(self, served: Served) -> None:
        """Have a line written."""
        if len(self._queue) >= self._queue_size:
            self._refused += 1
            return
        self._queue.append(served)
        if not self._wake.is_set():
            self._wake.set()

    def close(self) -> None:
        """Write what is left, unless nobody reads it."""
        self._closing.set()
        self._wake.set()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(_GATHER)
            self._wake.clear()
            while self._queue:
                self._write([self._queue.popleft() for _ in range(min(len(self._queue), _BATCH))])

    def _write(self, batch: list[Served]) -> None:
        try:
            write_all(self._descriptor, b"".join(map(_line, batch)))
        except OSError:  # nobody reads any more; there is nowhere to tell that but in the figures
            self._failed += len(batch)


def _line(served: Served) -> bytes:
    at = datetime.fromtimestamp(served.time, UTC)
    return orjson.dumps(
        {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "event": "request",
            "request": served.request,
            "method": served.method,
            "route": served.route,
            "status": served.status,
            "ms": round(served.milliseconds, 3),
            "bytes": served.sent,
            "user": _fit(served.user),
            "auth": _fit(served.authentication),
            "client": _fit(served.client),
            "problem": _fit(served.problem),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _fit(text: Any) -> str | None:
    return None if text is None else escape(shorten(str(text)))
