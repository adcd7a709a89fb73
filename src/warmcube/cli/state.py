"""What the commands share: the configuration file that was named, and how a query is asked."""

from __future__ import annotations

import asyncio
import getpass
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import typer

from warmcube.cli.request import Request
from warmcube.engine import AnalyticsCache

__all__ = ["STDERR", "State", "integer", "not_empty", "open_cache", "operator", "run", "state_of"]

_T = TypeVar("_T")

STDERR: Final = 2
"""Where the command line's own audit goes instead of standard output, which is for answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What belongs to one call of ``warmcube``.

    Attributes:
        config: the file named with ``--config``.
        ask: what ``query`` does with a request; the demo's prompt puts its own here.
    """

    config: Path | None
    ask: Callable[[Request], None]

    def open_cache(self) -> AnalyticsCache:
        """The configured cache, for ``async with``.

        Raises:
            ConfigError: with everything that is wrong.
        """
        return open_cache(self.config)


def open_cache(config: Path | None) -> AnalyticsCache:
    """The cache of a configuration, used from the command line.

    Raises:
        ConfigError: with everything that is wrong.
    """
    return AnalyticsCache.from_config(config, actor=operator(), stdout=STDERR)


def operator() -> str:
    """Who sits at the command line, for the audit and the history."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a container without a user database
        return "cli:unknown"


def state_of(context: typer.Context) -> State:
    """The state that the root command left."""
    state = context.find_object(State)
    if state is None:  # pragma: no cover - the root command always leaves one
        raise TypeError("a command was called without the root command")
    return state


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Runs a command's asynchronous part to its end; Ctrl-C cancels it, so that it cleans up."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - isn't there on every platform

    return uvloop.new_event_loop


def integer(text: str | int) -> int:
    """A number on the command line; only as it would be printed, so not " 1" or "1_0"."""
    if isinstance(text, int):  # a default
        return text
    if not re.fullmatch(r"0|[1-9]\d{0,17}", text, re.ASCII):
        raise typer.BadParameter(f"{text!r} is no whole number from 0; expected one like 1")
    return int(text)


def not_empty(text: str) -> str:
    """A text on the command line; an empty one is nearly always an unset shell variable."""
    if not text:
        raise typer.BadParameter("it is empty; name one, or leave the option out")
    return text
