"""Without one of the two rules that all hangs on, many tests fail, not one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.mutation.neuter import NEUTERINGS


@pytest.mark.parametrize("name", [each.name for each in NEUTERINGS if each.at_least >= 20])
def test_at_least_twenty_tests_notice(name: str) -> None:
    """Whoever breaks these by accident can't overlook it; ``script/mutation --neuter`` has more."""
    untold = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", "--neuter", name],
        env=untold,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    red = [line for line in done.stdout.splitlines() if "::test_" in line]
    assert len(set(red)) >= 20
    assert f"{len(red)} tests notice that {name}" in done.stdout


def test_both_rules_are_among_them() -> None:
    """The two that were named when isolation was asked for."""
    assert {each.name for each in NEUTERINGS if each.at_least >= 20} >= {
        "a grant allows everything",
        "a filter that is empty is no filter",
    }
