"""The figures of several processes that are one service: a private folder with a file for each.

A process holds a lock on its file for as long as it lives, which the kernel lets go however it
ends. What an ended process counted goes on counting: whoever reads next adds it to the sums of all
that have ended, and removes its file.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from warmcube.errors import ConfigError
from warmcube.observe.cells import Cells, read_cells

__all__ = ["Figures", "open_cells", "sum_folder"]

Figures = dict[str, tuple[float, ...]]
"""Cells by key."""

_SUFFIX: Final = ".figures"
_ENDED: Final = "ended"
_LOCK: Final = "lock"
_INCLUDED: Final = "\x01"
"""Before the name of a file that the sums of the ended include already."""


def open_cells(folder: Path | None) -> Cells:
    """Cells for this process: in a file of its own, or nowhere but here.

    Args:
        folder: made if it isn't there; nobody else may look into it.

    Raises:
        ConfigError: others may.
    """
    if folder is None:
        return Cells()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise ConfigError(f"the folder of metrics, {folder}, isn't private; chmod 700 it")
    name = secrets.token_hex(8)
    new = folder / f"{name}.new"
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    file = os.fdopen(descriptor, "r+b")
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    cells = Cells(file)
    new.rename(folder / f"{name}{_SUFFIX}")  # only now, so that nobody takes it for an ended one's
    return cells


def sum_folder(folder: Path) -> tuple[Figures, Figures]:
    """The sums of all processes that use a folder: of those that live, and of those that ended."""
    with _locked(folder):
        ended: Figures = {}
        included: set[str] = set()
        known = folder / _ENDED
        for key, cells in read_cells(known.read_bytes()) if known.exists() else ():
            if key.startswith(_INCLUDED):
                included.add(key.removeprefix(_INCLUDED))
            else:
                ended[key] = cells
        living: Figures = {}
        gone: list[Path] = []
        for path in folder.glob(f"*{_SUFFIX}"):
            with path.open("rb") as file:
                has_ended = _is_free(file)
                block = file.read()
            if has_ended:
                gone.append(path)
            if path.name not in included:
                _add(ended if has_ended else living, block)
        if gone:
            _keep(known, ended, gone)
    return living, ended


def _keep(known: Path, ended: Figures, gone: list[Path]) -> None:
    """Write the sums of the ended, then remove their files.

    The names of the files are written with the sums, so that whoever is interrupted between the
    two makes nothing count twice.
    """
    cells = Cells()
    for key, values in ended.items():
        place = cells.place(key, len(values))
        for number, value in enumerate(values):
            cells.values[place + number] = value
    for path in gone:
        cells.place(_INCLUDED + path.name, 0)
    new = known.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(cells.content())
    new.rename(known)
    for path in gone:
        path.unlink()


def _add(sums: Figures, block: bytes) -> None:
    for key, cells in read_cells(block):
        before = sums.get(key)
        if before is None or len(before) != len(cells):
            sums[key] = cells
        else:
            sums[key] = tuple(map(sum, zip(before, cells, strict=True)))


def _is_free(file: IO[bytes]) -> bool:
    """Whether nobody holds the lock on a file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
