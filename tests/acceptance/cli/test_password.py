"""`warmcube password`: setting and removing passwords at the command line."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import stat
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import argon2
import pytest
from tests.acceptance.cli.conftest import PROGRAM, environment
from tests.support.audit import read_line
from tests.support.caches import make_cache

from warmcube.authn.sign_in import open_sessions
from warmcube.cli.program import run_command
from warmcube.config import load
from warmcube.store.connect import open_store

PASSWORD = "correct horse battery"
Password: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, redis_url: str) -> Path:
    """The folder of a configuration with local users."""
    make_cache(tmp_path, redis_url, f"duckdb://{tmp_path}/none.duckdb", more="[auth.local]\n")
    return tmp_path


@pytest.fixture
def password(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Password:
    """Runs ``warmcube password`` with something coming down a pipe."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)

    def run(*words: str, typed: str = f"{PASSWORD}\n") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        status = run_command(["password", *words])
        return status, *capsys.readouterr()

    return run


def kept(folder: Path) -> dict[str, str]:
    """The hashes in the file."""
    users: dict[str, str] = tomllib.loads((folder / "credentials.toml").read_text())["users"]
    return users


def test_set_and_remove(folder: Path, password: Password) -> None:
    """The file is made, private, and holds argon2id hashes; the password shows nowhere."""
    assert password("north") == (0, "north has a new password\n", "")
    assert stat.S_IMODE((folder / "credentials.toml").stat().st_mode) == 0o600
    assert argon2.PasswordHasher().verify(kept(folder)["north"], PASSWORD)
    assert PASSWORD not in (folder / "credentials.toml").read_text()
    assert password("north", "--remove") == (0, "north has no password any more\n", "")
    assert password("north", "--remove") == (0, "north has no password here, and had none\n", "")
    assert kept(folder) == {}
    text = (folder / ".warmcube/audit.jsonl").read_text()
    lines = [read_line(line.encode()) for line in text.splitlines(keepends=True)]
    told = [(line["event"], line["subject"], line["removed"]) for line in lines]
    assert told == [("password_changed", "north", False), ("password_changed", "north", True)]
    assert lines[0]["actor"].startswith("cli:")


def test_a_typing_mistake_shows(folder: Path, password: Password) -> None:
    """Whoever isn't in the directory gets a password all the same, and it is said."""
    status, out, _ = password("nroth")
    assert status == 0
    assert "the directory has no user nroth" in out
    (folder / "access.toml").unlink()  # then nobody can tell
    assert password("nroth") == (0, "nroth has a new password\n", "")


async def test_sessions_end(folder: Path, redis_url: str, password: Password) -> None:
    """Who knew the old password, or has none any more, isn't signed in any longer."""
    store = open_store(redis_url)
    sessions = open_sessions(load(folder / "warmcube.toml", {}), store)
    mine = [await sessions.begin("north", "password") for _ in range(2)]
    others = await sessions.begin("root", "password")
    _, out, _ = await asyncio.to_thread(password, "north")
    assert out.endswith("2 sessions ended\n")
    assert [await sessions.find(token) for token in mine] == [None, None]
    await sessions.begin("north", "password")
    _, out, _ = await asyncio.to_thread(password, "north", "--remove")
    assert out.endswith("1 session ended\n")
    assert await sessions.find(others) is not None
    await store.close()


def test_a_store_that_is_away(
    folder: Path, password: Password, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is set, and that sessions go on is an error."""
    monkeypatch.setenv("WARMCUBE_STORE__URL", "redis://127.0.0.1:1/0")
    status, out, error = password("north")
    assert (status, out) == (1, "north has a new password\n")
    assert "can't reach the store" in error
    assert list(kept(folder)) == ["north"]


@pytest.mark.parametrize("typed", ["", "\n", "too short\n", "x" * 1025 + "\n"])
def test_what_is_no_password(folder: Path, password: Password, typed: str) -> None:
    """Nothing is written, and what was typed isn't repeated."""
    status, out, error = password("north", typed=typed)
    assert (status, out) == (2, "")
    assert "the password can't be used" in error
    assert "short" not in error
    assert not (folder / "credentials.toml").exists()


def test_nothing_to_sign_in_with(folder: Path, password: Password) -> None:
    """Without local users in the configuration a password would be of no use."""
    path = folder / "warmcube.toml"
    path.write_text(path.read_text().replace("[auth.local]", ""))
    status, _, error = password("north")
    assert status == 2
    assert "[auth.local]" in error


@pytest.mark.parametrize(
    ("typed", "status"), [((PASSWORD, PASSWORD), 0), ((PASSWORD, PASSWORD + "!"), 2)]
)
def test_at_a_terminal_it_is_typed_twice(folder: Path, typed: tuple[str, str], status: int) -> None:
    """It isn't echoed, and two that differ are none."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*PROGRAM, "password", "north"],
        cwd=folder,
        env=environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for prompt, line in zip((b"Password: ", b"Again: "), typed, strict=True):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1000)
        os.write(ours, line.encode() + b"\n")
    try:
        while chunk := os.read(ours, 1000):
            shown += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    assert running.wait(60) == status
    assert PASSWORD.encode() not in shown
    assert (folder / "credentials.toml").exists() == (status == 0)
