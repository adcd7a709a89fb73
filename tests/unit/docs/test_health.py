"""`docs/reference/health.md` gives the formula that the code computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmcube.jobs.job import JobState
from warmcube.jobs.share import share_of
from warmcube.observe.health import EXCELLENT, GOOD, WEIGHTS
from warmcube.observe.measure import MOST_CHECKED
from warmcube.warm.report import Phase, Progress

PAGE = (Path(__file__).parents[3] / "docs/reference/health.md").read_text(encoding="utf-8")
WORDS = " ".join(PAGE.split())


@pytest.mark.parametrize(("part", "weight"), WEIGHTS.items())
def test_every_weight_stands_there(part: str, weight: int) -> None:
    """As the code has it."""
    assert f"| `{part}` | {weight} |" in PAGE


def test_so_do_the_thresholds() -> None:
    """Of the states, and of what is sampled."""
    assert f"| `excellent` | nothing below holds, and the score is at least {EXCELLENT} |" in PAGE
    assert f"| `good` | nothing below holds, and the score is at least {GOOD} |" in PAGE
    assert f"all of them up to {MOST_CHECKED:,}" in WORDS


def test_so_does_the_share_of_each_phase() -> None:
    """Up to where each goes."""
    ends = [
        share_of(Progress(phase=phase, rows=1, total_rows=1))
        for phase in Phase
        if phase is not Phase.DONE
    ]
    names = [phase for phase in Phase if phase is not Phase.DONE]
    first, *others = zip(names, ends, strict=True)
    told = f"{first[0]} up to {first[1]:g}, " + ", ".join(
        f"{name} to {end:g}" for name, end in others
    )
    assert told in WORDS


@pytest.mark.parametrize("state", JobState)
def test_every_state_of_a_job_is_told(state: JobState) -> None:
    """With what it means."""
    assert f"| `{state}` | " in PAGE
