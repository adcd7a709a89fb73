"""The figures of ``docs/benchmarks.md``: ``python -m benchmarks.page FILE.json``.

Rewrites what stands between two marks of the page, and draws the plots into ``docs/images``. What
is said about a goal that isn't met is kept in `WHY_NOT`: without that, this refuses.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from benchmarks.goals import GOALS
from benchmarks.plots import PLOTS, draw
from benchmarks.report import goal_rows, grids, headline

__all__ = ["WHY_NOT", "rewritten"]

PAGE: Final = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN: Final = "<!-- figures: from here to the end mark written by python -m benchmarks.page -->"
END: Final = "<!-- figures: end -->"

_NEAR_THE_FLOOR: Final = (
    "two commands in one trip are what is left; the rest is the fixed cost of a query (rights,"
    " judgement, audit, metrics) and the proof of each entry"
)
_FLOOR_ITSELF: Final = (
    "the floor itself doesn't reach it: see `floor` beside `postgres` under the queries. A "
    "bare SUNION and MGET of these entries, with nothing decoded, is less than so many times "
    "as fast as Postgres with a covering index and nothing but this to do"
)
_NEW_QUESTION: Final = (
    "a question that nobody has asked before costs some 50 to 75 microseconds in the process, "
    "whatever it reads: to judge it, to pick the slices, to put two columns into arrays of "
    "their own, the answer's description, rights, turns, metrics and audit, of which no step "
    "stands out. One that is asked again takes 14"
)

WHY_NOT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "warm_vs_copy": (
            "of a warm's 1.8 to 1.9 s of processor time, Postgres takes 0.75 s, Redis 0.12 s, "
            "and the warm's own process the rest; two cores can't do that in less than 0.93 s,"
            " and reading and writing overlap only in part"
        ),
        "warm_10x_time": (
            "the time is within the goal; the memory at ten times the data is some 420 MB, where "
            "an earlier run took 385 MB; where the rest comes from isn't known"
        ),
        "store_10_vs_floor": _NEAR_THE_FLOOR,
        "store_100_vs_floor": _NEAR_THE_FLOOR,
        "store_100_p95_ms": f"see `store_100_vs_floor`: {_NEAR_THE_FLOOR}",
        "postgres_vs_store_10": _NEAR_THE_FLOOR,
        "postgres_vs_store_100": _FLOOR_ITSELF,
        "postgres_vs_store_1000": _FLOOR_ITSELF,
        "postgres_vs_store_100_grouped": (
            "ten sums are fetched in one trip; what remains is the trip and the fixed cost of "
            "a query, while Postgres has one small index scan to do and checks nobody's rights"
        ),
        "resident_100_vs_floor": _NEW_QUESTION,
        "postgres_vs_resident_10": _NEW_QUESTION,
        "postgres_vs_resident_100": _NEW_QUESTION,
        "postgres_vs_resident_1000": _NEW_QUESTION,
        "postgres_vs_resident_100_grouped": _NEW_QUESTION,
        "postgres_vs_resident_1000_grouped": _NEW_QUESTION,
        "duckdb_vs_resident_100_grouped": _NEW_QUESTION,
        "v1_vs_store_10": (
            "what takes 30 ms empties the processor's caches, and the store beside it pays for"
            " that; in turns with others of its kind it takes half as long"
        ),
        "dashboard_9_vs_1": (
            "entries are fetched once for all nine, but nine answers are judged, audited and "
            "evaluated: of a small dashboard's time the trip is a sixth"
        ),
        "qps_100_vs_floor": (
            "one process of Python does all of it: some 335 microseconds of processor time for"
            " a query of 100 entries, of which proof and decoding are a fifth, the trip, "
            "finding the entries and the audit a seventh each, and no single step stands out"
        ),
        "qps_resident_vs_postgres": (
            "every question here is a new one, and each answer's audit line has to be made by "
            "the same process, which takes some 15 microseconds beside the 50 to 60 of the "
            "answer. In bursts of a thousand, whose lines are written behind them, it is twice"
            " as many a second"
        ),
    }
)
"""By goal that isn't met: the measured reason."""


def rewritten(page: str, found: Mapping[str, Any]) -> str:
    """The page with other figures.

    Args:
        page: as it is.
        found: what `script/bench --json` wrote.

    Raises:
        ValueError: the marks aren't there, or a goal is given up without a reason.
    """
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}")
    silent = [
        name for name, goal in found["goals"].items() if not goal["met"] and name not in WHY_NOT
    ]
    if silent:
        raise ValueError(f"say in WHY_NOT why these goals aren't met: {', '.join(silent)}")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{_figures(found)}\n\n{END}{after}"


def _figures(found: Mapping[str, Any]) -> str:
    kind = "`script/bench --quick`" if found["quick"] else "`script/bench`"
    parts = [
        f"Taken by {kind} on {found['measured'][:10]}:",
        "\n".join(f"- {line}" for line in headline(found)),
        "## The goals",
        _goals(found["goals"]),
    ]
    parts += _reasons(found["goals"])
    parts.append("## The figures")
    parts += [f"![{what}](images/benchmark-{name}.png)" for name, what in PLOTS.items()]
    for grid in grids(found):
        parts += [f"### {grid.title}", grid.markdown()]
    return "\n\n".join(parts)


def _goals(goals: Mapping[str, Any]) -> str:
    heads = ("goal", "what", "wanted", "measured", "met", "of")
    lines = [heads, ("---", "---", "---", "---:", "---", "---")]
    for name, wanted, measured, met, of in goal_rows(goals):
        lines.append((f"`{name}`", goals[name]["what"], wanted, measured, met, of))
    lines += [
        (f"`{name}`", goal.what, str(goal), "", "not measured", "")
        for name, goal in GOALS.items()
        if name not in goals
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _reasons(goals: Mapping[str, Any]) -> list[str]:
    unmet = [name for name, goal in goals.items() if not goal["met"]]
    if not unmet:
        return ["All of them are met."]
    met = len(goals) - len(unmet)
    reasons = "\n".join(f"- `{name}`: {WHY_NOT[name]}" for name in unmet)
    return [f"{met} of {len(goals)} are met. The others, and what stands in the way:", reasons]


def _main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m benchmarks.page FILE.json\n")
        return 2
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        page = rewritten(PAGE.read_text(encoding="utf-8"), found)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    PAGE.write_text(page, encoding="utf-8")
    draw(found, PAGE.parent / "images")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
