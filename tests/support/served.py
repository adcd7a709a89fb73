"""Services in processes of their own, and what a client does to them over raw sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.support.servers import is_alive, wait_until

__all__ = ["Reply", "Running", "exchange", "raw_query", "read_reply", "running"]

PROGRAM: Final = [sys.executable, "-W", "error", "-c", "from warmcube.cli import main; main()"]
_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Reply:
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """Its JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Running:
    """A service that runs.

    Attributes:
        process: its supervisor.
        url: where it answers; empty until `await_url`.
        told: the lines that it wrote on standard error so far.
    """

    process: subprocess.Popen[str]
    url: str = ""
    told: list[str] = field(default_factory=list)
    _reader: threading.Thread | None = None
    _connections: list[socket.socket] = field(default_factory=list)

    def read_log(self) -> None:
        """Keep what it writes on standard error, so that it never waits for us."""

        def read() -> None:
            assert self.process.stderr is not None
            self.told.extend(iter(self.process.stderr.readline, ""))

        self._reader = threading.Thread(target=read)
        self._reader.start()

    def await_url(self) -> None:
        """Wait until it says where it answers."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, (line, self.told)
        self.url = found[0]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [pid for pid in map(int, tasks.read_text().split()) if is_alive(pid)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self.process.send_signal(number)

    def end(self, seconds: float = 30) -> int:
        """Its exit status, once it has ended."""
        status = self.process.wait(seconds)
        if self._reader is not None:
            self._reader.join()
        return status

    def connect(self, buffer: int | None = None) -> socket.socket:
        """A connection to it; closed in the end.

        Args:
            buffer: bytes that the system takes for us before we do; None for as many as it likes.
        """
        connection = socket.socket()
        self._connections.append(connection)
        connection.settimeout(30)
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def hang_up(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()


@contextmanager
def running(
    words: Sequence[str], folder: Path, *, program: Sequence[str] = PROGRAM, is_awaited: bool = True
) -> Iterator[Running]:
    """A service for as long as the context lasts.

    Args:
        words: after ``warmcube``.
        folder: the current folder.
        program: runs ``warmcube``.
        is_awaited: whether to wait until it answers.
    """
    own = ("WARMCUBE_", "CACHE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
    process = subprocess.Popen(
        [*program, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    service = Running(process)
    service.read_log()
    try:
        if is_awaited:
            service.await_url()
        yield service
    finally:
        service.hang_up()
        workers = service.workers if process.poll() is None else []
        process.kill()
        service.end()
        wait_until(lambda: not any(map(is_alive, workers)))
        if process.stdout is not None:
            process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()


def raw_query(body: bytes, *headers: str, path: str = "/api/query") -> bytes:
    """A whole request, byte for byte."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def exchange(service: Running, request: bytes) -> Reply:
    """Send bytes on a new connection, and read one response."""
    with service.connect() as connection:
        connection.sendall(request)
        return read_reply(connection)


def read_reply(connection: socket.socket) -> Reply:
    """The next response on a connection, and nothing of what follows it."""
    head = b""
    deadline = time.monotonic() + 60
    while not head.endswith(b"\r\n\r\n"):
        head += _more(connection, 1, deadline)
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = b""
    while missing := int(headers.get("content-length", "0")) - len(body):
        body += _more(connection, missing, deadline)
    return Reply(int(first.split()[1]), headers, body)


def _more(connection: socket.socket, most: int, deadline: float) -> bytes:
    connection.settimeout(deadline - time.monotonic())
    data = connection.recv(most)
    if not data:
        raise ConnectionResetError("the service hung up")
    return data
