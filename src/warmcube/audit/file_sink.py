"""Audit lines at the end of a file that others may rotate, and other processes write to as well."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from warmcube.audit.writing import WritingThread, write_all
from warmcube.errors import AuditError

__all__ = ["FileSink"]

# A named pipe that nobody reads would hold up an opening that may block.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK


class FileSink:
    """Appends to a file; nobody but its owner may read one that it makes.

    All lines of a call are written, or none of them; whole lines of several processes stand one
    after the other. A file that was moved away or removed is made anew at the next call.

    Args:
        path: the file; its folder is made if it isn't there.
        sync: return only when the lines are on the disk.
    """

    def __init__(self, path: Path, *, sync: bool = False) -> None:
        self._path = path
        self._sync = sync
        self._thread = WritingThread()
        self._descriptor: int | None = None

    async def write(self, lines: Sequence[bytes]) -> None:
        """See `Sink`."""
        data = b"".join(lines)
        await self._thread.run(lambda: self._write(data))

    async def close(self) -> None:
        """See `Sink`."""
        await self._thread.run(self._forget)
        self._thread.close()

    def _write(self, data: bytes) -> None:
        try:
            descriptor = self._open()
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                self._append(descriptor, data)
            else:
                write_all(descriptor, data)
        except OSError as error:
            self._forget()
            raise AuditError(
                f"the audit can't be written to the file {self._path}: {error.strerror or error}; "
                "see to the file and its disk, or set another [audit] path"
            ) from error

    def _append(self, descriptor: int, data: bytes) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            size = os.fstat(descriptor).st_size
            if size and not self._ends_a_line(size):
                data = b"\n" + data
            try:
                write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        if self._sync:
            os.fsync(descriptor)

    def _ends_a_line(self, size: int) -> bool:
        """Whether what is there is whole; a power failure may have left the half of a line."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) in (b"\n", b"")
        return True  # it can't be read, only written

    def _open(self) -> int:
        """The descriptor of the file that has the path now."""
        if self._descriptor is not None:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                if os.path.samestat(os.fstat(self._descriptor), self._path.stat()):
                    return self._descriptor
            self._forget()
        _make_folder(self._path.parent)
        self._descriptor = os.open(self._path, _FLAGS, 0o600)
        mode = os.fstat(self._descriptor).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
            raise OSError(None, "it is neither a file nor a device")
        os.set_blocking(self._descriptor, True)
        if self._sync:
            _sync_folder(self._path.parent)
        return self._descriptor

    def _forget(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, as far as they aren't there, for their owner alone."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the name of a new file on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
