"""What others can reach, by the modes of files and folders."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmcube.embedded.account import home_for, is_open_to_all, unprivileged_account


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody can pass through."""
    with tempfile.TemporaryDirectory(prefix="warmcube-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


def test_a_file_is_open_if_its_folders_are(place: Path) -> None:
    """One closed folder on the way closes all below it."""
    folder = place / "one"
    folder.mkdir(mode=0o755)
    file = folder / "file"
    file.write_text("")
    file.chmod(0o644)
    assert is_open_to_all(file)
    assert is_open_to_all(folder)
    file.chmod(0o640)
    assert not is_open_to_all(file)
    file.chmod(0o644)
    folder.chmod(0o700)
    assert not is_open_to_all(file)
    assert not is_open_to_all(folder)


def test_a_link_is_as_open_as_what_it_names(place: Path) -> None:
    """An open link into a closed folder is closed."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("")
    (closed / "file").chmod(0o644)
    (place / "link").symlink_to(closed / "file")
    assert not is_open_to_all(place / "link")


def test_the_data_stay_where_they_can_be_reached(place: Path) -> None:
    """Nothing is moved without need."""
    (place / "data").mkdir(mode=0o700)
    assert home_for(place / "data") == place / "data"


def test_only_root_needs_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody else runs Postgres as himself."""
    monkeypatch.setattr(os, "geteuid", lambda: 1_000)
    assert unprivileged_account() is None
