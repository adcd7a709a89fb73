"""What the embedded servers have in common: finding, starting, sharing and stopping them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from warmcube.embedded import supervise
from warmcube.embedded.folder import DataFolder, is_lock_held
from warmcube.errors import EmbeddedError

__all__ = ["EmbeddedServer"]

_STOP_SECONDS = 60.0
_ORPHAN_SECONDS = 3.0


class EmbeddedServer(ABC):
    """A real server, on a Unix socket, on the data of one folder.

    The first who starts it on a folder starts the process; others, in this process or in another,
    share it; when the last one stops or dies, it is stopped. The data stay in the folder.

    Args:
        folder: Where the data are kept; made if it isn't there. Private to its owner.
        start_seconds: How long the server may take to answer.
    """

    kind: str

    def __init__(self, folder: Path, *, start_seconds: float = 60.0) -> None:
        self._folder = DataFolder(folder, self.kind)
        self._start_seconds = start_seconds
        self._connection: socket.socket | None = None
        self._ready: Mapping[str, Any] = {}

    @property
    def folder(self) -> Path:
        """The data folder."""
        return self._folder.path

    @property
    def log(self) -> Path:
        """What the server wrote since it was started."""
        return self._folder.log

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return int(self._started["pid"])

    @property
    def set_aside(self) -> Path | None:
        """The data file that could not be read at this start, under its new name."""
        name = self._started["set_aside"]
        return Path(name) if name else None

    @property
    def is_started(self) -> bool:
        """Whether this object holds on to a server."""
        return self._connection is not None

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client connects to."""

    @abstractmethod
    def _job(self, sockets: Path, control: Path, home: Path) -> supervise.Job:
        """What the supervisor shall run; the folder is ours, and nothing runs on it."""

    def _home(self) -> Path:
        """Where the data are kept."""
        return self.folder

    def _open_sockets(self, runtime: Path) -> Path:
        """Make the folder of the server's socket, empty, and for the server only."""
        sockets = runtime / "sockets"
        shutil.rmtree(sockets, ignore_errors=True)
        sockets.mkdir(mode=0o700)
        return sockets

    @property
    def _started(self) -> Mapping[str, Any]:
        if self._connection is None:
            raise EmbeddedError(
                f"the embedded {self.kind} on {self.folder} is not started: call start() first"
            )
        return self._ready

    @property
    def _sockets(self) -> Path:
        """Where the sockets of the running server are."""
        return Path(self._started["sockets"])

    def start(self) -> None:
        """Start the server, or join the one that runs on this folder; wait until it answers.

        Raises:
            EmbeddedError: It can't be started; the message has the end of its log.
        """
        if self._connection is not None:
            return
        deadline = time.monotonic() + self._start_seconds + _STOP_SECONDS
        try:
            with self._folder.joining(deadline):
                self._folder.claim()
                if not self._join():
                    self._launch(deadline)
        except (OSError, subprocess.SubprocessError) as error:
            raise self._failure(str(error)) from error

    def stop(self) -> None:
        """Let go of the server; if nobody else uses it, wait until it has saved and ended."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        with connection:
            connection.settimeout(_STOP_SECONDS)
            try:
                connection.sendall(b'{"bye": true}\n')
                self._read(connection)  # how many others there are, or the supervisor's end
            except TimeoutError:
                raise self._failure("it didn't stop in time") from None
            except OSError:
                return  # the supervisor is gone, and the server with it

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "started" if self.is_started else "not started"
        return f"<{type(self).__name__} on {self.folder}, {state}>"

    def _join(self) -> bool:
        """Connect to the supervisor that serves this folder; False if there is none."""
        runtime = self._folder.runtime()
        if runtime is None or not is_lock_held(self._folder.supervisor_lock):
            return False
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(runtime / "control.sock"))
            answer = self._await(connection)
        except OSError:  # it is about to end
            connection.close()
            return False
        except BaseException:
            connection.close()
            raise
        if answer is None:
            connection.close()
            return False
        self._settle(connection, answer, runtime)
        return True

    def _launch(self, deadline: float) -> None:
        """Start a supervisor, and have it start the server."""
        folder = self._folder
        with contextlib.ExitStack() as held:
            supervisor_lock = folder.lock(folder.supervisor_lock, deadline)
            held.callback(os.close, supervisor_lock)
            if is_lock_held(folder.server_lock):
                self._end_orphan()
            server_lock = folder.lock(folder.server_lock, deadline)
            held.callback(os.close, server_lock)
            folder.log.write_bytes(b"")
            home = self._home()
            runtime, is_temporary = folder.make_runtime(home)
            if is_temporary:  # goes when the server stops, or at once if it isn't started
                held.callback(self._drop, runtime)
            control = runtime / "control.sock"
            control.unlink(missing_ok=True)
            job = self._job(self._open_sockets(runtime), control, home)
            if is_temporary and job.sweep is not None:
                job.sweep.append(str(runtime))
            ours, theirs = socket.socketpair()
            held.callback(theirs.close)
            try:
                passed = (theirs.fileno(), supervisor_lock, server_lock)
                self._spawn(passed)
                ours.sendall(job.to_line())
                theirs.close()
                answer = self._await(ours)
            except ConnectionError:
                answer = None
            except BaseException:
                ours.close()
                raise
        if answer is None:
            ours.close()
            raise self._failure("its supervisor ended")
        self._settle(ours, answer, runtime)

    def _drop(self, runtime: Path) -> None:
        """Remove the folder of the sockets, unless a supervisor has put its own there."""
        if not (runtime / "control.sock").exists():
            shutil.rmtree(runtime, ignore_errors=True)

    def _spawn(self, passed: tuple[int, int, int]) -> None:
        """Run the supervisor, in a session of its own, with these descriptors."""
        with self._folder.log.open("ab") as log:
            subprocess.run(  # noqa: S603  our own interpreter on our own file
                [sys.executable, "-I", supervise.__file__, *map(str, passed)],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=passed,
                start_new_session=True,
                check=True,
            )

    def _settle(self, connection: socket.socket, answer: Mapping[str, Any], runtime: Path) -> None:
        if "failed" in answer:
            with connection:
                self._read(connection)  # the supervisor's end
            raise self._failure(answer["failed"])
        connection.settimeout(None)
        self._connection = connection
        self._ready = {**answer["ready"], "sockets": runtime / "sockets"}

    def _await(self, connection: socket.socket) -> Mapping[str, Any] | None:
        """The supervisor's answer to a start; its own time limit comes before this one."""
        connection.settimeout(2 * self._start_seconds + _STOP_SECONDS)
        return self._read(connection)

    @staticmethod
    def _read(connection: socket.socket) -> Mapping[str, Any] | None:
        """The next line that the supervisor says; None at the end of the connection."""
        with connection.makefile("rb") as lines:
            line = lines.readline()
        answer: Mapping[str, Any] | None = json.loads(line) if line else None
        return answer

    def _end_orphan(self) -> None:
        """End a server whose supervisor was killed, where the kernel hasn't done so already."""
        for number in (None, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL):
            if number is not None:
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int(self._folder.pid_file.read_text(encoding="ascii")), number)
            until = time.monotonic() + _ORPHAN_SECONDS
            while time.monotonic() < until:
                if not is_lock_held(self._folder.server_lock):
                    return
                time.sleep(0.02)

    def _failure(self, reason: str) -> EmbeddedError:
        words = self._folder.last_words()
        told = f"; the end of its log {self.log}:\n{words}" if words else ""
        return EmbeddedError(
            f"the embedded {self.kind} on {self.folder} can't be used: {reason}{told}"
        )
