"""One read as it was asked for: every way into the cache comes to one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from warmcube.access.standing import Purpose
from warmcube.model.request import Query

__all__ = ["Asked", "Wanted"]

Wanted: TypeAlias = Literal["rows", "values", "measures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks for; nothing of it is checked yet.

    Attributes:
        query: of which data source, partition, practices, … For the values of a column its
            `group_by`, `aggregate`, `order_by` and `limit` say nothing; for measures only the data
            source counts.
        wanted: its rows, the distinct values of `column`, or the measures.
        column: whose values; None unless they are wanted.
        purpose: to read, to export, or to embed in another site.
    """

    query: Query
    wanted: Wanted = "rows"
    column: Any = None
    purpose: Purpose = "read"
