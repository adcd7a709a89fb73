"""The sample users' passwords: of each folder's own, made once, and shown to whoever runs it.

A password that everybody knows would open every demo that somebody left running.
"""

from __future__ import annotations

import os
import secrets
import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import tomli_w

from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.passwords import Hasher
from warmcube.authn.private_file import open_private, read_private

__all__ = ["CREDENTIALS", "make_passwords"]

CREDENTIALS: Final = "credentials.toml"
"""What the service checks passwords by, in the demo's folder."""
_FILE: Final = "passwords.toml"
_HEAD: Final = "# Of the demo's sample users; delete this file for new ones.\n"
_CONSONANTS: Final = "bdfghklmnprstvz"
_VOWELS: Final = "aeiou"
_WORDS: Final = 4


def make_passwords(folder: Path, users: Iterable[str]) -> Mapping[str, str]:
    """The password of each user, kept in the folder where only its owner can read them.

    Those that are new are hashed for the service too, which takes a moment; the others are there
    from an earlier time.

    Args:
        folder: of the demo.
        users: who needs one.
    """
    path = folder / _FILE
    known = _read(path)
    passwords = {user: known.get(user) or _invented() for user in users}
    credentials = CredentialsFile(folder / CREDENTIALS)
    hashed = credentials.read() if credentials.path.exists() else {}
    new = [user for user in passwords if user not in known or user not in hashed]
    if new:
        hasher = Hasher()
        with ThreadPoolExecutor() as threads:
            hashes = threads.map(lambda user: hasher.hash(passwords[user]), new)
            for user, kept in zip(new, hashes, strict=True):
                credentials.put(user, kept)
        hasher.close()
        _write(path, passwords)
    return passwords


def _invented() -> str:
    """Words that nobody has heard, and that can be typed from a screen: 49 bits in all."""
    return "-".join(
        "".join(secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(2))
        for _ in range(_WORDS)
    )


def _read(path: Path) -> Mapping[str, str]:
    try:
        with open_private(path, "the file of the demo's passwords") as file:
            return tomllib.loads(read_private(file, path).decode())
    except FileNotFoundError:
        return {}


def _write(path: Path, passwords: Mapping[str, str]) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(_HEAD + tomli_w.dumps(passwords))
