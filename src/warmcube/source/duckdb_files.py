"""Which files a ``duckdb:`` or ``parquet:`` URL means, and whether they are still the same."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from warmcube.errors import ConfigError, SourceUnavailable

__all__ = ["FileUrl", "Files"]


@dataclass(frozen=True, slots=True)
class Files:
    """Files, and what tells that one was written again: path, size, time of change, inode."""

    stamps: tuple[tuple[str, int, int, int], ...]

    @classmethod
    def of(cls, paths: list[str]) -> Files:
        """The files as they are now."""
        stats = [(path, Path(path).stat()) for path in paths]
        return cls(tuple((path, s.st_size, s.st_mtime_ns, s.st_ino) for path, s in stats))

    @property
    def paths(self) -> list[str]:
        return [stamp[0] for stamp in self.stamps]


@dataclass(frozen=True, slots=True)
class FileUrl:
    """``duckdb:///folder/file.duckdb`` or ``parquet:///folder/*.parquet``.

    What follows the two slashes is a path (percent-decoded), relative to the working directory
    where it doesn't begin with a slash.
    """

    is_parquet: bool
    pattern: str

    @classmethod
    def parse(cls, url: str, source: str) -> FileUrl:
        """Read a URL.

        Raises:
            ConfigError: it names no file.
        """
        scheme, _, rest = url.partition(":")
        pattern = unquote(rest.removeprefix("//"))
        if not rest.startswith("//") or not pattern.strip("/") or "\0" in pattern:
            raise ConfigError(
                f"[sources.{source}] url: expected duckdb:///folder/file.duckdb or "
                f"parquet:///folder/*.parquet, got {url!r}"
            )
        return cls(scheme.lower() == "parquet", str(Path(pattern).absolute()))

    def files(self, source: str) -> Files:
        """The files that there are now; `**` stands for folders within folders.

        Raises:
            SourceUnavailable: there is none, or one can't be looked at.
        """
        found = [self.pattern]
        if self.is_parquet and not Path(self.pattern).is_file():
            # Path.glob takes no absolute pattern.
            matching = glob.glob(self.pattern, recursive=True)  # noqa: PTH207
            found = sorted(path for path in matching if Path(path).is_file())
        try:
            if found:
                return Files.of(found)
            reason = "no file matches"
        except OSError as error:
            reason = (error.strerror or "it can't be opened").lower()
        raise SourceUnavailable(f"source {source!r}, {self.pattern}: {reason}")
