"""Locks and sockets of a data folder, without any server."""

import os
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from warmcube.embedded import folder as module
from warmcube.embedded.folder import DataFolder, is_lock_held
from warmcube.errors import EmbeddedError


def a_folder(path: Path) -> DataFolder:
    """A folder that was claimed."""
    folder = DataFolder(path, "Redis")
    folder.claim()
    return folder


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    """Holding excludes others; closing lets go."""
    folder = a_folder(tmp_path / "data")
    assert not is_lock_held(folder.server_lock)
    held = folder.lock(folder.server_lock, time.monotonic())
    assert is_lock_held(folder.server_lock)
    with pytest.raises(EmbeddedError, match=r"another process held .*server\.lock for too long"):
        folder.lock(folder.server_lock, time.monotonic() + 0.05)
    os.close(held)
    assert not is_lock_held(folder.server_lock)


def test_an_interrupt_while_waiting_lets_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in a queue leaves no descriptor open."""
    folder = a_folder(tmp_path / "data")
    held = folder.lock(folder.server_lock, time.monotonic())
    before = len(list(Path("/dev/fd").iterdir()))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        folder.lock(folder.server_lock, time.monotonic() + 60)
    assert len(list(Path("/dev/fd").iterdir())) == before
    os.close(held)


def test_joining_lets_go_after_an_error(tmp_path: Path) -> None:
    """A command that fails to start a server doesn't keep the others out."""
    folder = a_folder(tmp_path / "data")
    with pytest.raises(RuntimeError), folder.joining(time.monotonic()):
        raise RuntimeError
    with folder.joining(time.monotonic()):
        assert is_lock_held(folder.path / "join.lock")


def test_claiming_twice_changes_nothing(tmp_path: Path) -> None:
    """A folder stays ours, with its files."""
    folder = a_folder(tmp_path / "data")
    (folder.path / "dump.rdb").write_text("data")
    folder.claim()
    assert (folder.path / "dump.rdb").read_text() == "data"


def test_no_runtime_is_known_at_first(tmp_path: Path) -> None:
    """Nor one that was removed, nor one that somebody else made."""
    folder = a_folder(tmp_path / "data")
    assert folder.runtime() is None
    note = folder.path / "runtime"
    note.write_text(f"{tmp_path / 'gone'}\n")
    assert folder.runtime() is None
    note.write_bytes(b"\xff\xfe")
    assert folder.runtime() is None
    (tmp_path / "file").write_text("")
    note.write_text(f"{tmp_path / 'file'}\n")
    assert folder.runtime() is None


def test_sockets_stay_with_the_data_where_their_paths_fit(tmp_path: Path) -> None:
    """Otherwise they go where a path is short, and the folder says where."""
    folder = a_folder(tmp_path / "data")
    home = Path("/short")
    assert folder.make_runtime(home) == (home, False)
    runtime, is_temporary = folder.make_runtime(Path("/" + "deep" * 30))
    try:
        assert is_temporary
        assert len(os.fsencode(runtime / "sockets/.s.PGSQL.5432")) <= 103
        assert runtime.stat().st_mode & 0o777 == 0o700
        assert folder.runtime() == runtime
    finally:
        runtime.rmdir()


def test_the_users_own_runtime_folder_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """$XDG_RUNTIME_DIR is private already: it is taken if it is ours, and short, but not by root,
    whose server may run as somebody who can't enter it.
    """
    user = 1_000
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "access", lambda *_: True)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/temporary")
    monkeypatch.setattr(Path, "stat", lambda _: SimpleNamespace(st_uid=1_000))
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert module._short() == "/run/user/1000"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/" + "deep" * 20)
    assert module._short() == "/temporary"
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    user = 0
    assert module._short() == "/temporary"
    user = 1_001
    assert module._short() == "/temporary"


def test_the_end_of_the_log(tmp_path: Path) -> None:
    """An error shows the last lines, without empty ones; no log is no words."""
    folder = a_folder(tmp_path / "data")
    assert folder.last_words() == ""
    folder.log.write_text("one\n\ntwo\n \nthree\n")
    assert folder.last_words(2) == "two\nthree"


def test_a_long_temporary_folder_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where $TMPDIR itself is deep, /tmp is taken."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/" + "deep" * 20)
    assert module._short() == "/tmp"
