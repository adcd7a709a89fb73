"""What a read is made of on its way from request to answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from warmcube.access.grant import Grant
from warmcube.access.permissions import Action
from warmcube.errors import Damage, StoreError
from warmcube.model.schema import Datasource, Schema
from warmcube.observe.observer import UNOBSERVED, MissReason, Observer
from warmcube.query.asked import Asked
from warmcube.query.explain import Explanation, explain
from warmcube.query.judge import Judged
from warmcube.query.prepared import Limits
from warmcube.query.read import Reading
from warmcube.query.resident import Origins, ResidentKey
from warmcube.query.result import Meta, Result
from warmcube.query.snapshots import LiveSnapshot

__all__ = [
    "AnswerSettings",
    "Answered",
    "DamageMet",
    "DatabaseMoment",
    "ReadRequest",
    "Unavailable",
    "as_of_answer",
    "damaged",
    "explain_database",
    "explain_resident",
    "explain_store",
    "figures_of",
    "ignore_damage",
    "kept_as",
    "notes_of",
    "resident_key",
    "unreachable",
    "whose_turn",
]


DamageMet: TypeAlias = Callable[[int, str | None, Damage], None]
"""Told of a data source, the version of its snapshot (None: the pointer or the manifest is
damaged), and what was met; never waits, never fails."""


def ignore_damage(_datasource: int, _version: str | None, _damage: Damage) -> None:
    """Where nobody is told of damage."""


class ReadRequest(NamedTuple):
    """One read on its way: what is asked, by whom, of what, since when, and until when.

    Since when it is read is told by the performance counter, its deadline by the monotonic clock.
    """

    asked: Asked
    grant: Grant
    datasource: Datasource
    started: float
    until: float

    @property
    def sees_figures(self) -> bool:
        """Whether figures of whole partitions may be told."""
        return self.grant.permits(Action.CACHE_READ)


class Answered(NamedTuple):
    """An answer, and what it stands on: the request, the schema, and its judgement by that."""

    request: ReadRequest
    schema: Schema
    judged: Judged
    result: Result


@dataclass(frozen=True, slots=True)
class DatabaseMoment:
    """What the database was when it was read, and how long that took."""

    schema: Schema
    as_of: datetime
    milliseconds: float


class ReadingFigures(NamedTuple):
    """What an explanation tells of a `warmcube.query.read.Reading`, without its rows."""

    members: int
    bytes: int
    sets: int
    whole: bool
    trips: int
    sums: int


class Unavailable(Exception):
    """The cache can't answer; says why.

    Args:
        reason: in one word, for figures.
        why: for everybody.
        figures: what may be told beyond that to those who may know figures of whole partitions.
    """

    def __init__(self, reason: MissReason, why: str, figures: str = "") -> None:
        super().__init__(why)
        self.reason = reason
        self.why = why
        self.figures = figures


def damaged(damage: Damage) -> Unavailable:
    """The store isn't whole."""
    return Unavailable(MissReason.DAMAGE, "damage in the store", f": {damage}")


