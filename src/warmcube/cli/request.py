"""One ``query`` command, read: who asks what, and how the answer is shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from warmcube.model.request import Query

__all__ = ["Format", "Request"]


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for.

    Attributes:
        query: for the cache.
        user: as whom.
        format: of the answer.
        explain: whether to show how it came about.
    """

    query: Query
    user: str
    format: Format
    explain: bool
