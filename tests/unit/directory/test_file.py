"""The directory in a file."""

# ruff: noqa: ASYNC240 - files are what is tested here, and nothing else waits

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from warmcube.access.directory import (
    Organization,
    ProviderBinding,
    RoleAssignment,
    User,
)
from warmcube.access.permissions import PERMISSIONS
from warmcube.directory.file import SETTLED_NS, DirectoryFile
from warmcube.errors import DirectoryError

CONTRACT = """
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization", "analytics:export:organization"]
provider    = ["analytics:read:own"]
[[organizations]]
id = "root"
[[organizations]]
id = "north"
name = "North Group"
parent = "root"          # optional
practices = [101, 102]
active = true            # default
[[users]]
id = "ana"
name = "Ana"
roles = ["org_analyst"]
organizations = ["north"]
provider = 10105         # optional
active = true            # default
[[users]]
id = "bob"
name = "Bob"
roles = [{role = "org_analyst", organization = "north", expires = 2027-01-01T00:00:00Z}]
organizations = ["north"]
providers = [{practice = 101, provider = 10105}]
"""


class _Clock:
    """Says that it is long after, or just now, that the file was written."""

    def __init__(self) -> None:
        self.is_long_after = True

    def __call__(self) -> int:
        return 2**62 if self.is_long_after else 0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file as in the contract."""
    path = tmp_path / "access.toml"
    path.write_text(CONTRACT)
    return path


async def test_the_contract(path: Path) -> None:
    """Every field of the contract's file arrives."""
    found = await DirectoryFile(path).read(None)
    assert found is not None
    assert found.defects == ()
    assert found.directory is not None
    assert dict(found.directory.roles) == {
        "super_admin": (PERMISSIONS["analytics:read:all"], PERMISSIONS["cache:manage:all"]),
        "org_analyst": (
            PERMISSIONS["analytics:read:organization"],
            PERMISSIONS["analytics:export:organization"],
        ),
        "provider": (PERMISSIONS["analytics:read:own"],),
    }
    assert found.directory.organizations["north"] == Organization(
        id="north", name="North Group", parent="root", practices=frozenset({"101", "102"})
    )
    assert dict(found.directory.users) == {
        "ana": User(
            id="ana",
            name="Ana",
            roles=(RoleAssignment("org_analyst"),),
            organizations=("north",),
            providers=(ProviderBinding(None, "10105"),),
        ),
        "bob": User(
            id="bob",
            name="Bob",
            roles=(RoleAssignment("org_analyst", "north", datetime(2027, 1, 1, tzinfo=UTC)),),
            organizations=("north",),
            providers=(ProviderBinding("101", "10105"),),
        ),
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[roles\n", "line 1"),
        (b"[roles]\nx = []\nx = []\n", "can't be read as TOML: .*line 3"),
        (b"[roles]\n[roles]\n", "line 2"),
        (b"a = 1\nb = \n", "line 2"),
        (b"x = " + b"9" * 5000, "can't be read as TOML"),
        (b"x = " + b"[" * 5000 + b"]" * 5000, "can't be read as TOML"),
        (b"# ok\n# \xff\n", "line 2 isn't UTF-8"),
    ],
)
async def test_what_isnt_toml(path: Path, content: bytes, words: str) -> None:
    """A file that can't be read at all is one error that names the file and the line."""
    path.write_bytes(content)
    with pytest.raises(DirectoryError, match=words) as error:
        await DirectoryFile(path).read(None)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


async def test_a_file_that_isnt_there(path: Path) -> None:
    """Says which file, and what to do; also when it vanishes later."""
    file = DirectoryFile(path)
    first = await file.read(None)
    assert first is not None
    assert first.directory is not None
    path.unlink()
    for version in (None, first.directory.version):
        with pytest.raises(DirectoryError, match=r"can't be read: No such file.*check that it is"):
            await file.read(version)
    path.mkdir()
    with pytest.raises(DirectoryError, match="can't be read: it isn't a regular file"):
        await file.read(None)


async def _version(file: DirectoryFile, known: str | None) -> str | None:
    found = await file.read(known)
    if found is None:
        return None
    assert found.directory is not None
    return found.directory.version


async def test_it_is_read_again_when_it_has_changed(path: Path) -> None:
    """News is what has other content; a version that the caller doesn't have is news too."""
    file = DirectoryFile(path, clock=_Clock())
    first = await _version(file, None)
    assert first is not None
    assert await _version(file, first) is None
    assert await _version(file, None) == first
    assert await _version(file, "another") == first
    path.write_text(CONTRACT + "# changed\n")
    second = await _version(file, first)
    assert second not in (None, first)
    path.touch()
    assert await _version(file, second) is None
    replacement = path.with_suffix(".new")
    replacement.write_text(CONTRACT)
    replacement.rename(path)
    assert await _version(file, second) == first


async def test_an_unchanged_file_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once its time is long past, looking at it is enough."""
    file = DirectoryFile(path, clock=_Clock())
    first = await _version(file, None)

    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Path, "open", refuse)
    assert await _version(file, first) is None


async def test_a_file_just_written_is_read_again(path: Path) -> None:
    """Two changes within one tick of the file system's clock are both seen."""
    clock = _Clock()
    clock.is_long_after = False
    file = DirectoryFile(path, clock=clock)
    first = await _version(file, None)
    before = path.stat()
    path.write_text(CONTRACT.replace('"Ana"', '"Eva"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    second = await _version(file, first)
    assert second not in (None, first)


async def test_when_a_file_has_settled(path: Path) -> None:
    """Only a file older than the grace is taken by its looks."""
    written = path.stat().st_mtime_ns
    for age, is_taken in ((SETTLED_NS, False), (SETTLED_NS + 1, True)):
        file = DirectoryFile(path, clock=lambda age=age: written + age)  # type: ignore[misc]
        await file.read(None)
        assert (file._signature is not None) is is_taken


def test_its_name(path: Path) -> None:
    """It is called what it was configured as."""
    assert DirectoryFile(path).name == str(path)
