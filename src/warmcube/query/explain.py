"""How an answer came about, for ``--explain``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from warmcube.access.reasons import Reason
from warmcube.model.scope import All, Ids
from warmcube.query.judge import Judged

__all__ = ["Explanation", "explain"]


@dataclass(slots=True, kw_only=True)
class Explanation:
    """How one answer came about.

    It shows only what follows from the asker's own rows and grant. What hangs on the rest of the
    partition (`index_sets`, `whole_partition`, `trips`) is None unless the asker may read the
    cache's figures.

    Attributes:
        origin: ``store``, ``resident`` or ``database``.
        why_database: why the cache couldn't answer; None where it did.
        partition: measure and frequency; only what was named of them, where several partitions
            were looked at.
        practices: how many practices the scope names; None for all.
        providers: how many providers, likewise.
        boxes: how many boxes the scope is a union of.
        index_sets: how many index sets were looked up.
        members: how many entries lie in the scope.
        entries: how many of these entries were fetched; none where the index sets told all.
        sums: how many of what was fetched were practice-level sums in their place.
        bytes_fetched: of the fetched entries.
        rows_fetched: rows in the fetched entries.
        rows: of the answer.
        whole_partition: whether the set of the whole partition was read.
        trips: to the store.
        timings: milliseconds by step.
        reasons: why the grant is what it is.
        unusable_ids: ids of the directory that the data source's columns can't hold.
    """

    origin: str
    why_database: str | None = None
    partition: dict[str, str | None] = field(default_factory=dict)
    practices: int | None = None
    providers: int | None = None
    boxes: int = 0
    index_sets: int | None = None
    members: int = 0
    entries: int = 0
    sums: int = 0
    bytes_fetched: int = 0
    rows_fetched: int = 0
    rows: int = 0
    whole_partition: bool | None = None
    trips: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    unusable_ids: tuple[str, ...] = ()


def explain(judged: Judged, origin: str) -> Explanation:
    """What is known of an answer as soon as it has been judged."""
    scope = judged.narrowed.scope
    return Explanation(
        origin=origin,
        partition=judged.named_partition,
        practices=_count_ids(box.practices for box in scope.boxes),
        providers=_count_ids(box.providers for box in scope.boxes),
        boxes=len(scope.boxes),
        reasons=judged.narrowed.reasons,
        unusable_ids=judged.narrowed.unusable_ids,
    )


def _count_ids(families: Iterable[Ids]) -> int | None:
    """How many ids some boxes name in all; None where one isn't restricted."""
    found: set[str] = set()
    for ids in families:
        if isinstance(ids, All):
            return None
        found |= ids
    return len(found)
