"""A folder of dashboards: read when first asked for, and again when a file has changed."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from warmcube.config.settings import Settings
from warmcube.dashboard.definition import Dashboard
from warmcube.dashboard.library import check_library
from warmcube.dashboard.parse import Parsed, parse
from warmcube.dashboard.text import MOST_BYTES, SUFFIXES, Unreadable, read_text
from warmcube.dashboard.troubles import Trouble, Troubles

__all__ = ["Library", "open_library", "read_data"]

_Signature: TypeAlias = tuple[int, int, int, int, int]

LOOK_SECONDS: Final = 1.0
MOST_TOLD: Final = 20
"""So many troubles of one look are told each by itself."""

SETTLED_NS: Final = 2_000_000_000
"""A file changed less than this ago may change again without its time telling so."""


def read_data(path: Path, name: str) -> tuple[Any, tuple[Trouble, ...]]:
    """What one file says, for `parse`; or why it can't be read.

    Args:
        path: of the file.
        name: how messages name it.
    """
    try:
        return read_text(_content(path)[0], path.suffix.lower()), ()
    except (OSError, Unreadable) as error:
        return None, _unreadable(error, name).troubles


def _parsed(content: bytes, suffix: str, name: str) -> Parsed:
    return parse(read_text(content, suffix.lower()), name)


def _unreadable(error: OSError | Unreadable, name: str) -> Parsed:
    said = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    troubles = Troubles(name)
    troubles.add((), f"can't be read: {said}" if isinstance(error, OSError) else said)
    return Parsed(None, troubles.found)


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """What a file holds, and what it was when it was opened.

    Raises:
        OSError: it can't be read.
        Unreadable: it is no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for whoever writes it
        raise Unreadable("isn't a regular file; name one that is")
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        return file.read(MOST_BYTES + 1), status


@dataclass(slots=True)
class _Kept:
    """What is known of one file: its last good dashboard, and what is wrong with it now."""

    signature: _Signature | None = None
    digest: bytes = b""
    dashboard: Dashboard | None = None
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class _Picture:
    """What all files together say."""

    dashboards: Mapping[str, Dashboard] = field(default_factory=lambda: MappingProxyType({}))
    troubles: tuple[Trouble, ...] = ()


class Library:
    """The dashboards of a folder, as they are now.

    Each process keeps its own. The folder is looked at when somebody asks, at most once a second,
    in a thread. A file that is half written or broken keeps its last good dashboard; one that is
    gone ends it.

    Args:
        folder: where the files are.
        is_needed: whether it is a trouble if the folder isn't there.
        datasources: the ids of the configured data sources; None to let any through.
        tell: is given each new trouble, once, as a sentence.
        monotonic: seconds that only grow.
        clock: nanoseconds since 1970, by the clock that dates files.
    """

    def __init__(
        self,
        folder: Path,
        *,
        is_needed: bool = False,
        datasources: Iterable[int] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder = folder
        self._is_needed = is_needed
        self._datasources = None if datasources is None else frozenset(datasources)
        self._tell = tell
        self._monotonic = monotonic
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._kept: dict[str, _Kept] = {}
        self._picture = _Picture()
        self._told: frozenset[Trouble] = frozenset()

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What was wrong at the last look."""
        return self._picture.troubles

    async def current(self) -> Mapping[str, Dashboard]:
        """Each dashboard by its id, in the order of the files' names."""
        if self._is_due():
            await asyncio.to_thread(self.look)
        return self._picture.dashboards

    def look(self) -> None:
        """Look at the folder now, unless somebody has just done so."""
        with self._lock:  # whoever comes first looks; the others wait for what they find
            if not self._is_due():
                return
            self._picture = self._read()
            self._looked = self._monotonic()
            told, self._told = self._told, frozenset(self._picture.troubles)
        new = [trouble for trouble in self._picture.troubles if trouble not in told]
        for trouble in new[:MOST_TOLD]:
            self._tell(str(trouble))
        if len(new) > MOST_TOLD:
            self._tell(
                f"{self._folder}: {len(new) - MOST_TOLD:,} more troubles with dashboards; see "
                "`warmcube dashboard check`"
            )

    def _is_due(self) -> bool:
        return self._looked is None or self._monotonic() - self._looked >= LOOK_SECONDS

    def _read(self) -> _Picture:
        try:
            names = sorted(
                entry.name
                for entry in os.scandir(self._folder)
                if Path(entry.name).suffix.lower() in SUFFIXES and not entry.name.startswith(".")
            )
        except FileNotFoundError:
            self._kept.clear()
            return _Picture(troubles=self._no_folder("isn't there") if self._is_needed else ())
        except OSError as error:  # all that was good stays
            return _Picture(
                self._picture.dashboards, self._no_folder(f"can't be read: {error.strerror}")
            )
        self._kept = {name: self._look_at(name) for name in names}
        return self._join()

    def _no_folder(self, what: str) -> tuple[Trouble, ...]:
        troubles = Troubles(str(self._folder))
        troubles.add((), f"the folder of dashboards {what}; make it, or set [dashboards] path")
        return troubles.found

    def _look_at(self, name: str) -> _Kept:
        kept = self._kept.get(name, _Kept())
        path = self._folder / name
        try:
            if kept.signature is not None and kept.signature == _signature(path.stat()):
                return kept
            content, status = _content(path)
        except (OSError, Unreadable) as error:
            return _Kept(dashboard=kept.dashboard, troubles=_unreadable(error, name).troubles)
        is_settled = self._clock() - status.st_mtime_ns > SETTLED_NS
        kept.signature = _signature(status) if is_settled else None
        digest = hashlib.sha256(content).digest()
        if digest == kept.digest:
            return kept
        kept.digest = digest
        try:
            parsed = _parsed(content, path.suffix, name)
        except Unreadable as error:
            parsed = _unreadable(error, name)
        kept.dashboard = parsed.dashboard or kept.dashboard
        kept.troubles = parsed.troubles
        return kept

    def _join(self) -> _Picture:
        found = {name: kept.dashboard for name, kept in self._kept.items() if kept.dashboard}
        dashboards, between = check_library(found, self._datasources)
        own = tuple(trouble for kept in self._kept.values() for trouble in kept.troubles)
        return _Picture(MappingProxyType(dashboards), own + between)


def _signature(status: os.stat_result) -> _Signature:
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def open_library(settings: Settings, tell: Callable[[str], None] = lambda _: None) -> Library:
    """The library of a configuration; reads nothing yet.

    Args:
        settings: the configuration.
        tell: is given each new trouble, once, as a sentence.
    """
    return Library(
        settings.dashboards_path,
        is_needed=settings.dashboards.path is not None,
        datasources=[each.id for each in settings.datasources],
        tell=tell,
    )
