"""The process that stands between warmcube's commands and one embedded server.

One supervisor runs one server. It starts in a session of its own, so that a Ctrl-C at the terminal
reaches the command and not the server, and it holds one connection from every command that uses
the server. The kernel closes that connection however the command ends, kill -9 included; when the
last one is gone, the supervisor stops the server cleanly, and ends.

This file is run as a script, by path, and therefore imports nothing but the standard library: the
package around it would take longer to import than the server takes to start.

The words on a connection are lines of JSON. The first command, which starts the supervisor, sends
the `Job`. Every command is sent ``{"ready": …}`` or ``{"failed": …}``. A command that is done sends
``{"bye": true}`` and is told ``{"others": n}``, or, if it was the last, sees the end of the
connection when the server has stopped.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["Job", "Supervisor", "answers_redis", "is_postgres_ready", "main"]

_PR_SET_PDEATHSIG = 1
_LINE = 65_536


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to run, and how to tell that it runs.

    Paths are text, because the whole travels as JSON.
    """

    name: str  # of the server, for messages
    command: list[str]
    environment: dict[str, str]
    folder: str  # working folder of the server
    control: str  # socket for the commands that come later
    log: str  # where the server's output goes
    pid_file: str  # where the server's process id is written
    probe: str  # "redis" or "postgres"
    probe_path: str  # Redis: its socket; Postgres: its postmaster.pid
    stop_signals: list[tuple[int, float]]  # each with the seconds that it is given
    start_seconds: float
    prepare: list[str] | None = None  # runs first, once (initdb)
    prepared: tuple[str, str] | None = None  # then this folder gets that name
    suspect: str | None = None  # a file to do without if the server can't start on it
    sweep: list[str] | None = None  # sockets and folders that go when the server has stopped
    user: int | None = None
    group: int | None = None

    def to_line(self) -> bytes:
        """The job as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        """The job out of the line that `to_line` wrote."""
        return cls(**json.loads(line))


class _Dismissed(Exception):
    """The last command is gone, or somebody asked the supervisor to stop."""


class _StartFailed(Exception):
    """The server can't be started; the message is for the commands."""


def answers_redis(path: str) -> bool:
    """Whether a Redis or Valkey on this socket answers, and has loaded its data."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        client.connect(path)
        client.sendall(b"PING\r\n")
        return client.recv(64).startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))
    return False


def is_postgres_ready(postmaster_pid: str) -> bool:
    """Whether Postgres says in its ``postmaster.pid`` (line 8) that it takes connections."""
    try:
        lines = Path(postmaster_pid).read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


_PROBES: dict[str, Callable[[str], bool]] = {
    "redis": answers_redis,
    "postgres": is_postgres_ready,
}


def _die_with_parent(number: int) -> Callable[[], None]:
    """What a child calls before it becomes the server: it shall not outlive its supervisor."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    supervisor = os.getpid()

    def apply() -> None:  # pragma: no cover  runs between fork and exec, where nothing measures
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, number)
            if os.getppid() != supervisor:  # it died before the line above
                os._exit(1)

    return apply


