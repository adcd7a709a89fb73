"""The command line as people use it: in a process of its own, on the demo's data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from warmcube.cli.program import run_command
from warmcube.embedded import EmbeddedPostgres, EmbeddedRedis

Finished: TypeAlias = subprocess.CompletedProcess[bytes]
Run: TypeAlias = Callable[..., Finished]

PROGRAM: Final = [sys.executable, "-W", "error", "-c", "from warmcube.cli import main; main()"]
ROWS: Final = 3_000


def environment(**more: str) -> dict[str, str]:
    """The environment without settings of whoever runs the tests."""
    own = ("WARMCUBE_", "CACHE_")
    return {k: v for k, v in os.environ.items() if not k.startswith(own)} | {"TERM": "xterm"} | more


def run(*words: str, folder: Path, **more: str) -> Finished:
    """Run ``warmcube`` to its end.

    Args:
        words: after ``warmcube``.
        folder: the current folder.
        more: environment variables.
    """
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="session")
def spacious() -> Iterator[Path]:
    """A folder that an unprivileged Postgres can reach."""
    folder = Path(tempfile.mkdtemp(prefix="warmcube-cli-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def checked(spacious: Path) -> dict[str, Any]:
    """What ``demo --check`` printed, in a new folder."""
    finished = run("demo", "--check", "--rows", str(ROWS), folder=spacious)
    assert finished.stderr == b""
    assert finished.returncode == 0
    outcome: dict[str, Any] = json.loads(finished.stdout)
    return outcome


@pytest.fixture(scope="session")
def demo_config(spacious: Path, checked: dict[str, Any]) -> Iterator[Path]:
    """The configuration of a demo, warm; its servers are held so that commands start faster."""
    folder = spacious / ".warmcube/demo"
    with EmbeddedPostgres(folder / "postgres"), EmbeddedRedis(folder / "redis"):
        yield folder / "warmcube.toml"


@pytest.fixture
def warmcube(demo_config: Path, tmp_path: Path) -> Run:
    """Runs ``warmcube`` on the demo's data."""

    def on_demo(*words: str, **more: str) -> Finished:
        return run("--config", str(demo_config), *words, folder=tmp_path, **more)

    return on_demo


@pytest.fixture
def run_inside(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """`run` in this process, for the many cases that would spend their time on starting."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)

    def command(*words: str, folder: Path, **more: str) -> Finished:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            for name, value in more.items():
                patch.setenv(name, value)
            status = run_command(words)
        written = capfdbinary.readouterr()
        return subprocess.CompletedProcess(words, status, written.out, written.err)

    return command


@pytest.fixture
def inside(
    demo_config: Path, tmp_path: Path, run_inside: Run, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Runs ``warmcube`` on the demo's data in this process."""
    monkeypatch.chdir(tmp_path)  # for what the test itself writes there

    def on_demo(*words: str, **more: str) -> Finished:
        return run_inside("--config", str(demo_config), *words, folder=tmp_path, **more)

    return on_demo
