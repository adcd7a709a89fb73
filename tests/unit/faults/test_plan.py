"""The plan of the fault suite: what strikes, and when."""

from __future__ import annotations

from itertools import islice

import pytest
from faults.kinds import FAULTS
from faults.moments import STEPS
from faults.rules import AT_ONCE, Rules
from faults.suite import Plan


def test_every_fault_strikes_at_each_of_its_moments() -> None:
    """Where that is asked for; each once, and only then again."""
    plan = Plan(seed=3, every_moment=True)
    runs = list(islice(plan.runs(), plan.least))
    assert len(set(runs)) == plan.least == sum(len(fault.moments) for fault in FAULTS)


def test_rounds_take_other_moments() -> None:
    """Without it, each fault strikes once a round, each time at another moment."""
    plan = Plan(seed=3)
    assert plan.least == len(FAULTS)
    rounds = 6
    runs = list(islice(plan.runs(), rounds * plan.least))
    for fault in FAULTS:
        own = [moment for each, moment in runs if each is fault]
        assert len(set(own)) == min(rounds, len(fault.moments))


def test_names_of_faults_and_moments_are_told_apart() -> None:
    """The report counts by them."""
    assert len({fault.name for fault in FAULTS}) == len({fault.title for fault in FAULTS})
    for fault in FAULTS:
        labels = [moment.label for moment in fault.moments]
        assert len(set(labels)) == len(labels)
        assert {moment.step for moment in fault.moments} <= set(STEPS)


@pytest.mark.parametrize("is_off", [False, True])
def test_what_was_taken_away_may_not_be_shown(
    monkeypatch: pytest.MonkeyPatch, is_off: bool
) -> None:
    """A second later nobody may be shown what was withdrawn or switched off; the database may
    always answer, and so may a snapshot that has been restored.
    """
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    rules = Rules()
    if is_off:
        rules.off_since = 100.0
    else:
        rules.withdraw("1-a")
    assert rules.flaw(100.0 + AT_ONCE / 2, "1-a") is None
    assert rules.flaw(100.1 + AT_ONCE, "1-a") is not None
    assert rules.flaw(100.1 + AT_ONCE, None) is None
    rules.restore("1-a")
    rules.off_since = None
    assert rules.flaw(100.1 + AT_ONCE, "1-a") is None