class Supervisor:
    """Runs one server for as long as any command is connected.

    Args:
        job: What to run.
        starter: The connection of the command that started this supervisor.
        lock: A descriptor that holds the folder's server lock. The server inherits it, so that
            the lock is held for as long as any of the server's processes lives.
    """

    def __init__(self, job: Job, starter: socket.socket, lock: int) -> None:
        self._job = job
        self._lock = lock
        self._clients = {starter}
        self._last: socket.socket | None = None  # said bye, and waits for the end
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: bytes | None = None
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX)
        self._selector.register(starter, selectors.EVENT_READ, self._hear)

    def run(self) -> None:
        """Start the server, serve the commands, stop the server."""
        failed: Exception | None = None
        try:
            self._listen()
            with contextlib.suppress(_Dismissed):
                self._prepare()
                self._launch()
                self._serve()
        except (OSError, subprocess.SubprocessError, _StartFailed) as error:
            failed = error
        finally:
            self._close()
        if failed is not None:
            self._tell({"failed": str(failed)})

    def _listen(self) -> None:
        self._watch_signals()
        self._listener.bind(self._job.control)
        Path(self._job.control).chmod(0o600)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _watch_signals(self) -> None:
        """Make a child's end and a request to stop wake the selector."""
        wake, woken = socket.socketpair()
        wake.setblocking(False)
        woken.setblocking(False)

        def hear(_: object) -> None:
            if set(woken.recv(_LINE)) & {signal.SIGTERM, signal.SIGINT}:
                raise _Dismissed

        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._wake = wake  # keeps the descriptor open
        self._selector.register(woken, selectors.EVENT_READ, hear)

    def _turn(self, seconds: float | None = None) -> None:
        """Wait for something to happen, and see to it."""
        for key, _ in self._selector.select(seconds):
            key.data(key.fileobj)

    def _accept(self, _: object) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _address = self._listener.accept()
            client.settimeout(5.0)  # a command that doesn't read must not hold up the others
            self._clients.add(client)
            self._selector.register(client, selectors.EVENT_READ, self._hear)
            if self._ready is not None:
                self._send(client, self._ready)

    def _hear(self, client: socket.socket) -> None:
        try:
            said = client.recv(_LINE)
        except OSError:
            said = b""
        self._selector.unregister(client)
        self._clients.discard(client)
        if said and self._clients:
            self._send(client, json.dumps({"others": len(self._clients)}).encode() + b"\n")
        if said and not self._clients:
            self._last = client
        else:
            client.close()
        if not self._clients:
            raise _Dismissed

    def _send(self, client: socket.socket, line: bytes) -> None:
        with contextlib.suppress(OSError):  # it is gone, which `_hear` will notice
            client.sendall(line)

    def _tell(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        for client in self._clients:
            self._send(client, line)

    def _spawn(self, command: list[str], die_of: int) -> subprocess.Popen[bytes]:
        job = self._job
        with Path(job.log).open("ab") as log:
            return subprocess.Popen(  # noqa: S603  the command is our own
                command,
                cwd=job.folder,
                env=job.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=job.user,
                group=job.group,
                extra_groups=None if job.user is None else [],
                umask=0o077,
                pass_fds=(self._lock,),
                process_group=0,
                preexec_fn=_die_with_parent(die_of),  # noqa: PLW1509  this process has one thread
            )

    def _prepare(self) -> None:
        job = self._job
        if job.prepare is None:
            return
        preparing = self._spawn(job.prepare, signal.SIGKILL)
        try:
            while preparing.poll() is None:
                self._turn(0.05)
        finally:
            if preparing.poll() is None:
                os.killpg(preparing.pid, signal.SIGKILL)
                preparing.wait()
        if preparing.returncode != 0:
            raise _StartFailed(f"{job.name} could not lay out its data folder")
        if job.prepared is not None:
            Path(job.prepared[0]).rename(job.prepared[1])

    def _launch(self) -> None:
        """Start the server; if it can't start on the data it finds, start it without them."""
        job = self._job
        set_aside: Path | None = None
        if not self._comes_up():
            suspect = Path(job.suspect) if job.suspect else None
            if suspect is None or not suspect.exists():
                raise _StartFailed(f"{job.name} ended while starting")
            set_aside = suspect.with_name(suspect.name + ".unreadable")
            suspect.replace(set_aside)
            if not self._comes_up():
                set_aside.replace(suspect)
                raise _StartFailed(f"{job.name} ended while starting")
        pid = self._process.pid if self._process else None
        ready = {"pid": pid, "set_aside": str(set_aside) if set_aside else None}
        self._ready = json.dumps({"ready": ready}).encode() + b"\n"
        self._tell({"ready": ready})

    def _comes_up(self) -> bool:
        job = self._job
        process = self._process = self._spawn(job.command, job.stop_signals[0][0])
        Path(job.pid_file).write_text(f"{process.pid}\n", encoding="ascii")
        deadline = time.monotonic() + job.start_seconds
        while process.poll() is None:
            if _PROBES[job.probe](job.probe_path):
                return True
            if time.monotonic() > deadline:
                raise _StartFailed(f"{job.name} didn't answer within {job.start_seconds:g} seconds")
            self._turn(0.01)
        return False

    def _serve(self) -> None:
        while self._process is not None and self._process.poll() is None:
            self._turn()

    def _close(self) -> None:
        """Stop the server and tidy up."""
        job = self._job
        with contextlib.suppress(OSError):  # first, so that nobody joins what is about to end
            Path(job.control).unlink()
        self._listener.close()
        self._stop()
        with contextlib.suppress(OSError):
            Path(job.pid_file).unlink()
        for name in job.sweep or ():
            path = Path(name)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        # The connections end with this process: whoever waits for their end knows that both the
        # server and its supervisor are gone.

    def _stop(self) -> None:
        process = self._process
        for number, seconds in self._job.stop_signals:
            if process is None or process.poll() is not None:
                return
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


def main(arguments: list[str]) -> None:
    """Become a supervisor.

    Args:
        arguments: The descriptors of the connection to the starter, the supervisor lock and the
            server lock.
    """
    if os.fork():  # so that nobody has to wait for this process: init does
        os._exit(0)
    _supervise(*map(int, arguments))


def _supervise(connection: int, supervisor_lock: int, server_lock: int) -> None:
    os.set_inheritable(supervisor_lock, False)
    starter = socket.socket(fileno=connection)
    os.set_inheritable(connection, False)
    with starter.makefile("rb") as lines:
        line = lines.readline()
    if line:
        Supervisor(Job.from_line(line), starter, server_lock).run()


if __name__ == "__main__":
    main(sys.argv[1:])
