"""What an answer is worth: right, or what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from faults.history import History, Rows
from faults.questions import Question
from faults.table import OWNERS

__all__ = ["Answer", "Judge", "Judged", "Verdict"]


class Verdict(StrEnum):
    """What came of a question."""

    RIGHT = "right"
    ERROR = "clear error"
    WRONG = "wrong"
    PARTIAL = "partial, presented as whole"
    LEAK = "another's rows"
    UNCLEAR = "unclear error"
    LATE = "too late"

    @property
    def is_failure(self) -> bool:
        """Whether the suite has failed by it."""
        return self not in (Verdict.RIGHT, Verdict.ERROR)


@dataclass(slots=True, kw_only=True)
class Answer:
    """What somebody got.

    Attributes:
        question: what they asked.
        way: through which cache or client.
        phase: "before", "during" or "after" the fault.
        origin: the tier; None of an error.
        snapshot: its name; None from the database, and of an error.
        rows: as they came; None of an error.
        error: None of an answer.
        is_clear: whether the error is one that warmcube raises on purpose.
        seconds: how long it took.
        is_late: longer than its deadline allows.
        as_of: when it says that its rows were read; None from the database, and of an error.
        change: the one that it shows, if a clock beside it has told.
        first: the earliest change that it may show.
        last: the latest.
        lacking: columns that the table may have lacked meanwhile.
        flaw: what is wrong with it whatever it says.
    """

    question: Question
    way: str
    phase: str
    seconds: float
    origin: str | None = None
    snapshot: str | None = None
    rows: Sequence[Mapping[str, Any]] | None = None
    error: str | None = None
    is_clear: bool = False
    is_denied: bool = False
    is_late: bool = False
    as_of: float | None = None
    change: int | None = None
    first: int = 1
    last: int = 1
    lacking: frozenset[str] = frozenset()
    flaw: str | None = None


@dataclass(slots=True)
class Judged:
    """An answer with its verdict.

    Attributes:
        answer: which.
        verdict: what it is worth.
        why: for those who look for the reason.
    """

    answer: Answer
    verdict: Verdict
    why: str = ""


@dataclass(slots=True)
class Judge:
    """Compares answers with the history.

    Args:
        history: every version of every row.
    """

    history: History
    _named: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    _repaired: dict[tuple[str, object, object], set[int]] = field(default_factory=dict)
    _waiting: list[Answer] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many answers wait until it is known what they have to be compared with."""
        return len(self._waiting)

    def judge(self, answers: Sequence[Answer], *, is_last: bool = False) -> list[Judged]:
        """The verdicts that can be given by now.

        Args:
            answers: new ones; those that waited are looked at again.
            is_last: no more answers will come, so that none may wait any longer.
        """
        given: list[Judged] = []
        clocks = [answer for answer in answers if answer.question.is_clock]
        given += [self._judge_clock(clock) for clock in clocks]
        due: list[tuple[Answer, list[int]]] = []
        waiting: list[Answer] = []
        for answer in [*self._waiting, *answers]:
            if answer.question.is_clock:
                continue
            if answer.flaw is not None:
                given.append(Judged(answer, Verdict.WRONG, answer.flaw))
            elif answer.rows is None:
                given.append(self._judge_error(answer))
            elif answer.question.is_denied:
                given.append(Judged(answer, Verdict.LEAK, "it should have been denied"))
            elif (candidates := self._candidates(answer, is_last=is_last)) is None:
                waiting.append(answer)
            else:
                due.append((answer, candidates))
        self._waiting = waiting
        return given + self._compare(due)

    def _candidates(self, answer: Answer, *, is_last: bool) -> list[int] | None:
        """The changes that an answer may show; None if that isn't known yet."""
        change = answer.change
        if change is None and answer.snapshot is not None:
            named = self._named.get(answer.snapshot)
            if named is None and not is_last:
                return None
            if named is not None and named[1] == answer.as_of:
                change = named[0]
        if change is not None:
            return [change] if change <= self.history.settled else None
        if answer.last > self.history.settled:
            return None
        changes = self.history.happened(answer.first, answer.last)
        if answer.snapshot is None:
            return changes
        # Its partition was read by another warm than the clock's, as a repair does it; all answers
        # from it still have to be of one change.
        known = self._repaired.get(_partition(answer))
        return changes if known is None else [each for each in changes if each in known]

    def _compare(self, due: Sequence[tuple[Answer, list[int]]]) -> list[Judged]:
        expected = self.history.expected(
            [(answer.question, changes[0]) for answer, changes in due if changes]
        )
        judged = []
        found = iter(expected)
        for answer, changes in due:
            if not changes:
                judged.append(Judged(answer, Verdict.WRONG, "no change can have made it"))
                continue
            wanted = next(found)
            fault = _differs(answer, wanted)
            for change in changes[1:]:
                if fault is None:
                    break
                fault = _differs(answer, self.history.expected([(answer.question, change)])[0])
            if fault is None and len(changes) > 1 and answer.snapshot is not None:
                fits = {
                    change
                    for change in changes
                    if not _differs(answer, self.history.expected([(answer.question, change)])[0])
                }
                part = _partition(answer)
                fits &= self._repaired.get(part, fits)
                self._repaired[part] = fits
                if not fits:
                    fault = Verdict.WRONG, "its partition shows several changes"
            if fault is None:
                late = Verdict.LATE if answer.is_late else Verdict.RIGHT
                judged.append(Judged(answer, late))
            else:
                why = f"as of {_listed(changes)}: {fault[1]}"
                judged.append(Judged(answer, fault[0], why))
        return judged

    def _judge_error(self, answer: Answer) -> Judged:
        if not answer.is_clear:
            return Judged(answer, Verdict.UNCLEAR, str(answer.error))
        if answer.is_denied and not answer.question.is_denied:
            return Judged(answer, Verdict.WRONG, f"denied what is theirs: {answer.error}")
        if answer.is_late:
            return Judged(answer, Verdict.LATE, str(answer.error))
        if answer.is_denied:
            return Judged(answer, Verdict.RIGHT)
        return Judged(answer, Verdict.ERROR, str(answer.error))

    def _judge_clock(self, answer: Answer) -> Judged:
        """The clock's answer has to be whole, of its owner, and of one change."""
        if answer.rows is None:
            return self._judge_error(answer)
        if answer.flaw is not None:
            return Judged(answer, Verdict.WRONG, answer.flaw)
        person = answer.question.person
        owners = Counter((row["practice_uid"], row["provider_uid"]) for row in answer.rows)
        theirs = Counter(owner for owner in OWNERS if person.may_see(*owner))
        if any(not person.may_see(*owner) for owner in owners):
            return Judged(answer, Verdict.LEAK, f"owners {sorted(map(str, owners))}")
        if owners != theirs:
            return Judged(answer, Verdict.PARTIAL, f"{len(owners)} of {len(theirs)} owners")
        shown = {int(row["measure_value"]) for row in answer.rows}
        if len(shown) > 1:
            return Judged(answer, Verdict.WRONG, f"a mixture of changes {sorted(shown)}")
        for change in shown:
            if answer.snapshot is not None:
                known, _ = self._named.setdefault(answer.snapshot, (change, answer.as_of))
                if known != change:
                    why = f"snapshot {answer.snapshot} shows change {known} and {change}"
                    return Judged(answer, Verdict.WRONG, why)
            elif not answer.first <= change <= answer.last:
                why = f"the database showed {change}, not {answer.first} to {answer.last}"
                return Judged(answer, Verdict.WRONG, why)
        return Judged(answer, Verdict.LATE if answer.is_late else Verdict.RIGHT)


