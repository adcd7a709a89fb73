"""The directory in a file: ``access.toml``."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from warmcube.access.survey import Survey, survey
from warmcube.errors import DirectoryError

__all__ = ["DirectoryFile", "parse_file"]

_Signature: TypeAlias = tuple[int, int, int, int, int]

POLL_SECONDS: Final = 0.5
SETTLED_NS: Final = 2_000_000_000
"""A file changed less than this ago may change again without its time telling so."""


class DirectoryFile:
    """Reads the directory from a file, again when the file has changed.

    Args:
        path: of the file.
        clock: nanoseconds since 1970, by the clock that dates files.
        monotonic: seconds that only grow.
        max_age: seconds that a directory counts at most since the file was last looked at.
    """

    takes_defects = False

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
        max_age: float = 60.0,
    ) -> None:
        self._path = path
        self._clock = clock
        self._monotonic = monotonic
        self._max_age = max_age
        self._signature: _Signature | None = None
        self._version: str | None = None

    @property
    def name(self) -> str:
        return str(self._path)

    async def read(self, version: str | None) -> Survey | None:
        """What the file holds; None if that is still the version that the caller knows.

        Raises:
            DirectoryError: it can't be read.
        """
        return await asyncio.to_thread(self._read, version)

    def is_due(self, looked: float, within: float) -> bool:
        """Whether the last look, which began then, is older than so many seconds."""
        return self._monotonic() - looked >= within

    def counts_until(self, confirmed: float) -> float:
        """Until when a directory that was looked at then counts."""
        return confirmed + self._max_age

    async def wait_for_news(self) -> None:
        """Return when it is time to look again: nobody tells when a file changes."""
        await asyncio.sleep(POLL_SECONDS)

    async def close(self) -> None: ...

    def _read(self, version: str | None) -> Survey | None:
        try:
            if version is not None and (self._signature, self._version) == (
                _signature(self._path.stat()),
                version,
            ):
                return None
            if not stat.S_ISREG(self._path.stat().st_mode):
                raise DirectoryError(
                    f"{self.name} can't be read: it isn't a regular file; name one that is"
                )
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read()
        except OSError as error:
            raise DirectoryError(
                f"{self.name} can't be read: {error.strerror or error}; "
                "check that it is there and may be read"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        is_settled = self._clock() - status.st_mtime_ns > SETTLED_NS
        self._signature = _signature(status) if is_settled else None
        self._version = found
        if found == version:
            return None
        return survey(parse_file(content, self.name), version=found)


def parse_file(content: bytes, name: str) -> dict[str, Any]:
    """The records of an ``access.toml``.

    Raises:
        DirectoryError: it isn't TOML.
    """
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DirectoryError(f"{name}: line {line} isn't UTF-8; save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:  # what TOML isn't, and what is too much of it
        raise DirectoryError(f"{name} can't be read as TOML: {error}; correct it") from error


def _signature(status: os.stat_result) -> _Signature:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