def unreachable(error: StoreError) -> Unavailable:
    """The store can't be reached."""
    # Not for everybody: the error names an address.
    return Unavailable(MissReason.STORE, "the store can't answer", f": {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSettings:
    """What answering needs to know beside its parts.

    Attributes:
        limits: of one query.
        enabled: whether the cache answers at all.
        seconds: the deadline of a read; as long may the database take for a statement.
        fallback_rows: how many rows the database may give for one read.
        resident_bytes: of the answers that are kept.
        running_per_user: how many reads of one user go on at a time; the others wait.
        fallback_slots: how many reads of the database go on at a time, in all processes.
        processes: how many processes share those.
        batch: how many queries one read may have.
        observer: told how reads went.
        met_damage: told of damage under an unchanged pointer.
    """

    limits: Limits
    enabled: bool = True
    seconds: float = 10.0
    fallback_rows: int = 2_000_000
    resident_bytes: int = 0
    running_per_user: int = 8
    fallback_slots: int = 8
    processes: int = 1
    batch: int = 100
    observer: Observer = UNOBSERVED
    met_damage: DamageMet = ignore_damage


def resident_key(judged: Judged, live: LiveSnapshot) -> ResidentKey:
    """Under what an answer is kept: all that it hangs on."""
    prepared = judged.prepared
    return ResidentKey(prepared.datasource, live.manifest.version, judged.narrowed.scope, prepared)


def kept_as(judged: Judged, reading: Reading, live: LiveSnapshot) -> tuple[ResidentKey, Origins]:
    """Under what an answer is kept, and what is told of where it came from."""
    origins = Origins(
        members=reading.members,
        entries=reading.entries,
        rows=reading.rows,
        sums=reading.sums,
        held=_held_by(judged, reading),
    )
    return resident_key(judged, live), origins


def _held_by(judged: Judged, reading: Reading) -> int:
    """Bytes that an answer holds on to until its columns are made: those of all rows read."""
    prepared = judged.prepared
    if prepared.aggregate is not None:
        return 0
    is_part = prepared.conditions or prepared.order or prepared.limit is not None
    return 2 * reading.bytes if is_part else reading.bytes  # as records, and as columns


def as_of_answer(judged: Judged, members: int, live: LiveSnapshot) -> datetime:
    """When the database was read; without own rows a partition's age isn't told either."""
    manifest = live.manifest
    partition = manifest.partitions.get(judged.partition) if members else None
    as_of_ms = manifest.as_of_ms if partition is None else partition.as_of_ms
    return _moment(as_of_ms)


@lru_cache(maxsize=256)
def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def whose_turn(grant: object) -> str:
    """Whose turn it is; what is no grant is refused in its turn."""
    return grant.user.id if type(grant) is Grant else ""


def notes_of(judged: Judged) -> tuple[str, ...]:
    """What an answer lacks that it would have if the directory were in order."""
    lost_organizations = judged.narrowed.lost_organizations
    if not lost_organizations:
        return ()
    return tuple(
        f"organization {lost!r} has a defect in the directory, so its rows are left out"
        for lost in lost_organizations
    )


def explain_resident(judged: Judged, meta: Meta, origins: Origins) -> Explanation:
    """How an answer came about that was kept."""
    explanation = _explain(judged, meta)
    explanation.members = origins.members
    explanation.sums = origins.sums
    if _sees_figures(judged):
        explanation.index_sets = explanation.trips = 0
        explanation.whole_partition = False
    return explanation


def figures_of(reading: Reading) -> ReadingFigures | Reading:
    """What an explanation tells of a reading, and no rows that the answer doesn't hold anyway."""
    if reading.origin == "resident":
        return reading
    return ReadingFigures(
        reading.members, reading.bytes, reading.sets, reading.whole, reading.trips, reading.sums
    )


def explain_store(judged: Judged, meta: Meta, figures: ReadingFigures | Reading) -> Explanation:
    """How an answer of the store came about."""
    explanation = _explain(judged, meta)
    explanation.members = figures.members
    explanation.bytes_fetched = figures.bytes
    explanation.sums = figures.sums
    if _sees_figures(judged):
        explanation.index_sets = figures.sets
        explanation.whole_partition = figures.whole
        explanation.trips = figures.trips
    return explanation


def explain_database(judged: Judged, meta: Meta, why: str) -> Explanation:
    """How an answer of the database came about."""
    explanation = _explain(judged, meta)
    explanation.why_database = why
    return explanation


def _explain(judged: Judged, meta: Meta) -> Explanation:
    """As far as the judgement and the meta tell."""
    explanation = explain(judged, meta.origin)
    explanation.entries = meta.entries
    explanation.rows_fetched = meta.rows_fetched
    explanation.rows = meta.rows
    explanation.timings = dict(meta.timings)
    return explanation


def _sees_figures(judged: Judged) -> bool:
    """Whether figures of whole partitions may be told."""
    return judged.narrowed.grant.permits(Action.CACHE_READ)
