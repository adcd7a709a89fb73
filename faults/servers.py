"""The servers that faults are done to: they can be killed, stopped and restarted at will."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import psycopg
import redis

from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis
from warmcube.errors import EmbeddedError

__all__ = ["PostgresServer", "RedisServer"]

_PATIENCE: Final = 30.0
_SOCKET: Final = ".s.PGSQL.5432"


class _Server:
    """What both kinds have in common."""

    def __init__(self, server: EmbeddedRedis | EmbeddedPostgres) -> None:
        self._server = server
        self._stopped: list[int] = []

    @property
    def pids(self) -> list[int]:
        """Its process, and those that it has started."""
        pid = self._server.pid
        found = [pid]
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
            found += map(int, children.split())
        return found

    def kill(self) -> None:
        """Let it end at once, without a chance to save anything."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it, as if its machine hung."""
        self._stopped = self.pids
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for pid in self._stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._stopped = []

    def bound_files(self, size: int | None) -> None:
        """Let it write no file beyond a size, as if the disk were full; None for any."""
        limit = "unlimited" if size is None else str(size)
        for pid in self.pids:
            with contextlib.suppress(FileNotFoundError):
                owner = Path(f"/proc/{pid}").stat()
                # Only a process of the same user may do that, root's may not.
                whose: dict[str, Any] = (
                    {}
                    if owner.st_uid == os.geteuid()
                    else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": ()}
                )
                words = ["prlimit", "--pid", str(pid), f"--fsize={limit}:unlimited"]
                subprocess.run(words, check=False, cwd="/", stderr=subprocess.DEVNULL, **whose)

    def start(self) -> None:
        """Start it on the data that it has."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._server.stop()
                self._server.start()
            except EmbeddedError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def end(self) -> None:
        """Stop it for good."""
        self.thaw()
        self._server.stop()


class RedisServer(_Server):
    """A Redis.

    Args:
        folder: for its data.
        extra_args: options of redis-server.
    """

    def __init__(self, folder: Path, extra_args: Sequence[str] = ()) -> None:
        self._redis = EmbeddedRedis(folder, extra_args=extra_args)
        self._dump = folder / "dump.rdb"
        self._socket = folder / "redis.sock"
        super().__init__(self._redis)

    @property
    def socket(self) -> Path:
        """Where it listens, or did when it was last up."""
        if self._redis.is_started:
            self._socket = self._redis.socket
        return self._socket

    @contextlib.contextmanager
    def client(self, password: str | None = None) -> Iterator[redis.Redis]:
        """A connection past all proxies."""
        made = redis.Redis(unix_socket_path=str(self.socket), password=password)
        with contextlib.closing(made) as client:
            yield client

    def save(self) -> None:
        """Have it write its data down."""
        with self.client() as client:
            client.save()

    def forget_data(self) -> None:
        """Lose what it has written down; it must not run."""
        self._dump.unlink(missing_ok=True)


class PostgresServer(_Server):
    """A Postgres.

    Args:
        folder: for its data.
    """

    def __init__(self, folder: Path) -> None:
        self._postgres = EmbeddedPostgres(folder)
        self._url = ""
        super().__init__(self._postgres)

    @property
    def url(self) -> str:
        """Of its database ``postgres``, past all proxies; the last one, while it is down."""
        if self._postgres.is_started:
            self._url = self._postgres.url
        return self._url

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return Path(parse_qs(urlsplit(self.url).query)["host"][0], _SOCKET)

    def execute(self, *statements: str) -> None:
        """Run statements."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)
