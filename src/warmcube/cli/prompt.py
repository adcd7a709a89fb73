"""The demo's prompt: asking as on the command line, on a cache that stays open."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from typer.core import TyperCommand

from warmcube.cli.answer import answer, check_format
from warmcube.cli.console import say, say_error
from warmcube.cli.request import Request
from warmcube.cli.state import State
from warmcube.cli.usage import ClickException, message_of
from warmcube.demo.files import DATASOURCE, USERS
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError

__all__ = ["ask_line", "end_of_input", "prompt"]

_HELP: Final = """\
  users                   the sample users
  query --as USER …       as on the command line, for example
      query --as north --measure Charges --frequency Monthly --group-by date_index --aggregate sum
      query --as provider --measure Visits --frequency Weekly --limit 5 --explain
  measures --as USER      what USER may ask for
  values COLUMN --as USER …
                          what USER may filter by, for example
      values practice_uid --as north --measure Charges --frequency Monthly
  query --help            all options, likewise of the others
  quit                    stop the servers and leave (so do Ctrl-D and Ctrl-C)"""


_ASKING: Final = ("query", "values", "measures")


async def prompt(cache: AnalyticsCache) -> None:
    """Answers what somebody types, until they leave."""
    say(_HELP)
    async with _lines() as lines:
        while True:
            sys.stdout.write("warmcube> ")
            sys.stdout.flush()
            line = await lines.get()
            if line is None or not await ask_line(cache, line):
                break


async def ask_line(cache: AnalyticsCache, line: str) -> bool:
    """Does what one line says.

    Returns:
        False where it says to leave.
    """
    try:
        word, *words = shlex.split(line) or [""]
    except ValueError as error:
        say_error(f"{error}; put names with spaces into quotes")
        return True
    if word in ("quit", "exit"):
        return False
    if word == "users":
        for user, about in USERS.items():
            say(f"  {user:<10}{about}")
    elif word in _ASKING:
        await _ask(cache, word, words)
    elif word == "help":
        say(_HELP)
    elif word:
        say_error(
            f"{word!r} is no command here; expected users, {', '.join(_ASKING)}, help or quit"
        )
    return True


async def _ask(cache: AnalyticsCache, word: str, words: list[str]) -> None:
    requests: list[Request] = []
    if not words or not words[0].isdecimal():
        words = [str(DATASOURCE), *words]
    try:
        state = State(config=None, ask=requests.append)
        _command(word).main(words, prog_name=word, standalone_mode=False, obj=state)
        for request in requests:  # none after --help
            check_format(request)
            await answer(cache, request)
    except ClickException as error:
        say_error(message_of(error))
    except WarmcubeError as error:
        say_error(str(error))


def _command(word: str) -> TyperCommand:
    from warmcube.cli.app import commands  # noqa: PLC0415 - the app has this module in it

    return commands()[word]


async def end_of_input() -> None:
    """Waits until nobody can type any more; what is typed until then is for nobody.

    Where nobody ever could, since the input is a file or ``/dev/null``, it waits for a signal.
    """
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    ended = asyncio.Event()

    def read() -> None:
        if not os.read(descriptor, 65_536):
            ended.set()

    try:
        loop.add_reader(descriptor, read)
    except OSError:  # a file, or nothing at all: there is no end to wait for
        await ended.wait()
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)


@asynccontextmanager
async def _lines() -> AsyncIterator[asyncio.Queue[str | None]]:
    """Lines as somebody types them, None at the end.

    Not ``input()`` in a thread: it could not be interrupted, and Ctrl-C would leave the servers
    running until somebody pressed Enter.
    """
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    typed = bytearray()

    def read() -> None:
        data = os.read(descriptor, 65_536)
        typed.extend(data)
        while (end := typed.find(b"\n")) >= 0:
            lines.put_nowait(typed[:end].decode("utf-8", errors="replace"))
            del typed[: end + 1]
        if not data:
            loop.remove_reader(descriptor)
            lines.put_nowait(None)

    loop.add_reader(descriptor, read)
    try:
        yield lines
    finally:
        loop.remove_reader(descriptor)
        sys.stdout.write("\n")
