"""`warmcube.observe.health`: the score by its formula, and states by what was measured."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.observe.health import WEIGHTS, Health, Measured, Parts, judge, overall

HOUR = 3_600_000
FRESH = {
    "datasource": 1,
    "name": "Facts",
    "now_ms": 10 * HOUR,
    "warmed_ms": 9 * HOUR,
    "fresh_until_ms": 13 * HOUR,
    "serve_until_ms": 14 * HOUR,
    "partitions": 2,
    "proven_partitions": 2,
    "entries": 100,
    "proven_entries": 100,
    "checked": 100,
    "found": 100,
}
NEVER = Measured(datasource=2, name="Other", now_ms=0, why_cold="never warmed")


def measured(**changes: Any) -> Measured:
    """A fresh, whole, unused data source, with some figures changed."""
    return Measured(**{**FRESH, **changes})


def test_weights_make_up_a_hundred() -> None:
    """So that a part's weight is what it can take from the score."""
    assert sum(WEIGHTS.values()) == 100


def test_line_15_never_warmed_is_cold() -> None:
    """Line 15: a data source that was never warmed says so, with score 0 and nothing made up."""
    assert judge(NEVER) == Health(
        datasource=2,
        name="Other",
        state="cold",
        why="never warmed",
        score=0,
        parts=Parts(age=None, hit_rate=None, completeness=None, coverage=0.0),
    )


def test_what_isnt_measured_counts_for_nothing() -> None:
    """Before the first query there is no hit rate, and the score is that of all other parts."""
    found = judge(measured())
    assert found.parts == Parts(age=1.0, hit_rate=None, completeness=1.0, coverage=1.0)
    assert (found.score, found.state, found.why) == (100, "excellent", None)
    assert (found.hits, found.misses, found.window_seconds) == (0, 0, 3600.0)
    assert Parts(age=None, hit_rate=None, completeness=None, coverage=None).score == 0


@pytest.mark.parametrize(
    ("changes", "state", "score"),
    [
        ({"hits": 9, "misses": 1}, "excellent", 96),
        ({"hits": 6, "misses": 4}, "good", 86),
        ({"hits": 1, "misses": 9}, "degraded", 68),
        ({"hits": 999, "misses": 1}, "excellent", 99),
        ({"proven_partitions": 1, "proven_entries": 99}, "degraded", 99),
        ({"found": 60}, "degraded", 84),
        ({"found": 50, "proven_entries": 50}, "degraded", 71),
        ({"now_ms": 13 * HOUR}, "stale", 100),
        ({"now_ms": 13 * HOUR + HOUR // 2}, "stale", 80),
        ({"now_ms": 14 * HOUR}, "stale", 61),
        ({"now_ms": 15 * HOUR}, "stale", 61),
        ({"now_ms": 15 * HOUR, "serve_until_ms": 13 * HOUR}, "stale", 61),
        ({"now_ms": 14 * HOUR, "found": 0}, "degraded", 23),
        ({"entries": 0, "proven_entries": 0, "checked": 0, "found": 0}, "excellent", 100),
    ],
)
def test_states_and_scores(changes: dict[str, int], state: str, score: int) -> None:
    """Gone parts weigh more than age, and age more than use; only what lacks nothing has 100."""
    found = judge(measured(**changes))
    assert (found.state, found.score) == (state, score)
    assert (found.why is None) == (state in ("excellent", "good"))


@given(
    st.fixed_dictionaries(
        {name: st.none() | st.fractions(0, 1, max_denominator=1000) for name in WEIGHTS}
    )
)
def test_the_score_is_the_weighted_mean(parts: dict[str, Fraction | None]) -> None:
    """Of what is measured, cut to a whole number, whatever that is."""
    known = {name: part for name, part in parts.items() if part is not None}
    weight = sum(WEIGHTS[name] for name in known)
    mean = sum((WEIGHTS[name] * part for name, part in known.items()), Fraction(0))
    exact = 100 * mean / weight if weight else Fraction(0)
    score = Parts(**{n: None if p is None else float(p) for n, p in parts.items()}).score
    assert 0 <= exact - score < 1 or abs(exact - score) < Fraction(1, 10**6)


def test_overall_pools_what_is_warm() -> None:
    """Hits are added up, not averaged; what is cold counts as not covered only."""
    found = overall([measured(hits=90, misses=0), measured(datasource=3, misses=10), NEVER])
    assert found.parts == Parts(age=1.0, hit_rate=0.9, completeness=1.0, coverage=2 / 3)
    assert (found.score, found.state) == (91, "degraded")
    assert [each.datasource for each in found.datasources] == [1, 3, 2]
    assert found.datasources[2].why == "never warmed"


@pytest.mark.parametrize(
    ("all_measured", "state"),
    [
        ([], "cold"),
        ([NEVER], "cold"),
        ([measured()], "excellent"),
        ([measured(hits=6, misses=4)], "good"),
        ([measured(hits=1, misses=9)], "degraded"),
        ([measured(), measured(now_ms=13 * HOUR)], "stale"),
        ([measured(), measured(now_ms=13 * HOUR), NEVER], "degraded"),
    ],
)
def test_overall_is_as_well_as_the_worst(all_measured: list[Measured], state: str) -> None:
    """A data source that is cold or damaged shows, however many others are well."""
    assert overall(all_measured).state == state
