"""What pages load: styles, modules and the script that draws charts, each under its fingerprint.

A path that holds the hash of what it leads to never has to be asked about again. All styles and
modules share one hash, so that modules can import each other by relative paths. What isn't in the
registry doesn't exist: no request is ever turned into the path of a file.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import xxhash
import zstandard

__all__ = ["PREFIX", "Asset", "Assets"]

PREFIX: Final = "/static"
"""Where all of them lie."""

_PLOTLY: Final = "plotly.min.js"
_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SMALL: Final = 500
"""Bytes up to which compression isn't worth it."""
_GZIP_LEVEL: Final = 6
_ZSTD_LEVEL: Final = 9


@dataclass(slots=True, eq=False)
class Asset:
    """One file, and its compressed forms as soon as somebody wants them.

    Attributes:
        media_type: of it.
        data: as it is.
    """

    media_type: str
    data: bytes
    _encoded: dict[str, asyncio.Task[bytes]] = field(default_factory=dict, repr=False)

    async def encoded(self, coding: str) -> tuple[bytes, str]:
        """The file in a content coding, and the coding that it really has.

        Compressed once, in a thread, however many ask at once.
        """
        if coding == "identity" or len(self.data) < _SMALL:
            return self.data, "identity"
        task = self._encoded.get(coding)
        if task is None:
            work = _zstd if coding == "zstd" else _gzip
            task = asyncio.create_task(asyncio.to_thread(work, self.data))
            self._encoded[coding] = task
        return await asyncio.shield(task), coding  # whoever hangs up, others wait for it too


class Assets:
    """All that pages load, read once."""

    def __init__(self) -> None:
        own = {each.name: each.read_bytes() for each in _files(files("warmcube.web") / "static")}
        plotly = _plotly().read_bytes()
        self._paths: dict[str, str] = {}
        self._assets: dict[tuple[str, str], Asset] = {}
        self._add(own)
        self._add({_PLOTLY: plotly})

    def path(self, name: str) -> str:
        """Where a file lies, fingerprint included.

        Raises:
            KeyError: there is none of this name: a mistake in a template.
        """
        return self._paths[name]

    def find(self, version: str, name: str) -> Asset | None:
        """What lies at a path; None if nothing does."""
        return self._assets.get((version, name))

    def _add(self, contents: Mapping[str, bytes]) -> None:
        version = _fingerprint(contents)
        for name, data in contents.items():
            self._paths[name] = f"{PREFIX}/{version}/{name}"
            media_type = _TYPES[name.rpartition(".")[2]]
            self._assets[version, name] = Asset(media_type, data)


def _files(folder: Traversable) -> list[Traversable]:
    found = [each for each in folder.iterdir() if each.is_file()]
    return sorted(found, key=lambda each: each.name)


def _plotly() -> Path:
    """The script in the package ``plotly``, found without importing it: that takes long."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:  # pragma: no cover - it is a dependency
        raise ModuleNotFoundError("the package plotly, whose script draws the charts")
    return Path(found.origin).parent / "package_data" / _PLOTLY


def _fingerprint(contents: Mapping[str, bytes]) -> str:
    """Of names and contents together: whatever changes, the path does."""
    total = xxhash.xxh3_128()
    for name, data in contents.items():
        total.update(f"{name} {len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(data)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=_GZIP_LEVEL, mtime=0)
