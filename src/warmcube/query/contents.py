"""What a data source holds, for whoever writes questions about it: columns and partitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from warmcube.entry.keys import PartitionName
from warmcube.model.schema import Schema

__all__ = ["Contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is there, of all rows and for no user.

    Attributes:
        schema: the columns.
        rows: how many rows each measure has with each frequency.
        is_live: whether this is the snapshot's; otherwise the database's.
    """

    schema: Schema
    rows: Mapping[PartitionName, int]
    is_live: bool
