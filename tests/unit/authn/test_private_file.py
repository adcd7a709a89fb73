"""`warmcube.authn.private_file`: secrets come out of private files only."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmcube.authn.private_file import read_secret
from warmcube.errors import ConfigError


def write(path: Path, content: bytes) -> Path:
    """A private file."""
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def test_a_secret_without_what_an_editor_adds(tmp_path: Path) -> None:
    """White space around it isn't part of it."""
    assert read_secret(write(tmp_path / "secret", b" s3cret \n"), "the secret") == "s3cret"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\n", "one line of printable text"), (b"a\nb", "one line"), (b"\xff", "isn't UTF-8")],
)
def test_what_is_no_secret(tmp_path: Path, content: bytes, words: str) -> None:
    """An empty file, several lines, or bytes are a mistake."""
    with pytest.raises(ConfigError, match=words):
        read_secret(write(tmp_path / "secret", content), "the secret")


def test_it_is_private(tmp_path: Path) -> None:
    """One that others can read is no secret."""
    path = write(tmp_path / "secret", b"s3cret")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600") as refused:
        read_secret(path, "the secret")
    assert "s3cret" not in str(refused.value)


def test_it_is_not_there(tmp_path: Path) -> None:
    """A missing file is named, and so is a folder in its place."""
    with pytest.raises(ConfigError, match="there is no file"):
        read_secret(tmp_path / "none", "the secret")
    with pytest.raises(ConfigError, match="isn't a regular file"):
        read_secret(tmp_path, "the secret")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="can't be read"):
        read_secret(tmp_path / "file/below", "the secret")
