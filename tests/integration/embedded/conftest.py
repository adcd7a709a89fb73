"""Embedded servers of each kind, and commands that use them in processes of their own."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.servers import Site, is_alive, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name that every user can pass through, as a checkout may be."""
    made = Path(tempfile.mkdtemp(prefix="warmcube-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(params=["redis", "postgres"])
def site(request: pytest.FixtureRequest, folder: Path) -> Iterator[Site]:
    """A site for each kind of server; what a test leaves running ends with it."""
    made = Site(kind=request.param, folder=folder / "data")
    yield made
    for command in made.commands:
        with contextlib.suppress(ProcessLookupError):
            os.kill(command.process.pid, signal.SIGKILL)
        command.process.communicate(timeout=60)
        if command.pid:
            wait_until(lambda pid=command.pid: not is_alive(pid))  # type: ignore[misc]
