"""`warmcube.authn.credentials`: a file that is whole, private and up to date."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import argon2
import pytest

from warmcube.authn.credentials import CredentialsFile
from warmcube.errors import ConfigError

KDF = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ONE, TWO = KDF.hash("correct horse"), KDF.hash("battery staple")


@pytest.fixture
def file(tmp_path: Path) -> CredentialsFile:
    """A file that isn't there yet."""
    return CredentialsFile(tmp_path / "credentials.toml")


def test_what_is_put_is_found(file: CredentialsFile) -> None:
    """Whatever a user is called; the file belongs to its owner alone and reads as TOML."""
    names = ("ana", "", 'o"neil', "müller", "a.b", "line\nbreak", "# no comment")
    for name in names:
        file.put(name, ONE)
    file.put("ana", TWO)
    again = CredentialsFile(file.path)
    assert again.read() == dict.fromkeys(names, ONE) | {"ana": TWO}
    assert again.find("nobody") is None
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.path.read_text(encoding="utf-8").startswith("# Written by `warmcube password`")
    assert sorted(each.name for each in file.path.parent.iterdir()) == [
        "credentials.toml",
        "credentials.toml.lock",
    ]


def test_what_is_removed_is_gone(file: CredentialsFile) -> None:
    """It says whether there was anything to remove."""
    file.put("ana", ONE)
    assert file.remove("ana")
    assert not file.remove("ana")
    assert CredentialsFile(file.path).read() == {}


def test_a_hash_is_renewed_unless_it_changed(file: CredentialsFile) -> None:
    """A login with the old password doesn't undo a new one that came meanwhile."""
    file.put("ana", ONE)
    file.renew("ana", ONE, TWO)
    assert file.find("ana") == TWO
    file.renew("ana", ONE, ONE)
    assert file.find("ana") == TWO
    file.remove("ana")
    file.renew("ana", TWO, ONE)
    assert file.find("ana") is None


def test_changes_at_the_same_time_are_all_kept(file: CredentialsFile) -> None:
    """Several processes may set passwords at once."""
    threads = [
        threading.Thread(target=CredentialsFile(file.path).put, args=(f"user {n}", ONE))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file.read() == {f"user {n}": ONE for n in range(8)}


def test_a_file_is_read_again_when_it_may_have_changed(tmp_path: Path) -> None:
    """One that has lain still is remembered by its time; one that was just written isn't."""
    now = [0]
    file = CredentialsFile(tmp_path / "credentials.toml", clock=lambda: now[0])
    file.put("ana", ONE)
    status = file.path.stat()
    now[0] = status.st_mtime_ns + 1_000_000_000
    assert file.find("ana") == ONE
    file.path.write_text(file.path.read_text().replace(ONE, TWO))
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns))
    now[0] = status.st_mtime_ns + 5_000_000_000
    assert file.find("ana") == TWO
    file.path.write_text("broken")
    file.path.write_text(f'[users]\nana = "{ONE}"\n')
    os.utime(file.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert file.find("ana") == ONE


def test_a_link_stays_a_link(file: CredentialsFile, tmp_path: Path) -> None:
    """What it leads to is changed, not the link."""
    (tmp_path / "elsewhere").mkdir()
    file.path.symlink_to(tmp_path / "elsewhere/real.toml")
    file.put("ana", ONE)
    assert file.path.is_symlink()
    assert CredentialsFile(tmp_path / "elsewhere/real.toml").read() == {"ana": ONE}


def test_there_is_no_file(file: CredentialsFile) -> None:
    """Whoever reads is told how to make one."""
    with pytest.raises(ConfigError, match="warmcube password USER"):
        file.read()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o777, 0o610])
def test_others_may_not_read_or_write_it(file: CredentialsFile, mode: int) -> None:
    """Neither for reading nor for changing is such a file used, and it stays as it is."""
    file.put("ana", ONE)
    before = file.path.read_bytes()
    file.path.chmod(mode)
    for use in (file.read, lambda: file.put("ana", TWO)):
        with pytest.raises(ConfigError, match=rf"mode {mode:04o}.*chmod 600"):
            use()
    assert file.path.read_bytes() == before


def test_it_must_be_ours(file: CredentialsFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's file may say anything tomorrow."""
    file.put("ana", ONE)
    monkeypatch.setattr("os.geteuid", lambda: file.path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        file.read()


def test_a_pipe_is_no_file(file: CredentialsFile) -> None:
    """And nobody waits for what might come out of it."""
    os.mkfifo(file.path, 0o600)
    with pytest.raises(ConfigError, match="isn't a regular file"):
        file.read()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f'[users]\nana = "{ONE}\n', "isn't valid TOML, at line 2"),
        (b"\xff".decode("latin-1"), "isn't valid TOML"),
        ("[users]\nana = 'correct horse'\n", "no argon2id hash for the user 'ana'"),
        ("[users]\nana = 7\n", "no argon2id hash for the user 'ana'"),
        ("users = 7\n", "one table [users]"),
        ("[user]\n", "one table [users]"),
    ],
)
def test_what_cannot_be_used(file: CredentialsFile, content: str, words: str) -> None:
    """It is said where the trouble is, without a hash or a password."""
    file.path.write_bytes(content.encode("latin-1"))
    file.path.chmod(0o600)
    with pytest.raises(ConfigError) as refused:
        file.read()
    assert words in str(refused.value)
    assert "argon2id$" not in str(refused.value)
    assert "correct horse" not in str(refused.value)


def test_too_much(file: CredentialsFile) -> None:
    """A file that can't be one of credentials isn't read to its end."""
    with file.path.open("wb") as opened:
        opened.truncate(16_000_001)
    file.path.chmod(0o600)
    with pytest.raises(ConfigError, match="larger than 16,000,000 bytes"):
        file.read()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The message says what is needed."""
    file = CredentialsFile(tmp_path / "none/credentials.toml")
    with pytest.raises(ConfigError, match="its folder must be one that you may write to"):
        file.put("ana", ONE)


def test_a_write_that_fails_leaves_the_old_file(
    file: CredentialsFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it leave half of a new one behind."""
    file.put("ana", ONE)
    before = file.path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ConfigError, match="No space left on device"):
        file.put("ana", TWO)
    assert file.path.read_bytes() == before
    assert len(list(file.path.parent.iterdir())) == 2
