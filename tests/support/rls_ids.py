"""Ids of practices and providers for the trial under row-level security, in every type."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, Final
from uuid import UUID

__all__ = ["FAMILIES", "NEVER_HELD", "Ids", "as_given", "make_ids"]

FAMILIES: Final = {
    "integer": ("integer", "bigint", "smallint"),
    "text": ("text",),
    "uuid": ("uuid",),
    "mixed": ("integer", "text", "uuid", "bigint", "smallint"),
}
"""What a trial is named by, and the types of its columns."""

NEVER_HELD: Final = ("0101", " 101", "101 ", "1e2", "99999999999999999999", "north-7", "A1B2")
"""Ids of a directory that only a text column can hold."""

_INTEGERS: Final = (
    "0", "-1", "101", "102", "103", "104", "105", "106", "107", "1010", "7", "32767",
)  # fmt: skip
_BIG: Final = ("4294967296", "-9223372036854775808")
_TEXTS: Final = (
    "101", "0101", "~", "%7E", "a:b", "{x}", "o'hara", 'quo"te', " lead", "trail ", "ünï",
    "日本", "p:1:prov:2", "NULL", "*", "x\\y", "A", "a", "101:prov:7", "$1", "--", "line\nbreak",
)  # fmt: skip
_UUIDS: Final = tuple(
    str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for number in range(1, 13)
)


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one column.

    Attributes:
        type: of the column, in Postgres's words.
        present: that rows have; the empty text may be among them, which nobody can name.
        absent: that a column of this type could hold, but no row has.
    """

    type: str
    present: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def nameable(self) -> tuple[str, ...]:
        """What a query may name without being wrong in itself."""
        return tuple(each for each in (*self.present, *self.absent) if each)


def make_ids(random: Random, type: str, count: int) -> Ids:
    """So many ids with rows, and a few without."""
    if type == "text":
        known = random.sample(_TEXTS, count + 3)
    else:
        known = list(_UUIDS if type == "uuid" else _INTEGERS)
        if type == "bigint":
            known += _BIG
        random.shuffle(known)
    present = known[:count]
    if type == "text" and random.random() < 0.5:
        present.append("")
    return Ids(type, tuple(present), tuple(known[count:]))


def as_given(random: Random, text: str, type: str) -> Any:
    """An id as somebody may write it in a query."""
    if type == "text" or random.random() < 0.5:
        return text
    return UUID(text) if type == "uuid" else int(text)
