"""``script/faults``: run the suite, say what came of it, and write it down."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from pathlib import Path
from typing import Final

from rich.console import Console

from faults.kinds import FAULTS
from faults.report import document, show, write_docs
from faults.suite import Plan, Suite

__all__ = ["main"]

_DOCS: Final = Path(__file__).parents[1] / "docs/explanation/faults.md"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/faults",
        description="Let faults loose on warmcube, and compare every answer with SQL.",
    )
    parser.add_argument(
        "--minutes", type=float, help="go round for so long; without it, each fault strikes once"
    )
    parser.add_argument(
        "--every-moment",
        action="store_true",
        help="let each fault loose at each of its moments, not at one",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="FAULT",
        choices=[fault.name for fault in FAULTS],
        help="these faults only",
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeat a run")
    parser.add_argument("--compared", type=int, default=0, help="compare at least so many answers")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument("--write-docs", action="store_true", help=f"write the table to {_DOCS}")
    parser.add_argument("--list", action="store_true", help="name the faults, and do nothing")
    parser.add_argument(
        "--verbose", action="store_true", help="tell more, for whoever looks for a reason"
    )
    return parser.parse_args()


def main() -> int:
    """Run; 1 if anything was wrong."""
    asked = _arguments()
    console = Console(stderr=True, highlight=False)
    if asked.list:
        for fault in FAULTS:
            sys.stdout.write(f"{fault.name:20} {fault.title}\n")
        return 0
    logging.getLogger().addHandler(logging.NullHandler())  # what warmcube logs is expected here
    if asked.verbose:
        logging.basicConfig()
        logging.getLogger("faults").setLevel(logging.DEBUG)
    plan = Plan(
        seed=asked.seed,
        faults=[fault for fault in FAULTS if not asked.only or fault.name in asked.only],
        seconds=(asked.minutes or 0) * 60,
        compared=asked.compared,
        every_moment=asked.every_moment,
    )
    console.print(f"seed {plan.seed}, {len(plan.faults)} faults, at least {plan.least} runs")
    suite = Suite(plan, lambda line: console.print(line, markup=False))
    try:
        asyncio.run(suite.run())
    except KeyboardInterrupt:
        console.print("interrupted; everything that was started has ended")
        return 130
    found = document(suite, plan)
    show(found, Console(highlight=False))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if asked.write_docs:
        write_docs(found, _DOCS)
    return 1 if suite.failures else 0


if __name__ == "__main__":
    sys.exit(main())
