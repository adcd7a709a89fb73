"""Files with secrets: read only where nobody else can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from warmcube.errors import ConfigError

__all__ = ["open_private", "read_private", "read_secret"]

_MOST: Final = 16_000_000


def open_private(path: Path, what: str) -> BinaryIO:
    """A file of ours that nobody else may read or write.

    Args:
        path: of the file.
        what: how messages name it.

    Raises:
        FileNotFoundError: it isn't there.
        ConfigError: it can't be read, or others may read or write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"{what} {path} can't be read: {error.strerror or error}") from error
    status = os.fstat(descriptor)
    mode = stat.S_IMODE(status.st_mode)
    problem = None
    if not stat.S_ISREG(status.st_mode):
        problem = "isn't a regular file; name one that is"
    elif status.st_uid != os.geteuid():
        problem = "belongs to another user; it must belong to the one who runs warmcube"
    elif mode & 0o077:
        problem = f"may be read or written by others (mode {mode:04o}); run chmod 600 {path}"
    if problem is not None:
        os.close(descriptor)
        raise ConfigError(f"{what} {path} {problem}")
    return os.fdopen(descriptor, "rb")


def read_private(file: BinaryIO, path: Path) -> bytes:
    """What is in it.

    Raises:
        ConfigError: too much.
    """
    content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise ConfigError(f"{path} is larger than {_MOST:,} bytes; is it the right file?")
    return content


def read_secret(path: Path, what: str) -> str:
    """The one line of a file with a secret, without white space around it.

    Raises:
        ConfigError: it isn't there, can't be read, may be read by others, or holds none.
    """
    try:
        with open_private(path, what) as file:
            secret = read_private(file, path).decode().strip()
    except FileNotFoundError:
        raise ConfigError(f"there is no file {path} for {what}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{what} {path} isn't UTF-8 text") from None
    if not secret or not secret.isprintable():
        raise ConfigError(f"{what} {path} must hold one line of printable text")
    return secret
