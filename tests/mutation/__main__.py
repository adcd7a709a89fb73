"""`script/mutation [PATH…]`: mutate, test, compare with the list of equivalents, and say it."""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from time import monotonic

from tests.mutation.by_mutmut import run_mutmut
from tests.mutation.leftovers import Leftover, leftovers
from tests.mutation.mutant import Fate, Trial, Verdict, judge, read_equivalents
from tests.mutation.neuter import NEUTERINGS, red_tests
from tests.mutation.trial import preload, try_leftovers


def main() -> int:
    """Exit status 0 if every mutant was noticed or is listed as equivalent, and no entry is stale.

    2 if a path names nothing that is mutated.
    """
    parser = argparse.ArgumentParser(prog="script/mutation", description=main.__doc__)
    parser.add_argument("paths", nargs="*", help="source files or folders; without any, all")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=("mutmut", "leftovers"), help="one half of the run")
    parser.add_argument(
        "--neuter",
        nargs="*",
        metavar="RULE",
        help="take a rule of the policy away (without a name each of them) and count the alarms",
    )
    asked = parser.parse_args()
    if asked.neuter is not None:
        return _neuter(asked.neuter)
    options = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    files = _files(options["only_mutate"], asked.paths)
    if not files:
        print(f"nothing of {', '.join(asked.paths)} is mutated; see [tool.mutmut]", file=sys.stderr)
        return 2
    equivalents = read_equivalents()
    start = monotonic()
    trials: list[Trial] = []
    if asked.only != "leftovers":
        print(f"mutmut mutates {len(files)} files", flush=True)
        trials += run_mutmut(files, asked.processes)
    if asked.only != "mutmut":
        tests = options["pytest_add_cli_args_test_selection"]
        trials += _try_leftovers(files, tests, asked.processes)
    verdict = judge(trials, equivalents, files)
    if asked.only:
        verdict = replace(verdict, stale=())  # it may have survived in the other half
    _print(trials, verdict, monotonic() - start)
    return 0 if verdict.is_clean else 1


def _neuter(names: Sequence[str]) -> int:
    known = {each.name for each in NEUTERINGS}
    for name in names:
        if name not in known:
            print(f"there is no rule {name!r}; they are:", file=sys.stderr)
            print(*(each.name for each in NEUTERINGS), sep="\n", file=sys.stderr)
            return 2
    status = 0
    for neutering, red in red_tests(
        [each for each in NEUTERINGS if each.name in names or not names]
    ):
        enough = len(red) >= neutering.at_least
        verdict = "" if enough else f", not {neutering.at_least}"
        print(f"{len(red):4} tests notice that {neutering.name}{verdict}", flush=True)
        if names:
            print(*red, sep="\n")
        if not enough:
            status = 1
    return status


def _files(patterns: Sequence[str], paths: Sequence[str]) -> list[str]:
    sources = sorted(map(str, Path("src").rglob("*.py")))
    wanted = [path.rstrip("/").removeprefix("./") for path in paths] or ["src"]
    return [
        source
        for source in sources
        if any(fnmatch(source, pattern) for pattern in patterns)
        and any(source == path or source.startswith(f"{path}/") for path in wanted)
    ]


def _tests_of(file: str, tests: Sequence[str]) -> list[list[str]]:
    """The tests that mirror a source, in two rounds.

    First those that are named from it, and those of messages, since most mutants don't get past
    them; then all of the package.
    """
    package = Path(file.replace("src/warmcube", "tests/unit")).parent
    mirrors = (package / f"test_{Path(file).stem}.py", package / "test_messages.py")
    first = [str(each) for each in mirrors if each.exists()]
    return [first, [each for each in tests if Path(each).is_relative_to(package)]]


def _try_leftovers(files: Sequence[str], tests: Sequence[str], processes: int) -> list[Trial]:
    work: list[tuple[Leftover, list[list[str]]]] = []
    for file in files:
        source = Path(file).read_text(encoding="utf-8")
        rounds = [each for each in _tests_of(file, tests) if each]
        work += [(each, rounds) for each in leftovers(file, source)]
    print(f"{len(work)} changes that mutmut leaves out", flush=True)
    preload(sorted({test for _, rounds in work for test in rounds[-1]}))
    trials: list[Trial] = []
    for trial in try_leftovers(work, processes):
        trials.append(trial)
        if len(trials) % 100 == 0:
            print(f"  {len(trials)} of {len(work)}", flush=True)
    return trials


def _print(trials: Iterable[Trial], verdict: Verdict, seconds: float) -> None:
    for mutant, fate in verdict.survivors:
        print(f"\n{fate.value}: {mutant}")
    for mutant in verdict.stale:
        print(f"\nlisted as equivalent, but noticed or gone: {mutant}")
    rows: dict[str, Counter[Fate]] = {}
    for mutant, fate in trials:
        package = str(Path(mutant.file).parent.relative_to("src/warmcube"))
        rows.setdefault(package, Counter())[fate] += 1
    print(f"\n{'':12} {'mutants':>8} {'killed':>8} {'timed out':>10} {'unnoticed':>10}")
    for package, fates in sorted(rows.items()):
        noticed = [fates[Fate.KILLED], fates[Fate.TIMEOUT]]
        left = fates.total() - sum(noticed)
        print(f"{package:12} {fates.total():8} {noticed[0]:8} {noticed[1]:10} {left:10}")
    print(
        f"\n{len(verdict.listed)} listed as equivalent, {len(verdict.survivors)} not listed, "
        f"{len(verdict.stale)} stale entries; {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
