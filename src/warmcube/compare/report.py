"""What a verification tells: figures and names, never values of rows. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from warmcube.entry.keys import PartitionName

__all__ = [
    "MOST_LISTED",
    "Finding",
    "Findings",
    "Stage",
    "Table",
    "Verdict",
    "VerifyProgress",
    "VerifyReport",
    "advice",
    "judge",
]

MOST_LISTED: Final = 500
"""Findings beyond these are only counted."""


class Table(StrEnum):
    """Whether the rows of a partition have changed in the database since they were warmed."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """What came of it, from the best to the worst."""

    EQUAL = "equal"
    CHANGED = "changed"  # differs, and all that differs has changed in the database
    DIFFERS = "differs"  # differs, and whether the table has changed can't be told
    WRONG = "wrong"  # differs although the table hasn't changed
    DAMAGED = "damaged"  # something in the store isn't what was written


_ORDER: Final = tuple(Verdict)


class Stage(StrEnum):
    """What a verification is doing."""

    DATABASE = "reading the database"
    SLICES = "comparing slices"
    CACHE = "reading the cache"


VerifyProgress: TypeAlias = Callable[[Stage, int, int], None]
"""Told the stage, and how many rows or slices of how many are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that isn't as it should be.

    Attributes:
        kind: ``damage`` (of the store, for certain); ``schema``, ``partition`` (only one side has
            it), ``rows``, ``nulls``, ``sum``, ``range``, ``checksum``, ``slice`` (cache and
            database differ in it); ``read`` (two readings of one database snapshot do).
        what: in words.
        measure: of the partition; None for NULL, and where `is_of_partition` is False.
        frequency: likewise.
        is_of_partition: whether it is about one partition.
        table: whether that partition's rows have changed since they were warmed.
        column: which column it is about, if it is about one.
        practice: of the slice, if it is about one.
        provider: likewise.
        cache: how many rows, or NULLs, the cache has.
        database: how many the database has.
    """

    kind: str
    what: str
    measure: str | None = None
    frequency: str | None = None
    is_of_partition: bool = True
    table: Table = Table.UNKNOWN
    column: str | None = None
    practice: str | None = None
    provider: str | None = None
    cache: int | None = None
    database: int | None = None


@dataclass(slots=True)
class Findings:
    """What was found so far: of each verdict the first ones, and how many in all.

    Attributes:
        total: how many.
        damaged: every partition that isn't whole, with what was found of it first. What has to be
            repaired hangs on no list that others fill.
    """

    total: int = 0
    damaged: dict[PartitionName, str] = field(default_factory=dict)
    _of: dict[Verdict, list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Take one in."""
        self.total += 1
        alike = self._of.setdefault(judge(finding), [])
        if len(alike) < MOST_LISTED:
            alike.append(finding)

    def damage(self, name: PartitionName, what: str) -> None:
        """Take in that something of a partition isn't whole in the store."""
        self.damaged.setdefault(name, what)
        self.add(Finding(kind="damage", what=what, measure=name.measure, frequency=name.frequency))

    @property
    def worst(self) -> Verdict:
        """What all of it amounts to."""
        return max(self._of, key=_ORDER.index, default=Verdict.EQUAL)

    @property
    def listed(self) -> list[Finding]:
        """The worst, and of those that are as bad the first."""
        of = sorted(self._of, key=_ORDER.index, reverse=True)
        return [each for verdict in of for each in self._of[verdict]][:MOST_LISTED]


def judge(finding: Finding) -> Verdict:
    """What one finding alone amounts to."""
    if finding.kind == "damage":
        return Verdict.DAMAGED
    if finding.kind == "read":  # two readings of one state: whatever has changed, one is wrong
        return Verdict.WRONG
    return {
        Table.UNCHANGED: Verdict.WRONG,
        Table.CHANGED: Verdict.CHANGED,
        Table.UNKNOWN: Verdict.DIFFERS,
    }[finding.table]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What came of a verification.

    Attributes:
        datasource: its id.
        snapshot: the live version.
        verdict: see `Verdict`.
        advice: what to do about it; empty where all is well.
        as_of: when the snapshot's table was read, ISO 8601 in UTC; of several reads the first.
        compared_at: when the database was read for this, likewise.
        change_column: by which column changes of the table are told; None: by hashes of all rows.
        has_fingerprints: whether it can be told at all if the table has changed.
        partitions: how many were compared.
        rows: how many the cache holds.
        database_rows: how many the database holds.
        entries: how many were read, parts included.
        slices: how many were compared row by row.
        slice_rows: how many rows the database had in them.
        slices_left_out: how many were too large for that.
        seed: what the slices were drawn with.
        findings: the first ones, the worst before the others.
        findings_total: how many there are.
        database_error: why the database couldn't be compared to the end; None if it was.
        seconds: from beginning to end.
    """

    datasource: int
    snapshot: str
    verdict: Verdict
    advice: str
    as_of: str
    compared_at: str | None
    change_column: str | None
    has_fingerprints: bool
    partitions: int
    rows: int
    database_rows: int
    entries: int
    slices: int
    slice_rows: int
    slices_left_out: int
    seed: int
    findings: tuple[Finding, ...] = ()
    findings_total: int = 0
    database_error: str | None = None
    seconds: float = 0.0

    @property
    def is_equal(self) -> bool:
        """Whether nothing was found."""
        return self.verdict is Verdict.EQUAL and self.database_error is None


def advice(verdict: Verdict, datasource: int, as_of: str) -> str:
    """What to do about a verdict."""
    warm = f"`warmcube warm {datasource}`"
    match verdict:
        case Verdict.EQUAL:
            return ""
        case Verdict.CHANGED:
            return f"the table has changed since {as_of}, and {warm} takes that over"
        case Verdict.DIFFERS:
            return (
                f"the table may have changed since {as_of}: {warm} while nothing writes to it, and "
                "verify again; if it differs then too, that is a defect of warmcube"
            )
        case Verdict.WRONG:
            return (
                f"the table hasn't changed since {as_of}, so the cache, or how it was read, is "
                f"wrong: keep this report, then `warmcube disable {datasource}` lets the database "
                "answer; and report it as a defect"
            )
        case Verdict.DAMAGED:
            return (
                "the store doesn't hold what was written: users are answered from the database "
                f"where it matters; {warm}, and look for what evicts, expires or overwrites keys"
            )
