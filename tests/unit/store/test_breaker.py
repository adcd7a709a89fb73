"""`warmcube.store.breaker`: what opens a breaker, and what alone closes it."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from warmcube.store.breaker import PROBE_EVERY, Breaker


def test_a_call_without_an_answer_opens_it() -> None:
    """With the reason and the time; a later one changes neither."""
    breaker = Breaker()
    assert (breaker.is_open, breaker.since) == (False, None)
    assert breaker.fail(breaker.closings, "silent", 5.0)
    assert (breaker.is_open, breaker.why, breaker.since) == (True, "silent", 5.0)
    assert breaker.fail(breaker.closings, "other", 6.0)
    assert (breaker.why, breaker.since) == ("silent", 5.0)


def test_only_a_probe_closes_it() -> None:
    """One that has no answer says why it stays open, or opens it itself."""
    breaker = Breaker()
    breaker.answered()
    assert breaker.closings == 0
    breaker.unanswered("refused", 1.0)
    assert (breaker.is_open, breaker.why, breaker.since) == (True, "refused", 1.0)
    breaker.unanswered("loading", 2.0)
    assert (breaker.why, breaker.since) == ("loading", 1.0)
    breaker.answered()
    assert (breaker.is_open, breaker.closings) == (False, 1)


def test_what_began_before_it_was_closed_says_nothing_of_now() -> None:
    """A call that was stuck while the server was frozen doesn't open it when it is well again."""
    breaker = Breaker()
    began = breaker.closings
    breaker.fail(began, "silent", 1.0)
    breaker.answered()
    assert not breaker.fail(began, "silent", 2.0)
    assert not breaker.is_open
    assert breaker.fail(breaker.closings, "silent", 3.0)


@given(began=st.floats(0, 1e6), took=st.floats(0, 10))
def test_probes_begin_at_an_even_pace(began: float, took: float) -> None:
    """One that took longer is followed at once; never is there more than the pace between them."""
    pause = Breaker.pause(began, began + took)
    assert 0 <= pause <= PROBE_EVERY
    assert pause == 0 or abs(took + pause - PROBE_EVERY) < 1e-6


@dataclass
class Call:
    """One that is under way."""

    began: int
    is_stale: bool = False


class Calls(RuleBasedStateMachine):
    """Calls and probes in any order, beside what is known of them from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.calls: list[Call] = []
        self.is_open = False
        self.now = 0.0

    @rule()
    def begin(self) -> None:
        """A call begins, if it may."""
        self.now += 1
        if not self.breaker.is_open:
            self.calls.append(Call(self.breaker.closings))

    @rule(which=st.integers(0, 20))
    def fail(self, which: int) -> None:
        """One of those under way has no answer."""
        self.now += 1
        if self.calls:
            call = self.calls.pop(which % len(self.calls))
            opened = self.breaker.fail(call.began, "silent", self.now)
            self.is_open = self.is_open or not call.is_stale
            assert opened == self.is_open

    @rule(is_well=st.booleans())
    def probe(self, *, is_well: bool) -> None:
        """A probe ends."""
        self.now += 1
        if not is_well:
            self.breaker.unanswered("silent", self.now)
            self.is_open = True
            return
        self.breaker.answered()
        if self.is_open:
            self.is_open = False
            for call in self.calls:
                call.is_stale = True

    @invariant()
    def is_as_told(self) -> None:
        """It is open if and only if something after the last good probe says so."""
        assert self.breaker.is_open == self.is_open


TestCalls = Calls.TestCase
