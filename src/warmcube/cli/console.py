"""Where output goes: answers to stdout, all else to stderr."""

from __future__ import annotations

import re
import sys
from typing import Final

from rich.console import Console

__all__ = ["is_terminal", "plain", "say", "say_error", "stderr", "stdout", "write_bytes"]

_WIDE: Final = 100_000
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def stdout() -> Console:
    """For people who read the answer; made anew, since tests and pipes exchange the streams."""
    # A pipe has no width: what goes into it is neither cut nor folded.
    width = None if is_terminal() else _WIDE
    return Console(file=sys.stdout, highlight=False, markup=False, width=width)


def stderr() -> Console:
    """For people who watch."""
    return Console(file=sys.stderr, highlight=False, markup=False)


def is_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return sys.stdout.isatty()


def say(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{plain(text)}\n")


def say_error(text: str) -> None:
    """One sentence on stderr, never with a traceback."""
    sys.stderr.write(f"error: {plain(text)}\n")


def write_bytes(data: bytes) -> None:
    """Data for a file or a pipe on stdout, byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def plain(text: str) -> str:
    """Without what a terminal would obey: a message may quote what somebody else wrote."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
