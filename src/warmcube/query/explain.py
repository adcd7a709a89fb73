"""How an answer came about, for ``--explain``."""

from __future__ import annotations

from dataclasses import dataclass, field

from warmcube.access.reasons import Reason

__all__ = ["Explanation"]


@dataclass(slots=True, kw_only=True)
class Explanation:
    """How one answer came about.

    It shows only what follows from the asker's own rows and grant. What follows from the whole
    partition (`whole_partition`, `trips`) is None unless the asker may read the cache's figures.

    Attributes:
        origin: ``store`` or ``database``.
        why_database: why the cache couldn't answer; None where it did.
        partition: measure and frequency.
        practices: how many practices the scope names; None for all.
        providers: how many providers, likewise.
        boxes: how many boxes the scope is a union of.
        index_sets: how many index sets were looked up.
        members: how many of their members lie in the scope, each an entry that was fetched.
        bytes_fetched: of these entries.
        rows_fetched: rows in these entries.
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
    index_sets: int = 0
    members: int = 0
    bytes_fetched: int = 0
    rows_fetched: int = 0
    rows: int = 0
    whole_partition: bool | None = None
    trips: int | None = None
    timings: dict[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    unusable_ids: tuple[str, ...] = ()
