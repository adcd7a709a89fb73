"""What a warm tells: progress while it runs, a report at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

__all__ = ["Phase", "Progress", "ProgressCallback", "Reporter", "WarmReport"]


class Phase(StrEnum):
    """What a warm is doing."""

    COUNTING = "counting"
    CARRYING = "carrying"
    READING = "reading"
    WRITING = "writing"
    VERIFYING = "verifying"
    PUBLISHING = "publishing"
    CLEANING = "cleaning"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a warm is.

    Attributes:
        phase: what it is doing.
        rows: of `total_rows`, how many this phase has done.
        total_rows: how many rows the source holds; None until they are counted.
        entries: written so far.
        bytes: of entries written so far.
        seconds: since the warm began.
        eta_seconds: until this phase is done, from its pace so far; None where there is none yet.
    """

    phase: Phase
    rows: int = 0
    total_rows: int | None = None
    entries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    eta_seconds: float | None = None


ProgressCallback: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """What a warm did.

    Attributes:
        datasource: its id.
        snapshot: the version that is live now.
        rows: how many the snapshot holds.
        entries: how many, parts included.
        partitions: how many.
        bytes: of all entries' values.
        index_bytes: of all members and counts, as written.
        sums_bytes: of all practice-level sums.
        seconds: from asking for the lease to having retired the previous snapshot.
        phases: seconds by phase.
        as_of: when the source was read, ISO 8601 in UTC.
        fresh_until: ISO 8601 in UTC.
        serve_until: ISO 8601 in UTC.
        refreshed: how many partitions were read.
        carried: how many were carried over from the snapshot before.
        dropped: how many of its partitions are gone.
        names: of a refresh, measure and frequency of the first hundred partitions that were
            ``refreshed``, and ``dropped``.
        because: why a refresh read the whole table; empty where it didn't.
    """

    datasource: int
    snapshot: str
    rows: int
    entries: int
    partitions: int
    bytes: int
    index_bytes: int
    seconds: float
    sums_bytes: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    as_of: str = ""
    fresh_until: str = ""
    serve_until: str = ""
    refreshed: int = 0
    carried: int = 0
    dropped: int = 0
    names: dict[str, list[list[str | None]]] = field(default_factory=dict)
    because: str = ""


class Reporter:
    """Turns what a run does into `Progress`."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        self.total_rows: int | None = None
        self._callback = callback
        self._phase: Phase | None = None
        self._begun = self._entered = time.monotonic()
        self._spent: Counter[str] = Counter()
        self._figures: dict[str, int] = {}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    def phases(self) -> dict[str, float]:
        """Seconds by phase, the running one included."""
        spent = self._spent.copy()
        if self._phase is not None and self._phase is not Phase.DONE:
            spent[self._phase.value] += time.monotonic() - self._entered  # type: ignore[assignment]
        return {phase: round(seconds, 3) for phase, seconds in spent.items()}

    def enter(self, phase: Phase) -> None:
        now = time.monotonic()
        if self._phase is not None:
            self._spent[self._phase.value] += now - self._entered  # type: ignore[assignment]
        self._phase, self._entered = phase, now
        self.update(rows=0 if phase is not Phase.DONE else self.total_rows or 0)

    def update(self, **figures: int) -> None:
        self._figures |= figures
        if self._callback is None or self._phase is None:
            return
        rows = self._figures.get("rows", 0)
        elapsed = time.monotonic() - self._entered
        eta = None
        if self.total_rows and rows:
            eta = elapsed * max(0, self.total_rows - rows) / rows
        self._callback(
            Progress(
                phase=self._phase,
                rows=rows,
                total_rows=self.total_rows,
                entries=self._figures.get("entries", 0),
                bytes=self._figures.get("bytes", 0),
                seconds=self.seconds,
                eta_seconds=eta,
            )
        )
