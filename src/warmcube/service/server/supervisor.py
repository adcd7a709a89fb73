"""Several processes as one service: started, replaced, stopped together."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from warmcube.errors import ServeError, WarmcubeError

__all__ = ["Life", "Supervisor", "Work"]

_LOG: Final = logging.getLogger("warmcube.service")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_WATCHED: Final = (*_SIGNALS, signal.SIGCHLD)
_GRACE: Final = 10.0
"""Seconds beyond the drain, for a process to close what it has open."""
_MOST_ENDS: Final = 5
"""Unwanted ends of processes within `_WINDOW` seconds; with more, the service ends."""
_WINDOW: Final = 60.0


@dataclass(frozen=True, slots=True)
class Life:
    """What ties a process to its supervisor.

    Attributes:
        supervisor: a descriptor that can be read (it is at its end) once the supervisor is gone.
        status: a descriptor for telling that it is ready, or why it can't be.
    """

    supervisor: int
    status: int

    def tell_ready(self) -> None:
        """That requests are being answered."""
        os.write(self.status, b"{}\n")

    def tell(self, error: WarmcubeError) -> None:
        """Why the process can't start."""
        told = {"error": str(error), "status": error.exit_status}
        os.write(self.status, json.dumps(told).encode()[:4000] + b"\n")


Work: TypeAlias = Callable[[int, Life], None]
"""What a process does: gets its number and its life, and returns when it is told to stop."""


@dataclass(slots=True)
class _Process:
    number: int
    pid: int
    status: int
    is_ready: bool = False
    error: ServeError | None = None


class Supervisor:
    """Starts processes by forking, so that they share the memory of all that is imported.

    A process that ends without being told to is replaced; the connections that wait on its socket
    are answered by the next. If processes keep ending, so does the service, with an error.

    Has to be used in a process without threads and event loops.

    Args:
        count: of processes.
        work: of each.
        drain: seconds that requests may go on after a signal to stop.
        ready: called once all processes answer.
        stopping: called when they are told to stop.
    """

    def __init__(
        self,
        count: int,
        work: Work,
        *,
        drain: float,
        ready: Callable[[], None],
        stopping: Callable[[], None],
    ) -> None:
        self._count = count
        self._work = work
        self._drain = drain
        self._ready: Callable[[], None] | None = ready
        self._stopping = stopping
        self._processes: dict[int, _Process] = {}
        self._ends: deque[float] = deque(maxlen=_MOST_ENDS)
        self._deadline: float | None = None
        self._failure: ServeError | None = None
        self._life = (-1, -1)
        self._signals = (-1, -1)

    def run(self) -> None:
        """Run the service until a signal ends it.

        Raises:
            ServeError: a process can't start, or they keep ending.
            KeyboardInterrupt: by the second Ctrl-C: everything is cut.
        """
        self._life = os.pipe()
        try:
            with self._watching() as signals:
                for number in range(self._count):
                    self._start(number)
                while self._processes:
                    self._wait(signals)
        finally:
            self._kill()
            for descriptor in self._life:
                os.close(descriptor)
        if self._failure is not None:
            raise self._failure

    @contextlib.contextmanager
    def _watching(self) -> Iterator[int]:
        """A descriptor from which the numbers of signals can be read."""
        self._signals = os.pipe()
        for descriptor in self._signals:
            os.set_blocking(descriptor, False)
        before = {each: signal.signal(each, lambda *_: None) for each in _WATCHED}
        wakeup = signal.set_wakeup_fd(self._signals[1], warn_on_full_buffer=False)
        try:
            yield self._signals[0]
        finally:
            signal.set_wakeup_fd(wakeup)
            for each, handler in before.items():
                signal.signal(each, handler)
            for descriptor in self._signals:
                os.close(descriptor)

    def _wait(self, signals: int) -> None:
        """Until something happens; then act on it."""
        statuses = {each.status: each for each in self._processes.values() if each.status >= 0}
        timeout = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        readable, _, _ = select.select([signals, *statuses], [], [], timeout)
        for descriptor in readable:
            if descriptor != signals:
                self._hear(statuses[descriptor])
        if signals in readable:
            for number in os.read(signals, 1024):
                if number in _SIGNALS:
                    self._stop(signal.Signals(number))
        self._collect()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            _LOG.warning("processes that didn't end in time are cut off")
            self._kill()

    def _start(self, number: int) -> None:
        read, write = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)  # none may hit a half-made process
        pid = os.fork()
        if pid == 0:
            self._be(number, write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        os.close(write)
        self._processes[pid] = _Process(number, pid, read)

    def _be(self, number: int, status: int) -> None:
        """Be one of the processes; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor too
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
            for descriptor in (*self._signals, self._life[1]):
                os.close(descriptor)
            for other in self._processes.values():
                if other.status >= 0:
                    os.close(other.status)
            life = Life(self._life[0], status)
            try:
                self._work(number, life)
                code = 0
            except WarmcubeError as error:
                life.tell(error)
            except BaseException:  # noqa: BLE001 - the last resort of a process
                _LOG.exception("a process of the service failed")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _hear(self, process: _Process) -> None:
        """What a process says of its start."""
        told = os.read(process.status, 4096)
        os.close(process.status)
        process.status = -1
        if not told:  # it ended without a word
            return
        message = json.loads(told)
        if "error" in message:
            process.error = ServeError(message["error"])
            process.error.exit_status = message["status"]
            return
        process.is_ready = True
        if self._ready is not None and all(each.is_ready for each in self._processes.values()):
            self._ready()
            self._ready = None

    def _collect(self) -> None:
        """Take leave of processes that have ended, and replace them where nobody wanted it."""
        for pid, process in list(self._processes.items()):
            ended, code = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            if process.status >= 0:
                self._hear(process)
            del self._processes[pid]
            if self._deadline is None:
                self._replace(process, os.waitstatus_to_exitcode(code))

    def _replace(self, process: _Process, code: int) -> None:
        now = time.monotonic()
        is_often = len(self._ends) == _MOST_ENDS and now - self._ends[0] < _WINDOW
        self._ends.append(now)
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        if self._ready is not None:
            self._fail(
                process.error or ServeError(f"the service can't start: a process ended {how}")
            )
        elif is_often:
            self._fail(
                process.error
                or ServeError(
                    f"the service's processes keep ending, the last one {how}; its log says why"
                )
            )
        else:
            _LOG.error("process %d ended %s; it is replaced", process.pid, how)
            self._start(process.number)

    def _fail(self, error: ServeError) -> None:
        self._failure = error
        self._stop(signal.SIGTERM)

    def _stop(self, by: signal.Signals) -> None:
        """Stop all processes; at the second Ctrl-C at once.

        Raises:
            KeyboardInterrupt: that is so.
        """
        if self._deadline is not None:
            if by == signal.SIGINT:
                raise KeyboardInterrupt
            return
        self._deadline = time.monotonic() + self._drain + _GRACE
        if self._failure is None:
            _LOG.info("stopping; requests may go on for %g seconds", self._drain)
        self._stopping()
        for pid in self._processes:
            os.kill(pid, signal.SIGTERM)

    def _kill(self) -> None:
        """End what still runs, at once."""
        for pid in self._processes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self._processes.clear()
