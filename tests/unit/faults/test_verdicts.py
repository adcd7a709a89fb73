"""The judge of the fault suite: it must see what is wrong, or the suite would show nothing."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from faults.history import Rows
from faults.people import PEOPLE
from faults.questions import Question, clock_question
from faults.table import DATES, OWNERS, Row, clock_rows
from faults.verdicts import Answer, Judge, Verdict

from warmcube import Query

NORTH = next(person for person in PEOPLE if person.id == "north")
ROWS = [
    Row(1, "Charges", 101, 10101, "Monthly", DATES[0], Decimal("1.50"), "north"),
    Row(2, "Charges", 102, None, "Monthly", DATES[1], None, None),
    Row(2, "Charges", 102, None, "Monthly", DATES[1], None, None),
]
FOREIGN = Row(3, "Charges", 104, 10401, "Monthly", DATES[0], Decimal(2), None)
QUESTION = Question(
    NORTH, Query(datasource=1, measure="Charges", frequency="Monthly"), "", Row._fields
)


class _Past:
    """A history of three changes, of which the second made the rows that are expected."""

    settled = 3

    def happened(self, first: int, last: int) -> list[int]:
        return list(range(last, first - 1, -1))

    def expected(self, wanted: Sequence[tuple[Question, int]]) -> list[Rows]:
        return [[tuple(row) for row in ROWS] if change == 2 else [] for _, change in wanted]


def judged(*answers: Answer) -> list[Verdict]:
    """The verdicts on some answers."""
    judge = Judge(_Past())  # type: ignore[arg-type]
    return [each.verdict for each in judge.judge(answers, is_last=True)]


def answer(rows: Sequence[Row] | None = ROWS, **more: Any) -> Answer:
    """An answer with some rows, that names the second change."""
    told = None if rows is None else [row._asdict() for row in rows]
    named = {"question": QUESTION, "change": 2, **more}
    return Answer(way="test", phase="x/before", seconds=0.1, rows=told, **named)


def clock(*changes: int, snapshot: str | None = "1-a") -> Answer:
    """An answer of the clock, whose rows show these changes in turn."""
    rows = [
        row._replace(measure_value=Decimal(changes[place % len(changes)]))
        for place, row in enumerate(clock_rows(0))
        if NORTH.may_see(*OWNERS[place])
    ]
    question = clock_question(NORTH)
    return answer(rows, question=question, change=None, snapshot=snapshot, first=1, last=3)


def test_the_same_rows_in_any_order_are_right() -> None:
    """Rows are a multiset, unless an order was asked for."""
    assert judged(answer(ROWS[::-1])) == [Verdict.RIGHT]


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        (ROWS[:2], Verdict.PARTIAL),
        ([], Verdict.PARTIAL),
        ([*ROWS, ROWS[0]], Verdict.WRONG),
        ([*ROWS, FOREIGN], Verdict.LEAK),
        ([ROWS[0]._replace(measure_value=Decimal("1.51")), *ROWS[1:]], Verdict.WRONG),
        ([ROWS[0], ROWS[1]._replace(measure_value=Decimal(0)), ROWS[2]], Verdict.WRONG),
    ],
    ids=["one less", "none", "one more", "another's", "another value", "nought for NULL"],
)
def test_other_rows_are_told_apart(rows: Sequence[Row], verdict: Verdict) -> None:
    """What is wrong with an answer is named."""
    assert judged(answer(rows)) == [verdict]


def test_an_answer_of_another_change_is_wrong() -> None:
    """Rows that were right at another time aren't right."""
    assert judged(answer(change=1)) == [Verdict.WRONG]


def test_an_answer_that_names_no_change_may_be_of_any_within_its_bounds() -> None:
    """So is one from the database, without a clock beside it."""
    assert judged(answer(change=None, first=1, last=3)) == [Verdict.RIGHT]
    assert judged(answer(change=None, first=3, last=3)) == [Verdict.WRONG]


def test_a_snapshot_names_its_change_by_its_clock() -> None:
    """What is read of the same snapshot later is compared with that change."""
    other = answer(change=None, snapshot="1-a", first=1, last=3)
    assert judged(clock(2), other) == [Verdict.RIGHT, Verdict.RIGHT]
    assert judged(clock(1), other) == [Verdict.RIGHT, Verdict.WRONG]


def test_a_clock_that_shows_two_changes_is_a_mixture() -> None:
    """In one answer, or in two of one snapshot."""
    assert judged(clock(1, 2)) == [Verdict.WRONG]
    assert judged(clock(1), clock(2)) == [Verdict.RIGHT, Verdict.WRONG]


def test_errors_are_clear_or_not() -> None:
    """Only what warmcube raises on purpose is clear."""
    assert judged(answer(None, error="StoreError: x", is_clear=True)) == [Verdict.ERROR]
    assert judged(answer(None, error="KeyError: x")) == [Verdict.UNCLEAR]


def test_denying_is_right_where_it_is_due_alone() -> None:
    """And an answer where it is due is a leak."""
    due = Question(NORTH, QUESTION.query, "", Row._fields, is_denied=True)
    denied = {"error": "AccessDenied: x", "is_clear": True, "is_denied": True}
    assert judged(answer(None, question=due, **denied)) == [Verdict.RIGHT]
    assert judged(answer(None, **denied)) == [Verdict.WRONG]
    assert judged(answer([], question=due)) == [Verdict.LEAK]


def test_a_right_answer_may_be_too_late() -> None:
    """Which fails the suite as well."""
    assert judged(answer(is_late=True)) == [Verdict.LATE]
    assert Verdict.LATE.is_failure
