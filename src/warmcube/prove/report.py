"""What a proof found: counts and names, never a value of anybody's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

__all__ = ["MOST_FINDINGS", "DatasourceReport", "Finding", "Report", "Tally", "remarks", "visible"]

MOST_FINDINGS: Final = 200
"""So many are described one by one; all are counted."""

_VERSION: Final = 1


@dataclass(slots=True)
class Tally:
    """Counts.

    Attributes:
        cases: tried and judged.
        rows: of answers, compared with SQL's.
        denied: cases that were denied, refused or unknown, as they should be.
        leaks: rows, groups or values of others; answers where there should be none.
        losses: rows missing, answers missing.
        differences: something else in the place of what should be there.
        leaks_only: cases of a table that has changed since the warm, judged for leaks only.
        from_database: cases that the database answered although the cache was asked.
        unjudged: cases that couldn't be judged, such as when a role ended meanwhile.
        seconds: that the answers took.
    """

    cases: int = 0
    rows: int = 0
    denied: int = 0
    leaks: int = 0
    losses: int = 0
    differences: int = 0
    leaks_only: int = 0
    from_database: int = 0
    unjudged: int = 0
    seconds: float = 0.0

    def add(self, other: Tally) -> None:
        """Add another's counts."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)

    @property
    def is_clean(self) -> bool:
        return not (self.leaks or self.losses or self.differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kinds: ``leak``, ``loss``, ``difference``; whichever it is.
        user: who asked.
        datasource: which.
        case: what was tried.
        asked: the query, in names and ids.
        what: counts, in words.
    """

    kinds: tuple[str, ...]
    user: str
    datasource: int | None
    case: str
    asked: Mapping[str, str]
    what: str


@dataclass(slots=True, kw_only=True)
class DatasourceReport:
    """One data source.

    Attributes:
        origin: which tier was asked, ``cache`` or ``database``.
        snapshot: the live one; None without.
        as_of: when it was read, ISO 8601.
        partitions: that the table has.
        partitions_tried: of them.
        partitions_changed: of those tried, with other rows than the snapshot.
        problem: why it couldn't be proven; None if it could.
        tally: of all users.
        users: of each user.
    """

    id: int
    name: str
    origin: str
    snapshot: str | None = None
    as_of: str | None = None
    partitions: int = 0
    partitions_tried: int = 0
    partitions_changed: int = 0
    problem: str | None = None
    tally: Tally = field(default_factory=Tally)
    users: dict[str, Tally] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Report:
    """All of it.

    Attributes:
        started: ISO 8601 in UTC.
        seed: gives the same cases again, on the same data.
        seconds: that it took.
        users: in the directory, and whoever was named.
        users_tried: of them.
        planned: cases.
        stopped: why it ended before all were tried; None if it didn't.
        void: why nothing of it counts; None if it does.
        datasources: those asked for.
        gate: cases about no data source: users that there aren't, grants that aren't any.
        kinds: how many cases of each kind.
        findings: at most ``MOST_FINDINGS``.
        found: how many there are in all.
        notes: what else is to be known, in sentences.
    """

    started: str
    seed: int
    seconds: float = 0.0
    users: int = 0
    users_tried: int = 0
    planned: int = 0
    stopped: str | None = None
    void: str | None = None
    datasources: list[DatasourceReport] = field(default_factory=list)
    gate: Tally = field(default_factory=Tally)
    kinds: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    found: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> Tally:
        """All counts together."""
        total = Tally()
        for tally in (self.gate, *(each.tally for each in self.datasources)):
            total.add(tally)
        return total

    @property
    def problems(self) -> list[str]:
        """What kept something from being proven, in sentences."""
        found = [] if self.void is None else [self.void]
        return found + [
            f"data source {each.id} ({visible(each.name)}): {each.problem}"
            for each in self.datasources
            if each.problem is not None
        ]

    @property
    def has_proven(self) -> bool:
        """Whether something of each data source was judged in full, as everybody that was meant."""
        is_judged = all(each.tally.cases > each.tally.leaks_only for each in self.datasources)
        return bool(self.datasources) and is_judged and not self.problems

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found, and something proven."""
        return self.total.is_clean and self.has_proven

    @property
    def verdict(self) -> str:
        """In a few words."""
        total = self.total
        if not total.is_clean:
            parts = [
                f"{count:,} {name}"
                for name, count in (
                    ("leaks", total.leaks),
                    ("losses", total.losses),
                    ("differences", total.differences),
                )
                if count
            ]
            return ", ".join(parts)
        return "nothing found" if self.has_proven else "not proven"

    def find(self, finding: Finding) -> None:
        """Keep one finding, as long as there are few."""
        self.found += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)

    def as_json(self) -> dict[str, Any]:
        """The report for machines; its shape is documented, and only grows."""
        return {
            "version": _VERSION,
            "verdict": "clean" if self.is_clean else "found" if self.found else "not proven",
            "complete": self.stopped is None,
            "stopped": self.stopped,
            "started": self.started,
            "seconds": round(self.seconds, 3),
            "seed": self.seed,
            "users": self.users,
            "users_tried": self.users_tried,
            "cases_planned": self.planned,
            "total": _rounded(self.total),
            "gate": _rounded(self.gate),
            "datasources": [
                {
                    **{name: value for name, value in asdict(each).items() if name != "users"},
                    "tally": _rounded(each.tally),
                    "users": {user: _rounded(tally) for user, tally in each.users.items()},
                }
                for each in self.datasources
            ],
            "kinds": dict(sorted(self.kinds.items())),
            "findings": [asdict(each) for each in self.findings],
            "findings_in_all": self.found,
            "notes": remarks(self),
        }


def _rounded(tally: Tally) -> dict[str, Any]:
    return {
        name: round(value, 3) if isinstance(value, float) else value
        for name, value in asdict(tally).items()
    }


def remarks(report: Report) -> list[str]:
    """What somebody who reads the verdict has to know beside it, in sentences."""
    total = report.total
    lines = [*report.problems, *report.notes]
    lines += [
        f"data source {each.id}: {each.partitions_changed:,} of {each.partitions_tried:,} "
        "partitions have changed since the warm, and were judged for leaks only: warm again to "
        "have losses judged"
        for each in report.datasources
        if each.partitions_changed
    ]
    if total.differences and not total.leaks:
        lines.append(
            "differences in values are no leaks; where the table was written since the warm, they "
            "are to be expected: warm again"
        )
    if total.from_database:
        lines.append(f"{total.from_database:,} cases were answered by the database, not the cache")
    if total.unjudged:
        lines.append(f"{total.unjudged:,} cases weren't judged, since a role ended meanwhile")
    if report.stopped is not None:
        lines.append(f"incomplete: {report.stopped}")
    return lines


def visible(text: str) -> str:
    """A name as it may be shown: without control characters, marks that turn the direction of
    what follows, or halves of characters.
    """
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
