"""Workers: in processes of their own, and configurations for them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.caches import make_cache

__all__ = ["WorkerProcess", "configure", "wait_until", "working"]

PROGRAM: Final = "from warmcube.cli import main; main()"
SECONDS: Final = 60.0


def configure(folder: Path, store_url: str, source_url: str, *ids: int, more: str = "") -> Path:
    """A configuration with a data source, 1, and others on the same table; its file."""
    make_cache(folder, store_url, source_url, more=more)
    file = folder / "warmcube.toml"
    with file.open("a") as opened:
        for each in ids:
            opened.write(
                f'[[datasources]]\nid = {each}\nname = "Facts {each}"\nsource = "main"\n'
                'table = "ih.facts"\n'
            )
    return file


def wait_until(condition: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


class WorkerProcess:
    """``warmcube worker --json`` in a process of its own.

    Args:
        file: the configuration.
        words: further ones of the command line.
        program: what Python runs.
    """

    def __init__(self, file: Path, *words: str, program: str = PROGRAM) -> None:
        own = ("WARMCUBE_", "CACHE_")
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "worker", "--json", *words],
            cwd=file.parent,
            env={k: v for k, v in os.environ.items() if not k.startswith(own)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.events: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        return [event for event in self.events if event["event"] == kind]

    def await_event(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The last of so many events of a kind, once they have happened."""
        wait_until(lambda: len(self.of(kind)) >= count or self.process.poll() is not None)
        found = self.of(kind)
        assert len(found) >= count, self.events
        return found[count - 1]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit status, and all its events by then."""
        status = self.process.wait(SECONDS)
        self._reading.join(SECONDS)
        return status

    def close(self) -> None:
        """End it, if it hasn't ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def working(file: Path, *words: str, program: str = PROGRAM) -> Iterator[WorkerProcess]:
    """A worker in a process of its own, killed with the context if it hasn't ended before."""
    worker = WorkerProcess(file, *words, program=program)
    try:
        yield worker
    finally:
        worker.close()