def _partition(answer: Answer) -> tuple[str, object, object]:
    query = answer.question.query
    return str(answer.snapshot), query.measure, query.frequency


def _differs(answer: Answer, wanted: Rows) -> tuple[Verdict, str] | None:
    """How an answer differs from SQL's; None if it doesn't."""
    question, rows = answer.question, answer.rows or ()
    is_lacking = bool(rows) and not answer.lacking.issubset(rows[0])
    names = [name for name in question.columns if not (is_lacking and name in answer.lacking)]
    places = [place for place, name in enumerate(question.columns) if name in names]
    if rows and not set(names).issubset(rows[0]):
        return Verdict.WRONG, f"columns {sorted(rows[0])}"
    got = [tuple(row[name] for name in names) for row in rows]
    should = [tuple(row[place] for place in places) for row in wanted]
    if got == should or (not question.is_ordered and Counter(got) == Counter(should)):
        return None
    person = question.person
    if {"practice_uid", "provider_uid"} <= set(names):
        owners = {(row["practice_uid"], row["provider_uid"]) for row in rows}
        if any(not person.may_see(*owner) for owner in owners):
            return Verdict.LEAK, f"{len(got)} rows, of which some belong to others"
    missing, extra = Counter(should) - Counter(got), Counter(got) - Counter(should)
    told = f"{len(got)} rows for {len(should)}; missing {_some(missing)}, extra {_some(extra)}"
    is_part = not extra and question.query.aggregate is None
    return (Verdict.PARTIAL if is_part else Verdict.WRONG), told


def _some(rows: Counter[tuple[Any, ...]]) -> str:
    return f"{sum(rows.values())} {list(rows)[:2]}"


def _listed(changes: Sequence[int]) -> str:
    return ", ".join(map(str, changes[:10]))
