"""Which columns cache and database have in common, and how they are compared. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from warmcube.model.schema import Kind, Schema

__all__ = ["Common", "common_columns"]


@dataclass(frozen=True, slots=True)
class Common:
    """What both have.

    Attributes:
        scales: by column, the scale that its numerics are compared at; 0 for others.
        kinds: of these columns.
        differing: in words, the columns that only one of them has, or that are of another kind.
    """

    scales: dict[str, int]
    kinds: dict[str, Kind]
    differing: tuple[str, ...]


def common_columns(cache: Schema, database: Schema) -> Common:
    """Match two schemas by name and kind; digits of a numeric may differ."""
    scales: dict[str, int] = {}
    kinds: dict[str, Kind] = {}
    differing = []
    for column in cache.columns:
        if column.name not in database:
            differing.append(f"column {column.name!r} is in the cache only")
            continue
        theirs = database[column.name].type
        if theirs.kind is not column.type.kind:
            differing.append(f"column {column.name!r} is {column.type} in the cache, now {theirs}")
            continue
        scales[column.name] = max(column.type.scale, theirs.scale)
        kinds[column.name] = column.type.kind
    differing += [
        f"column {column.name!r} is in the database only"
        for column in database.columns
        if column.name not in cache
    ]
    return Common(scales, kinds, tuple(differing))
