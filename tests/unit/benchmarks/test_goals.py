"""The goals of the benchmark, and the page that shows how they are met."""

from __future__ import annotations

import pytest
from benchmarks.goals import GOALS, Ratios
from benchmarks.page import BEGIN, END, PAGE, WHY_NOT, rewritten
from benchmarks.report import Grid

FOUND = {
    "measured": "2026-01-02T03:04:05+00:00",
    "quick": True,
    "machine": {
        "cores": 2,
        "memory_bytes": 8e9,
        "system": "Linux",
        "python": "3.11",
        "redis_server": "6.2",
        "postgres_server": "18",
        "uvloop": "0.21",
    },
    "transport": {"redis": "Unix socket", "postgres": "TCP"},
    "client": "a client",
    "data": {
        "rows": 10,
        "columns": 13,
        "entries": 2,
        "record_bytes": 58,
        "practice_sums": False,
    },
    "load_average": {"before": 0.0, "after": 0.0},
    "figures": {
        "seals": {"mac": {"samples": 3, "p50": 0.5, "p95": 0.75, "p99": 1.0}},
    },
}


def test_a_ratio_is_judged_by_its_goal() -> None:
    """At most, at least, and with what has to hold besides."""
    ratios = Ratios()
    ratios.divide("warm_vs_copy", ("warm s", 2.0), ("COPY s", 1.0))
    ratios.divide("v2_json_vs_warm", ("v2_json s", 8.0), ("warm s", 2.0))
    ratios.put("hit_rate_mixed", 1.0, {"asked": 7})
    ratios.put("index_overhead", 0.05, {}, conditions={"the sky is blue": False})
    ratios.put("scale_10x_store", None, {}, note="took no part")
    found = ratios.as_json()
    assert found["ratios"] == {
        "warm_vs_copy": 2.0,
        "v2_json_vs_warm": 4.0,
        "hit_rate_mixed": 1.0,
        "index_overhead": 0.05,
        "scale_10x_store": None,
    }
    assert {name: goal["met"] for name, goal in found["goals"].items()} == {
        "warm_vs_copy": True,
        "v2_json_vs_warm": False,
        "hit_rate_mixed": True,
        "index_overhead": False,
        "scale_10x_store": False,
    }
    assert found["goals"]["warm_vs_copy"]["of"] == {"warm s": 2.0, "COPY s": 1.0}


def test_a_ratio_that_is_no_goal_is_refused() -> None:
    """A name that was mistyped would be a goal that nobody measures."""
    with pytest.raises(KeyError):
        Ratios().put("warm_vs_copyy", 1.0, {})


def test_the_page_is_rewritten_between_its_marks() -> None:
    """And nowhere else; a table has a rule that aligns numbers."""
    ratios = Ratios()
    ratios.put("hit_rate_mixed", 1.0, {"asked": 7})
    page = rewritten(f"before\n{BEGIN}\nold\n{END}\nafter\n", FOUND | ratios.as_json())
    assert page.startswith("before\n")
    assert page.endswith(f"{END}\nafter\n")
    assert "old" not in page
    assert "| `hit_rate_mixed` | share of the mix" in page
    assert "| mac | 3 | 0.500 | 0.750 | 1.000 |" in page
    assert "| --- | ---: | ---: | ---: | ---: |" in page
    assert page.count("not measured") == len(GOALS) - 1


def test_no_goal_is_given_up_silently() -> None:
    """One that isn't met needs its reason on the page."""
    ratios = Ratios()
    ratios.put("hit_rate_mixed", 0.5, {})
    with pytest.raises(ValueError, match="hit_rate_mixed"):
        rewritten(f"{BEGIN}{END}", FOUND | ratios.as_json())
    with pytest.raises(ValueError, match="the page has no lines"):
        rewritten("", FOUND | ratios.as_json())


def test_the_page_has_its_marks() -> None:
    """Each once, and reasons only for what is a goal."""
    text = PAGE.read_text(encoding="utf-8")
    assert (text.count(BEGIN), text.count(END)) == (1, 1)
    assert set(WHY_NOT) <= set(GOALS)


def test_numbers_stand_at_the_right() -> None:
    """Behind the columns that hold text."""
    grid = Grid(title="t", heads=("a", "b", "n"), rows=[["x", "y", "1"]], texts=2)
    assert grid.markdown() == "| a | b | n |\n| --- | --- | ---: |\n| x | y | 1 |"
