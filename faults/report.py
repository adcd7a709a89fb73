"""What came of a run, as a table: on a terminal, and in the docs."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from faults.suite import Plan, Suite
from faults.verdicts import Verdict

__all__ = ["document", "show", "write_docs"]

_BEGIN: Final = "<!-- written by script/faults --write-docs -->"
_END: Final = "<!-- end of what script/faults wrote -->"
_HEADS: Final = (
    "fault",
    "struck",
    "compared before / during / after",
    "answered by store / memory / database",
    "clear errors",
    "p99, slowest",
    "store back after",
    "wrong, partial, leaked, unclear, late",
    "keys left",
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
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    path.write_text(
        f"{head}{_BEGIN}\n\n{_headline(found)}\n\n{table}\n\n{_END}{tail}", encoding="utf-8"
    )


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
        ", ".join(fault["moments"]) or "never",
        " / ".join(f"{compared[phase]:,}" for phase in ("before", "during", "after")),
        " / ".join(f"{origins.get(name, 0):,}" for name in ("store", "resident", "database")),
        errors or "none",
        f"{fault['p99'] * 1000:,.0f} ms, {fault['slowest'] * 1000:,.0f} ms",
        f"{max(back):.2f} s, {how}" if back else "never away",
        ", ".join(map(str, bad)),
        str(fault["left"]),
    ]
