"""What came of a run, as a table: on a terminal, and in the docs."""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from faults.moments import STEPS, WHEN
from faults.suite import Plan, Suite
from faults.verdicts import Verdict

__all__ = ["document", "show", "write_docs"]

_BEGIN: Final = "<!-- written by script/faults --write-docs -->"
_END: Final = "<!-- end of what script/faults wrote -->"
_MOMENTS: Final = (
    "How often each struck: before, in the middle of, and after each step; - where that would be no"
    " other fault."
)
_NEVER: Final = "-"
_HEADS: Final = (
    "fault",
    "times",
    "compared before / during / after",
    "answered by store / memory / database",
    "clear errors",
    "p99, slowest",
    "store back after",
    "wrong, partial, leaked, unclear, late",
    "keys left",
    "also",
)


def document(suite: Suite, plan: Plan) -> dict[str, Any]:
    """All figures of a run."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": plan.seed,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "load": os.getloadavg()[0],
        "seconds": suite.seconds,
        "changes": suite.changes,
        "warms": suite.warms,
        "compared": suite.compared,
        "failures": suite.failures,
        "faults": [
            outcome.document()
            for outcome in suite.outcomes.values()
            if outcome.moments or outcome.verdicts
        ],
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """On a terminal."""
    table = Table(*_HEADS)
    for fault in found["faults"]:
        table.add_row(*_cells(fault))
    console.print(table)
    for line in found["failures"]:
        console.print(f"FAILURE {line}", markup=False, soft_wrap=True)
    console.print(_headline(found), markup=False)


def write_docs(found: Mapping[str, Any], path: Path) -> None:
    """Between the marks of a page of the docs."""
    text = path.read_text(encoding="utf-8")
    head, mark, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not mark or not end:
        raise ValueError(f"{path} lacks the marks {_BEGIN} and {_END}")
    lines = [_HEADS, ["---"] * len(_HEADS), *map(_cells, found["faults"])]
    heads = ["fault", "at rest", *(step for step in STEPS if step != "rest")]
    struck = [heads, ["---"] * len(heads), *map(_struck, found["faults"])]
    written = f"{_headline(found)}\n\n{_table(lines)}\n\n{_MOMENTS}\n\n{_table(struck)}"
    path.write_text(f"{head}{_BEGIN}\n\n{written}\n\n{_END}{tail}", encoding="utf-8")


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _headline(found: Mapping[str, Any]) -> str:
    verdicts: Counter[str] = Counter()
    for fault in found["faults"]:
        verdicts.update(fault["verdicts"])
    told = ", ".join(
        f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict if verdict is not Verdict.RIGHT
    )
    runs = sum(fault["runs"] for fault in found["faults"])
    return (
        f"{found['date']}, seed {found['seed']}, {found['machine']}, load {found['load']:.1f}: "
        f"{found['compared']:,} answers compared in {found['seconds']:,.0f} s, while {runs:,} "
        f"faults struck, {found['changes']:,} transactions changed the table and "
        f"{found['warms']:,} warms published. Beside right answers: {told}."
    )


def _cells(fault: Mapping[str, Any]) -> list[str]:
    verdicts, origins, compared = fault["verdicts"], fault["origins"], fault["compared"]
    bad = [verdicts.get(str(verdict), 0) for verdict in Verdict if verdict.is_failure]
    back = fault["back"]
    how = "by itself" if fault["by_itself"] == fault["runs"] else "by the next warm"
    if 0 < fault["by_itself"] < fault["runs"]:
        how = f"by itself {fault['by_itself']} times of {fault['runs']}"
    errors = ", ".join(f"{count:,} {name}" for name, count in sorted(fault["errors"].items()))
    return [
        fault["title"],
        f"{fault['runs']:,}",
        " / ".join(f"{compared[phase]:,}" for phase in ("before", "during", "after")),
        " / ".join(f"{origins.get(name, 0):,}" for name in ("store", "resident", "database")),
        errors or "none",
        f"{fault['p99'] * 1000:,.0f} ms, {fault['slowest'] * 1000:,.0f} ms",
        f"{max(back):.2f} s, {how}" if back else "never away",
        ", ".join(map(str, bad)),
        str(fault["left"]),
        _also(fault["notes"]),
    ]


def _also(notes: Mapping[str, int]) -> str:
    """What else is to be told, what differs only by figures once."""
    told: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for note, count in notes.items():
        kind = re.sub(r"\d+(\.\d+)?", "#", note)
        kinds[kind] = max(kinds.get(kind, ""), note, key=_figures)
        told[kind] = told.get(kind, 0) + count
    return (
        "; ".join(
            f"{kinds[kind]} ({count:,} times)" if count > 1 else kinds[kind]
            for kind, count in sorted(told.items())
        )
        or "nothing"
    )


def _figures(note: str) -> list[float]:
    return [float(each) for each in re.findall(r"\d+(?:\.\d+)?", note)]


def _struck(fault: Mapping[str, Any]) -> list[str]:
    """At which steps of what it struck: before, in the middle of and after them."""
    moments = fault["moments"]
    cells = []
    for step in STEPS:
        if step == "rest":
            cells.append(str(moments.get("at rest", 0) or _NEVER))
            continue
        counts = [moments.get(f"{when} {step}", 0) for when in WHEN]
        cells.append(" / ".join(map(str, counts)) if any(counts) else _NEVER)
    return [fault["title"], *cells]
