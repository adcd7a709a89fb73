"""The file of local users' credentials: one argon2id hash for each.

::

    [users]
    ana = "$argon2id$v=19$m=65536,t=3,p=4$…"

Whoever can read it can guess passwords at leisure, so it belongs to its user alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import tomli_w

from warmcube.authn.passwords import is_hash
from warmcube.authn.private_file import open_private, read_private
from warmcube.errors import ConfigError

__all__ = ["CredentialsFile"]

_HEAD: Final = b"# Written by `warmcube password`: keep it to yourself.\n"
_SETTLED_NS: Final = 2_000_000_000
"""A file changed less than this ago may change again without its time telling so."""


class CredentialsFile:
    """Reads the credentials, again when the file has changed, and changes them.

    Args:
        path: of the file.
        clock: nanoseconds since 1970, by the clock that dates files.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int] = time.time_ns) -> None:
        self.path: Final = path
        self._clock = clock
        self._known: tuple[tuple[int, ...], Mapping[str, str]] | None = None

    def find(self, user: str) -> str | None:
        """The hash of a user's password; None if they have none here.

        Raises:
            ConfigError: the file isn't there, can't be used, or may be read by others.
        """
        return self.read().get(user)

    def read(self) -> Mapping[str, str]:
        """The hash of each user.

        Raises:
            ConfigError: the file isn't there, can't be used, or may be read by others.
        """
        try:
            with open_private(self.path, "the credentials file") as file:
                status = os.fstat(file.fileno())
                signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
                if self._known is not None and self._known[0] == signature:
                    return self._known[1]
                users = self._parsed(read_private(file, self.path))
        except FileNotFoundError:
            raise ConfigError(
                f"there is no credentials file {self.path}; make it with `warmcube password USER`, "
                "or name another in [auth.local] path"
            ) from None
        is_settled = self._clock() - status.st_mtime_ns > _SETTLED_NS
        self._known = (signature, users) if is_settled else None
        return users

    def put(self, user: str, kept: str) -> None:
        """Keep the hash of a user's password; the file is made if it isn't there.

        Raises:
            ConfigError: the file can't be used or written.
        """
        with self._changing() as users:
            users[user] = kept

    def renew(self, user: str, before: str, after: str) -> None:
        """Exchange a hash for another of the same password, unless it has changed meanwhile.

        Raises:
            ConfigError: the file can't be used or written.
        """
        with self._changing() as users:
            if users.get(user) == before:
                users[user] = after

    def remove(self, user: str) -> bool:
        """Take a user's credentials away.

        Returns:
            whether they had any.

        Raises:
            ConfigError: the file can't be used or written.
        """
        with self._changing() as users:
            return users.pop(user, None) is not None

    def _parsed(self, content: bytes) -> dict[str, str]:
        try:
            tables = tomllib.loads(content.decode())
        except ValueError as error:  # its words may quote a hash
            place = str(error).rpartition("(at ")[2].rstrip(")") or "somewhere"
            raise ConfigError(
                f"the credentials file {self.path} isn't valid TOML, at {place}; mend it, or set "
                "the passwords anew with `warmcube password USER`"
            ) from None
        users = tables.get("users", {})
        if set(tables) - {"users"} or not isinstance(users, dict):
            raise ConfigError(f"the credentials file {self.path} must hold one table [users]")
        for user, kept in users.items():
            if not is_hash(kept):
                raise ConfigError(
                    f"the credentials file {self.path} holds no argon2id hash for the user "
                    f"{user!r}; set the password with `warmcube password`"
                )
        return users

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """The credentials, to be changed by nobody else meanwhile, and written at the end."""
        path = self.path.resolve()
        try:
            lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                before = dict(self.read()) if path.exists() else {}
                users = dict(before)
                yield users
                if users != before:
                    _replace(path, _HEAD + tomli_w.dumps({"users": users}).encode())
            finally:
                os.close(lock)
        except OSError as error:
            raise ConfigError(
                f"the credentials file {self.path} can't be written: {error.strerror or error}; "
                "its folder must be one that you may write to"
            ) from error


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that there is the old one or the new one, whole, whatever happens."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
