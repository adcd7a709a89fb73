"""What came of a fault: counted while it goes on, told in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from faults.moments import Moment
from faults.verdicts import Judged, Verdict

__all__ = ["PHASES", "Outcome"]

PHASES: Final = ("before", "during", "after")
_KEPT: Final = 20


@dataclass(slots=True)
class Outcome:
    """What came of one fault, over all its runs.

    Attributes:
        name: of the fault.
        title: of the fault.
        moments: when it struck.
        compared: answers that were compared, by phase.
        verdicts: by verdict.
        origins: of the answers during and after the fault.
        errors: kinds of the clear errors.
        seconds: how long the answers took, during and after the fault.
        back: seconds until the store answered again, of each run.
        by_itself: of how many runs nobody had to warm for that.
        left: keys that nobody knew in the end.
        notes: what else is to be told.
        failures: what is wrong, with what is needed to see why.
    """

    name: str
    title: str
    moments: list[Moment] = field(default_factory=list)
    compared: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    by_itself: int = 0
    left: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def add(self, judged: Judged, phase: str) -> None:
        """Count one verdict."""
        answer = judged.answer
        self.verdicts[judged.verdict] += 1
        if answer.rows is not None or answer.is_denied:
            self.compared[phase] += 1
        if phase != "before":
            if answer.origin is not None:
                self.origins[answer.origin] += 1
            self.seconds.append(answer.seconds)
        if judged.verdict is Verdict.ERROR:
            self.errors[str(answer.error).partition(":")[0]] += 1
        if judged.verdict.is_failure:
            self.fail(
                f"{judged.verdict} ({answer.way}, {phase}, {answer.seconds:.2f} s,"
                f" {answer.origin}, snapshot {answer.snapshot}, user {answer.question.person.id}):"
                f" {judged.why}; {answer.question.query!r}"
            )

    def fail(self, why: str) -> None:
        """Know of something that is wrong."""
        self.failed += 1
        if len(self.failures) < _KEPT:
            self.failures.append(why)

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)

    @property
    def p99(self) -> float:
        return _quantile(self.seconds, 0.99)

    def document(self) -> dict[str, Any]:
        """All of it, for a file of JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "moments": dict(Counter(moment.label for moment in self.moments)),
            "steps": dict(Counter(moment.step for moment in self.moments)),
            "runs": len(self.moments),
            "compared": {phase: self.compared[phase] for phase in PHASES},
            "verdicts": {str(name): count for name, count in self.verdicts.items()},
            "origins": dict(self.origins),
            "errors": dict(self.errors),
            "slowest": self.slowest,
            "p99": self.p99,
            "back": self.back,
            "by_itself": self.by_itself,
            "left": self.left,
            "notes": dict(self.notes),
            "failed": self.failed,
            "failures": self.failures,
        }


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
