"""What both designs of the predecessor share: rows as JSON documents, and filters in memory.

The predecessor ran elsewhere, in another language; these are its mechanics in Python, with the
fastest JSON that Python has. Values are JSON numbers here, in its favour: shorter, and added up
without another step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final, TypeAlias

import asyncpg

from benchmarks.baselines.api import Answer
from benchmarks.questions import Question

__all__ = ["LIFE", "PATIENCE", "Row", "connect", "filtered", "pairs_of", "summed"]

Row: TypeAlias = dict[str, Any]

LIFE: Final = 4 * 60 * 60
"""Seconds that every key lives."""

PATIENCE: Final = 60
"""Seconds that a client waits for Redis: long pipelines and documents take longer than usual."""

_EPOCH: Final = date(1970, 1, 1)


async def connect(url: str) -> Any:
    """A connection that gives numerics as floats, which JSON can hold."""
    connection = await asyncpg.connect(url)
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=float, format="text"
    )
    return connection


def filtered(rows: Iterable[Row], question: Question) -> list[Row]:
    """Those that the question is about, and its asker may see."""
    found = list(rows)
    if question.practices is not None:
        allowed = frozenset(question.practices)
        found = [row for row in found if row["practice_uid"] in allowed]
    if question.provider is not None:
        found = [row for row in found if row["provider_uid"] == question.provider]
    return found


def summed(rows: Sequence[Row]) -> dict[str, float]:
    """The sum of the values by date."""
    sums: dict[str, float] = defaultdict(float)
    for row in rows:
        sums[row["date_index"]] += row["measure_value"]
    return sums


def pairs_of(answer: Answer) -> list[tuple[int, int]]:
    """Rows or sums as days since 1970-01-01 and hundredths."""
    found = (
        answer.items()
        if isinstance(answer, dict)
        else ((row["date_index"], row["measure_value"]) for row in answer)
    )
    return [((date.fromisoformat(day) - _EPOCH).days, round(value * 100)) for day, value in found]
