"""The data folder of an embedded server: whose it is, its locks, and where its sockets go."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from warmcube.errors import EmbeddedError

__all__ = ["DataFolder", "is_lock_held"]

_SOCKET_PATH_LIMIT = 103  # bytes; Linux has 107, macOS 103
_LONGEST_SOCKET = "sockets/.s.PGSQL.5432"
_LOCK_POLL = 0.02


def _is_taken(descriptor: int) -> bool:
    """Take the lock, if nobody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_lock_held(path: Path) -> bool:
    """Whether any process holds this lock; a lock file that doesn't exist is not held."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _is_taken(descriptor)
    finally:
        os.close(descriptor)


class DataFolder:
    """A private folder for the data of one embedded server.

    Its three locks are held with flock, which the kernel releases however a process ends:

    ``join.lock``
        by a command while it finds or starts the server;
    ``supervisor.lock``
        by the supervisor, for life;
    ``server.lock``
        by the supervisor and by every process of the server: when it is free, nothing runs on
        these data, whatever a stale pid file says.

    Args:
        path: The folder; made if it isn't there.
        kind: "Redis" or "Postgres": a folder is only ever used by one of them.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path.expanduser().absolute()
        self.kind = kind
        self.supervisor_lock = self.path / "supervisor.lock"
        self.server_lock = self.path / "server.lock"
        self.pid_file = self.path / "server.pid"
        self.log = self.path / "server.log"
        self._runtime = self.path / "runtime"

    def claim(self) -> None:
        """Make the folder, or check that it is one of ours; only its owner may enter it.

        Raises:
            EmbeddedError: It can't be made or written, belongs to somebody else, or holds
                something else.
        """
        mark = self.path / "warmcube-embedded"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"the data folder {self.path} belongs to another user; "
                    "use a folder of your own, or run the command as its owner"
                )
            with contextlib.suppress(FileNotFoundError):
                kind = mark.read_text(encoding="utf-8").strip()
                if kind != self.kind:
                    raise EmbeddedError(
                        f"the data folder {self.path} is that of an embedded {kind}, "
                        f"not of {self.kind}; give each server a folder of its own"
                    )
                return
            if any(entry.name != "join.lock" for entry in self.path.iterdir()):
                raise EmbeddedError(
                    f"the folder {self.path} holds other files; an embedded {self.kind} needs a "
                    "new or an empty folder"
                )
            self.path.chmod(0o700)
            mark.write_text(f"{self.kind}\n", encoding="utf-8")
        except OSError as error:
            raise EmbeddedError(
                f"the data folder {self.path} can't be used: {error.strerror or error}; "
                "it must be a folder that you can write to"
            ) from error

    @contextlib.contextmanager
    def joining(self, deadline: float) -> Iterator[None]:
        """Be the only one who finds or starts this folder's server.

        Args:
            deadline: Until when to wait for it, on the monotonic clock.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = self.lock(self.path / "join.lock", deadline)
        except OSError as error:
            raise EmbeddedError(
                f"the data folder {self.path} can't be used: {error.strerror or error}; "
                "it must be a folder that you can write to"
            ) from error
        try:
            yield
        finally:
            os.close(descriptor)

    def lock(self, path: Path, deadline: float) -> int:
        """Hold a lock of this folder.

        Returns:
            The descriptor that holds it: closing it releases the lock.

        Raises:
            EmbeddedError: Somebody else held it until the deadline.
        """
        with contextlib.ExitStack() as opened:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            opened.callback(os.close, descriptor)
            while not _is_taken(descriptor):
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"another process held {path} for too long; if no warmcube command "
                        f"is at work, look into {self.log}"
                    )
                time.sleep(_LOCK_POLL)
            opened.pop_all()
        return descriptor

    def runtime(self) -> Path | None:
        """Where the sockets of the server that runs on this folder are, if any are known."""
        try:
            path = Path(self._runtime.read_text(encoding="utf-8").strip())
            facts = path.lstat()
        except (OSError, UnicodeError):
            return None
        return path if facts.st_uid == os.geteuid() and path.is_dir() else None

    def make_runtime(self, home: Path) -> tuple[Path, bool]:
        """Make the folder of the sockets, and note where it is.

        It is the home of the data, unless the path of a socket in it were too long for the
        kernel: then a short-lived folder with a short name.

        Args:
            home: Where the server keeps its data.

        Returns:
            The folder, and whether it should go when the server stops.
        """
        is_short = len(os.fsencode(home / _LONGEST_SOCKET)) <= _SOCKET_PATH_LIMIT
        runtime = home if is_short else Path(tempfile.mkdtemp(prefix="warmcube-", dir=_short()))
        self._runtime.write_text(f"{runtime}\n", encoding="utf-8")
        return runtime, not is_short

    def last_words(self, lines: int = 8) -> str:
        """The end of the server's log, for an error message."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])[-2_000:]


def _short() -> str:
    """A folder with a short name in which only we can make a folder of ours."""
    offered = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() != 0 and offered and os.access(offered, os.W_OK | os.X_OK):
        usual = Path(offered)
        if usual.stat().st_uid == os.geteuid() and len(os.fsencode(offered)) <= 48:
            return offered
    usual_temporary = tempfile.gettempdir()
    return usual_temporary if len(os.fsencode(usual_temporary)) <= 48 else "/tmp"  # noqa: S108
