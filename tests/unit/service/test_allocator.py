"""`warmcube.service.allocator`: a serving process keeps the memory that it will need again."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Final

import pytest

_WORK: Final = """
import resource, sys
from warmcube.service.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    b"".join([bytes(2000) for _ in range(2000)])
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(what: str) -> int:
    """How many pages a process has to be given for the same work, time and again."""
    done = subprocess.run(
        [sys.executable, "-c", _WORK, what], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have other ways")
def test_freed_memory_is_used_again() -> None:
    """Megabytes that were freed aren't mapped anew each time."""
    kept, given_back = faults("keep"), faults("")
    assert kept < 500
    assert kept < given_back / 10
