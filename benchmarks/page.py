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

WHY_NOT: Final[Mapping[str, str]] = MappingProxyType({})
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
