"""Where output goes: answers to stdout, all else to stderr."""

from __future__ import annotations

import re
import sys
from typing import Final

from rich.console import Console

__all__ = ["is_terminal", "say", "say_error", "stderr", "stdout", "write_bytes"]

_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def stdout() -> Console:
    """For people who read the answer; made anew, since tests and pipes exchange the streams."""
    return Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=not is_terminal())


def stderr() -> Console:
    """For people who watch."""
    return Console(file=sys.stderr, highlight=False, markup=False)


def is_terminal() -> bool:
    """Whether somebody looks at stdout."""
    return sys.stdout.isatty()


def say(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(f"{_plain(text)}\n")


def say_error(text: str) -> None:
    """One sentence on stderr, never with a traceback."""
    sys.stderr.write(f"error: {_plain(text)}\n")


def write_bytes(data: bytes) -> None:
    """Data for a file or a pipe on stdout, byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _plain(text: str) -> str:
    """Without what a terminal would obey: a message may quote what somebody else wrote."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)
