"""Processes of Python that the suite starts: how, with which clock, and how they are ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ROOT", "Process", "begin", "command", "environment"]

ROOT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 60.0


@dataclass(slots=True)
class Process:
    """One of them."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.process.returncode is None:
            os.kill(self.process.pid, number)

    async def end(self, seconds: float = _PATIENCE) -> str | None:
        """Wait for its end; what it said was wrong, if anything."""
        try:
            async with asyncio.timeout(seconds):
                _, told = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return "it did not end in time"
        if self.process.returncode == 0:
            return None
        return told.decode(errors="replace").strip() or f"status {self.process.returncode}"


def command(module: str, *words: str | Path, skew: float = 0) -> list[str]:
    """What runs a module.

    Args:
        module: its name.
        words: its arguments.
        skew: seconds that its clock is ahead.
    """
    program = [module] if not skew else ["faults.skewed", str(skew), module]
    return [sys.executable, "-m", *program, *map(str, words)]


def environment() -> dict[str, str]:
    """Theirs."""
    own = ("WARMCUBE_", "CACHE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return kept | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


async def begin(
    module: str, *words: str | Path, skew: float = 0, log: Path | None = None
) -> Process:
    """Start one.

    Args:
        module: its name.
        words: its arguments.
        skew: seconds that its clock is ahead.
        log: where what it prints goes; None if only its errors are of interest.
    """
    with (log or Path(os.devnull)).open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command(module, *words, skew=skew),
            cwd=ROOT,
            env=environment(),
            stdout=file,
            stderr=asyncio.subprocess.PIPE,
        )
    return Process(process)
