"""`warmcube.audit.fold`: who is denied again and again writes little, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.audit import NOON, a_denial

from warmcube.audit.events import Denied
from warmcube.audit.fold import Fold, Told
from warmcube.audit.listed import Listed
from warmcube.audit.reasons import DenialReason

REASONS = [
    DenialReason.UNKNOWN_USER,
    DenialReason.UNKNOWN_DATASOURCE,
    DenialReason.NO_READ,
    DenialReason.PRACTICE_OUTSIDE,
]
DENIALS = st.builds(
    a_denial,
    st.sampled_from(["ana", "bob", "eve", None]),
    st.sampled_from(REASONS),
    actor=st.sampled_from(["web", "cli"]),
    datasource=st.sampled_from([None, 1, 2]),
)
SEQUENCES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.5, 20.0, 59.0, 60.0, 61.0, 1000.0]), DENIALS),
    max_size=60,
)


def standing_for(told: list[Told]) -> int:
    """How many denials some lines stand for."""
    return sum(1 + each.event.repeated for each in told)


def kind_of(event: Denied) -> Hashable:
    """What is told apart, written once more."""
    match event.reason:
        case DenialReason.UNKNOWN_USER:
            return event.reason
        case DenialReason.UNKNOWN_DATASOURCE:
            return (event.reason, event.actor, event.subject)
        case _:
            return (event.reason, event.actor, event.subject, event.request.datasource)


@given(SEQUENCES, st.integers(0, 6))
def test_lines_are_bounded_and_stand_for_every_denial(
    sequence: list[tuple[float, Denied]], most_open: int
) -> None:
    """At most two lines a minute of each kind, and of all kinds together; none is forgotten."""
    fold, told, now = Fold(most_open=most_open), [], 0.0
    times: list[float] = []
    for wait, event in sequence:
        now += wait
        out = fold.add(event, now, NOON + timedelta(seconds=now))
        told += out
        times += [now] * len(out)
    told += fold.close()
    assert standing_for(told) == len(sequence)
    assert fold.close() == []
    assert fold.next_due is None
    kinds = {kind_of(event) for _, event in sequence}
    minutes = int(now // 60) + 1
    assert len(told) <= 2 * minutes * (len(kinds) + 1)
    by_reason = Counter[DenialReason]()
    for each in told:
        by_reason[each.event.reason] += 1 + each.event.repeated
    assert by_reason == Counter(event.reason for _, event in sequence)
    # Whatever is asked, a minute has at most two lines for each of so many kinds.
    for start in range(len(times)):
        within = [time for time in times[start:] if time - times[start] < 60]
        assert len(within) <= 2 * 2 * (most_open + len(REASONS))


@given(SEQUENCES)
def test_what_is_folded_is_alike(sequence: list[tuple[float, Denied]]) -> None:
    """A line that stands for several names what they have in common, and only that."""
    fold, now = Fold(), 0.0
    went_in: dict[Hashable, list[Denied]] = {}
    for wait, event in sequence:
        now += wait
        went_in.setdefault(kind_of(event), []).append(event)
        fold.add(event, now, NOON)
    for told in fold.close():
        event = told.event
        alike = [each for events in went_in.values() for each in events]
        if event.actor is not None:
            assert event.actor in {each.actor for each in alike}
        assert (event.subject is None) or event.subjects is None
        if event.subjects is not None:
            assert event.reason is DenialReason.UNKNOWN_USER
        assert event.since is not None


def test_the_first_is_told_at_once_and_the_rest_when_its_minute_is_over() -> None:
    """Then the next is a first again."""
    fold, event = Fold(), a_denial()
    at = [NOON + timedelta(seconds=second) for second in range(200)]
    assert fold.add(event, 0, at[0]) == [Told(event, at[0])]
    for second in (1, 2, 59):
        assert fold.add(event, second, at[second]) == []
    assert fold.next_due == 60
    assert fold.due(59.9) == []
    (rest,) = fold.due(60)
    assert (rest.time, rest.event.repeated, rest.event.since) == (at[59], 2, at[1])
    assert (rest.event.actor, rest.event.subject, rest.event.subjects) == ("cli:op", "ana", None)
    assert rest.event.request == event.request
    assert fold.add(event, 61, at[61]) == [Told(event, at[61])]
    assert fold.due(121) == []


def test_a_denial_brings_what_is_due_with_it() -> None:
    """So that nothing waits for somebody to look."""
    fold, event = Fold(), a_denial()
    fold.add(event, 0, NOON)
    fold.add(event, 1, NOON)
    rest, first = fold.add(event, 60, NOON)
    assert (rest.event.repeated, rest.event.since, first.event.since) == (0, NOON, None)


def test_users_who_dont_exist_are_one() -> None:
    """A million names are two lines; the first twenty names are told, and the number of all."""
    fold = Fold()
    told = []
    for number in range(10_000):
        event = a_denial(
            f"nobody {number}", DenialReason.UNKNOWN_USER, actor=f"a{number}", datasource=number
        )
        told += fold.add(event, number / 1000, NOON)
    told += fold.close()
    assert [each.event.subject for each in told] == ["nobody 0", None]
    assert told[1].event.subjects == Listed(tuple(f"nobody {n}" for n in range(1, 21)), 20)
    assert (told[1].event.repeated, told[1].event.actor) == (9_998, None)
    assert told[1].event.request.datasource is None


def test_the_number_of_kinds_is_bounded() -> None:
    """Beyond it all denials for one reason are one kind; those told apart before still are."""
    fold = Fold(most_open=2)
    for name in ("ana", "bob", "eve", "dan", "ana"):
        fold.add(a_denial(name), 0, NOON)
    for name in ("fay", "gus"):
        fold.add(a_denial(name, DenialReason.NO_READ), 0, NOON)
    rests = {(each.event.subject, each.event.reason): each.event.repeated for each in fold.close()}
    assert rests == {
        ("dan", DenialReason.NO_PERMISSION): 0,
        ("ana", DenialReason.NO_PERMISSION): 0,
        ("gus", DenialReason.NO_READ): 0,
    }


@pytest.mark.parametrize("open_kinds", [1, 5, 10_000])
def test_distinct_users_are_told_apart(open_kinds: int) -> None:
    """Each kind has its first line, up to the bound."""
    fold = Fold(most_open=open_kinds)
    told = [fold.add(a_denial(f"u{n}"), 0, NOON) for n in range(20_000)]
    assert sum(map(len, told)) == open_kinds + 1
    assert len(fold.close()) == 1


def test_windows_end_in_the_order_in_which_they_began() -> None:
    """Whatever order the denials come in."""
    fold = Fold()
    for second, name in enumerate(("ana", "bob", "ana", "bob")):
        fold.add(a_denial(name), second, NOON)
    dues = []
    while (due := fold.next_due) is not None:
        dues.append((due, [each.event.subject for each in fold.due(due)]))
    assert dues == [(60, ["ana"]), (61, ["bob"])]
    assert all(one < other for (one, _), (other, _) in pairwise(dues))
