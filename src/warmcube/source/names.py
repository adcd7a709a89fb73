"""Table names as they are written in a configuration, and identifiers as SQL wants them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from warmcube.errors import TableMismatch

__all__ = ["TableName", "parse_table", "quote", "similar"]

_PART: Final = r'(?:"(?:[^"\0]|"")+"|[^".\0]+)'
_TABLE: Final = re.compile(rf"(?:({_PART})\.)?({_PART})", re.DOTALL)
_PLAIN: Final = re.compile(r"[^\".\0]+")


@dataclass(frozen=True, slots=True)
class TableName:
    """A table or view; no schema means that the database searches its path."""

    schema: str | None
    name: str

    @property
    def sql(self) -> str:
        """Quoted for SQL."""
        return (
            quote(self.name) if self.schema is None else f"{quote(self.schema)}.{quote(self.name)}"
        )

    def __str__(self) -> str:
        """As it is written in a configuration: quoted only where it has to be."""
        parts = (self.name,) if self.schema is None else (self.schema, self.name)
        return ".".join(part if _PLAIN.fullmatch(part) else quote(part) for part in parts)


def quote(identifier: str) -> str:
    """An identifier for SQL, always quoted."""
    if "\0" in identifier or not identifier:
        raise TableMismatch(
            f"the name {identifier!r} can't be used in SQL: expected at least one character, "
            "and none of them NUL"
        )
    return '"' + identifier.replace('"', '""') + '"'


def parse_table(text: str) -> TableName:
    """Read ``schema.table`` or ``table``.

    Names are taken exactly as written, upper case included. A part that holds a dot or a double
    quote goes in double quotes, inner ones doubled: ``"we.ird"."ta ble"``.
    """
    match = _TABLE.fullmatch(text)
    if match is None:
        raise TableMismatch(
            f"the table name {text!r} can't be read: expected schema.table, with names that "
            'hold a dot or a double quote in double quotes, as in "my.schema".table'
        )
    schema, name = (None if part is None else _unquote(part) for part in match.groups())
    return TableName(schema, name or "")


def similar(wanted: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """The candidates that `wanted` may be a slip of, best first: other case, or few letters off."""
    by_folded: dict[str, list[str]] = {}
    for candidate in candidates:
        by_folded.setdefault(candidate.casefold(), []).append(candidate)
    close = get_close_matches(wanted.casefold(), by_folded, n=most, cutoff=0.6)
    return [candidate for folded in close for candidate in by_folded[folded]][:most]


def _unquote(part: str) -> str:
    return part[1:-1].replace('""', '"') if part.startswith('"') else part
