"""`warmcube.demo.passwords`: each folder's own, private, and good for the service."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path

from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.passwords import Hasher, flaw_of
from warmcube.demo.passwords import CREDENTIALS, make_passwords


def test_each_user_can_sign_in_with_theirs(tmp_path: Path) -> None:
    """What is kept for the service is the hash of what is shown; both files are their owner's."""
    passwords = make_passwords(tmp_path, ["root", "north"])
    assert list(passwords) == ["root", "north"]
    kept = CredentialsFile(tmp_path / CREDENTIALS).read()
    hasher = Hasher()
    for user, password in passwords.items():
        assert asyncio.run(hasher.verify(kept[user], password))
        assert flaw_of(password) is None
        assert re.fullmatch(r"([a-z]{4}-){3}[a-z]{4}", password)
    hasher.close()
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_they_stay_and_new_users_join(tmp_path: Path) -> None:
    """Printed passwords outlive a restart, without being hashed again."""
    first = make_passwords(tmp_path, ["root"])
    before = (tmp_path / CREDENTIALS).read_bytes()
    assert make_passwords(tmp_path, ["root"]) == first
    assert (tmp_path / CREDENTIALS).read_bytes() == before
    both = make_passwords(tmp_path, ["root", "north"])
    assert both["root"] == first["root"]
    kept = CredentialsFile(tmp_path / CREDENTIALS).read()
    assert set(kept) == {"root", "north"}
    assert make_passwords(tmp_path, ["root", "north"]) == both


def test_a_file_that_is_lost_is_made_anew(tmp_path: Path) -> None:
    """Without the hashes they are hashed again; without the words there are new ones, of others."""
    first = make_passwords(tmp_path, ["root"])
    (tmp_path / CREDENTIALS).unlink()
    assert make_passwords(tmp_path, ["root"]) == first
    before = CredentialsFile(tmp_path / CREDENTIALS).read()["root"]
    (tmp_path / "passwords.toml").unlink()
    assert make_passwords(tmp_path, ["root"]) != first
    assert CredentialsFile(tmp_path / CREDENTIALS).read()["root"] != before


def test_no_two_folders_have_the_same(tmp_path: Path) -> None:
    """A password of one demo opens no other."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert make_passwords(tmp_path / "a", ["root"]) != make_passwords(tmp_path / "b", ["root"])
