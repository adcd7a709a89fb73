"""Runs a module with a clock that is off: ``python -m faults.skewed SECONDS MODULE ARGUMENTS…``.

What warmcube takes for the time of day is off; clocks that only measure how long something takes
are right. libfaketime would do the same, where there is one.
"""

from __future__ import annotations

import runpy
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["main", "skew"]


def skew(seconds: float) -> None:
    """Have this process take another time for now; call it before warmcube is imported."""
    real, real_ns = time.time, time.time_ns
    off = int(seconds * 1_000_000_000)
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + off

    from warmcube.audit.trail import Trail  # noqa: PLC0415 - not before the clock is off
    from warmcube.directory.authoriser import Authoriser  # noqa: PLC0415 - likewise

    for kind in (Authoriser, Trail):
        # They ask `datetime`, which can't be replaced, by a function that can.
        defaults: dict[str, Any] = getattr(kind.__init__, "__kwdefaults__", {})
        if "clock" not in defaults:
            raise LookupError(f"{kind.__name__} takes no clock any more")
        defaults["clock"] = lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def main() -> None:
    """Run the module."""
    seconds, module, *words = sys.argv[1:]
    skew(float(seconds))
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
