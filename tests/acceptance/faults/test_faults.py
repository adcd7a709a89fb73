"""The fault suite, in its short form: faults of each kind, over 20,000 compared answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from faults.kinds import FAULTS
from faults.verdicts import Verdict

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

ROOT: Final = Path(__file__).parents[3]
COMPARED: Final = 20_000
SOME: Final = (
    "kill-redis",
    "restart-empty",
    "delete-entry",
    "delete-pointer",
    "corrupt-entry",
    "swap-members",
    "future-manifest",
    "flushall",
    "cut-replies",
    "loading",
    "kill-warmer",
    "invalidate",
    "both-down",
    "no-connections",
    "drop-column",
)


@pytest.mark.timeout(900)  # a machine that is shared takes several times as long
def test_nothing_is_wrong_partial_leaked_or_unclear_while_things_break(tmp_path: Path) -> None:
    """Each of over 20,000 answers equals SQL's as of its change, or is a clear error."""
    found = _run(tmp_path / "found.json", "--only", *SOME, "--compared", str(COMPARED))
    verdicts = [set(fault["verdicts"]) for fault in found["faults"]]
    assert set().union(*verdicts) <= {str(Verdict.RIGHT), str(Verdict.ERROR)}
    assert found["compared"] >= COMPARED
    struck = {fault["name"]: fault for fault in found["faults"] if fault["runs"]}
    assert sorted(struck) == sorted(SOME)
    # A table without figures would show nothing.
    assert all(min(fault["compared"].values()) > 0 for fault in struck.values())


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_fault_ends_well(tmp_path: Path) -> None:
    """The same of every fault that there is, once each."""
    found = _run(tmp_path / "found.json")
    assert {fault["name"] for fault in found["faults"]} >= {fault.name for fault in FAULTS}


def _run(file: Path, *words: str) -> dict[str, Any]:
    """What a run found, which must be nothing that is wrong."""
    command = [sys.executable, "-m", "faults", "--seed", "7", "--json", str(file), *words]
    # Measuring which lines it enters would make it twice as slow.
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    ended = subprocess.run(
        command, cwd=ROOT, env=unmeasured, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    assert found["failures"] == []
    return found
