"""What one asks of the inspector, and what it tells. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from warmcube.model.request import Null

__all__ = ["ColumnSize", "EntryName", "Inspected", "Listing", "Part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryName:
    """Which entry is meant, as in a query; a role that the table lacks is None."""

    datasource: int
    measure: str | int | Null | None = None
    frequency: str | int | Null | None = None
    practice: str | int | Null | None = None
    provider: str | int | Null | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One value of the store.

    Attributes:
        key: it lies there.
        bytes: of the value; None where there is none.
        memory_bytes: that it takes, with what the server adds; None if the server won't tell.
        expires_seconds: until it expires; None if it never does, or isn't there.
        rows: that its header speaks of; None where there is no header.
        practice_code: of its header.
        provider_code: of its header.
    """

    key: str
    bytes: int | None = None
    memory_bytes: int | None = None
    expires_seconds: float | None = None
    rows: int | None = None
    practice_code: int | None = None
    provider_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSize:
    """What one column takes of an entry."""

    name: str
    type: str
    storage: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What was found.

    Attributes:
        datasource: its id.
        exists: whether the snapshot has such an entry.
        why: why not, or what is damaged; None if all is well.
        is_proven: whether it is there and checks out, in the index and by itself; None where there
            is nothing to prove.
        proofs: each thing that was checked, and what came of it: "ok", or what is wrong.
        snapshot: the live version.
        version: of the partition.
        as_of: when its table was read, Unix milliseconds.
        fresh_until: Unix milliseconds.
        serve_until: Unix milliseconds.
        seal: what its values bear.
        record_bytes: of one row's record.
        rows: how many it has.
        bytes: of its values.
        parts: its values.
        columns: what each takes of the records; what the key says takes nothing.
        data: the names of the columns, and rows as text, if they were asked for.
    """

    datasource: int
    exists: bool
    why: str | None = None
    is_proven: bool | None = None
    proofs: Mapping[str, str] = field(default_factory=dict)
    snapshot: str | None = None
    version: str | None = None
    as_of: int | None = None
    fresh_until: int | None = None
    serve_until: int | None = None
    seal: str | None = None
    record_bytes: int | None = None
    rows: int | None = None
    bytes: int | None = None
    parts: tuple[Part, ...] = ()
    columns: tuple[ColumnSize, ...] = ()
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Some of a partition's entries.

    Attributes:
        datasource: its id.
        snapshot: the live version; None where nothing is live.
        total: how many entries the partition has, parts included; 0 if there is none.
        entries: practice, provider and part (0 is the first), null being NULL.
        cursor: takes you on; None at the end. An entry may come up twice.
    """

    datasource: int
    snapshot: str | None = None
    total: int = 0
    entries: tuple[Mapping[str, Any], ...] = ()
    cursor: str | None = None
