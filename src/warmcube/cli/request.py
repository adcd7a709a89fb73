"""One command that asks something, read: who asks what, and how the answer is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from warmcube.query.asked import Asked

__all__ = ["Format", "PlainFormat", "Request"]


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


class PlainFormat(StrEnum):
    """How a list of values is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for.

    Attributes:
        asked: of the cache.
        user: as whom.
        format: of the answer.
        explain: whether to show how it came about.
    """

    asked: Asked
    user: str
    format: Format
    explain: bool
