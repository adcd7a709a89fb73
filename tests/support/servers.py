"""Embedded servers of each kind, and commands that use them in processes of their own."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
from adbc_driver_postgresql import dbapi

from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis

__all__ = ["Command", "Site", "is_alive", "socket_folder", "supervisor_of", "wait_until"]

_COMMAND = """
import sys
from pathlib import Path
from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis
server = {"redis": EmbeddedRedis, "postgres": EmbeddedPostgres}[sys.argv[1]](Path(sys.argv[2]))
try:
    with server:
        print(server.pid, server.url, flush=True)
        sys.stdin.readline()
except KeyboardInterrupt:
    sys.exit(130)
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, and fail if it doesn't come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail("it did not come true in time")
        time.sleep(0.01)


@dataclass(kw_only=True)
class Command:
    """A process that uses the server of a folder until told to stop."""

    process: subprocess.Popen[str]
    pid: int = 0  # of the server
    url: str = ""

    def await_server(self) -> None:
        """Wait until it says which server it uses."""
        assert self.process.stdout is not None
        pid, self.url = self.process.stdout.readline().split()
        self.pid = int(pid)

    def finish(self) -> int:
        """Let it stop the server and end; its exit status."""
        self.process.communicate("\n", timeout=60)
        return self.process.returncode


@dataclass(kw_only=True)
class Site:
    """A folder and a kind of server, with all that a test does there."""

    kind: str
    folder: Path
    commands: list[Command] = field(default_factory=list)

    def server(self) -> EmbeddedRedis | EmbeddedPostgres:
        """A server object in this process."""
        return EmbeddedRedis(self.folder) if self.kind == "redis" else EmbeddedPostgres(self.folder)

    def begin(self) -> Command:
        """Start a command in a process group of its own, without waiting for its server."""
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, self.kind, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        command = Command(process=process)
        self.commands.append(command)
        return command

    def run(self) -> Command:
        """Start a command, and wait until its server answers."""
        command = self.begin()
        command.await_server()
        return command

    def put(self, url: str, value: int) -> None:
        """Keep a number in the server."""
        if self.kind == "redis":
            with contextlib.closing(redis.Redis.from_url(url)) as client:
                client.set("number", value)
        else:
            with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
                cursor.execute("CREATE TABLE IF NOT EXISTS numbers (n bigint)")
                cursor.execute("DELETE FROM numbers")
                cursor.execute(f"INSERT INTO numbers VALUES ({value})")

    def get(self, url: str) -> int | None:
        """The number that was kept."""
        if self.kind == "redis":
            with contextlib.closing(redis.Redis.from_url(url)) as client:
                found = client.get("number")
            return int(found) if isinstance(found, bytes) else None
        with dbapi.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n FROM numbers")
            row = cursor.fetchone()
        return int(row[0]) if row else None


def socket_folder(url: str) -> Path:
    """The folder of the socket that a URL names."""
    parts = urlsplit(url)
    return Path(parse_qs(parts.query)["host"][0] if parts.query else Path(parts.path).parent)


def supervisor_of(pid: int) -> int:
    """The process that started this server."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
