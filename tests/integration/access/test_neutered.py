"""Without one of the two rules that all hangs on, many tests fail, not one."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.mutation.neuter import NEUTERINGS

RULES = [each.name for each in NEUTERINGS if each.at_least >= 20]


def test_at_least_twenty_tests_notice() -> None:
    """Whoever breaks these by accident can't overlook it; ``script/mutation --neuter`` has more."""
    untold = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--neuter", *RULES],
        env=untold,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    noticed: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        _, said, rule = line.partition(" tests notice that ")
        if said:
            noticed[rule] = set()
        elif "::test_" in line and noticed:  # before, they pass with nothing changed
            noticed[[*noticed][-1]].add(line)
    assert sorted(noticed) == sorted(RULES)
    assert min(map(len, noticed.values())) >= 20


def test_both_rules_are_among_them() -> None:
    """The two that were named when isolation was asked for."""
    assert {*RULES} >= {"a grant allows everything", "a filter that is empty is no filter"}
