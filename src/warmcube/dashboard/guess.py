"""What measures probably are, by their names and values: money, counts, rates. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["Look", "MeasureFacts", "best_frequency", "look_of", "name_column"]

Look: TypeAlias = Literal["currency", "count", "number", "percent", "of_hundred"]

_MONEY: Final = re.compile(
    r"currency|money|charge|payment|revenue|sales|cost|price|amount|adjustment|refund|income|"
    r"expense|profit|budget|spend|billing|invoice|salary|fee|\$|€|£|usd|eur",
    re.IGNORECASE,
)
_SHARE: Final = re.compile(
    r"%|percent|\brate\b|ratio|share|satisfaction|utili[sz]ation|margin", re.IGNORECASE
)
_LEVEL: Final = re.compile(
    r"average|avg|\bmean\b|median|\bper\b|score|rate|days in|balance|level|index|age\b",
    re.IGNORECASE,
)
_FREQUENCIES: Final = ("month", "week", "quarter", "da[iy]", "year|annual", "hour")
_ID_WORDS: Final = ("_uid", "_id", "_uuid", "_key", "_code", "_no", "uid", "id")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureFacts:
    """What a look at the data told of one measure.

    Attributes:
        name: of the measure; None where the table has no measure column.
        unit: what a column about its type says.
        least: its least value; None if none was seen.
        most: its greatest.
        is_whole: whether all values are whole numbers.
        total: of the values that were seen.
    """

    name: str | None
    unit: str | None = None
    least: float | None = None
    most: float | None = None
    is_whole: bool = False
    total: float = 0.0

    @property
    def is_level(self) -> bool:
        """Whether it is to be averaged: adding it up would say nothing."""
        return look_of(self) in ("percent", "of_hundred") or bool(_LEVEL.search(self.name or ""))


def look_of(measure: MeasureFacts) -> Look:
    """How its numbers should look."""
    for text in (measure.unit or "", measure.name or ""):
        if _SHARE.search(text):
            return "percent" if measure.most is not None and measure.most <= 1.5 else "of_hundred"
        if _MONEY.search(text):
            return "currency"
        if re.search(r"\bcount\b|\bnumber\b", text, re.IGNORECASE):
            return "count" if measure.is_whole else "number"
    return "count" if measure.is_whole else "number"


def best_frequency(rows: Iterable[tuple[str, int]]) -> str | None:
    """The frequency that a page begins with: months if there are any.

    Args:
        rows: the frequencies, and how many rows each has.
    """
    known = dict(rows)
    for words in _FREQUENCIES:
        found = [name for name in known if re.match(words, name, re.IGNORECASE)]
        if found:
            return max(found, key=lambda name: known[name])
    return max(known, key=lambda name: known[name], default=None)


def name_column(column: str, texts: Sequence[str]) -> str | None:
    """The column that holds the names of a column's ids.

    Args:
        column: of ids.
        texts: the text columns.
    """
    stem = next(
        (column.removesuffix(word) for word in _ID_WORDS if column.lower().endswith(word)), column
    )
    wanted = (f"{stem}_name", f"{stem}name", f"{stem}_title", stem)
    return next((each for each in wanted if each in texts and each != column), None)
