"""A Redis of a test's own, to be killed, frozen, cut off and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from warmcube.embedded.redis_server import redis_executable

__all__ = ["OwnRedis", "own_redis"]


class OwnRedis:
    """One server on loopback; it keeps its port over its lives, and nothing else."""

    def __init__(self, folder: Path, executable: Path | None) -> None:
        self._folder = folder
        self._executable = executable or redis_executable()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, alive or not."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                str(self._executable),
                *("--bind", "127.0.0.1", "--port", str(self.port)),
                *("--dir", str(self._folder), "--save", "", "--logfile", str(os.devnull)),
            ]
        )
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError), self.client() as client:
                client.ping()
                return
            time.sleep(0.01)
        raise AssertionError("Redis didn't start")

    def client(self) -> redis.Redis:
        """A client of the client library's own."""
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """End it at once, without a farewell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it be silent, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def own_redis(folder: Path, executable: Path | None) -> Iterator[OwnRedis]:
    """A server that is running, and ends with the block."""
    server = OwnRedis(folder, executable)
    server.start()
    try:
        yield server
    finally:
        server.kill()
