"""Tries leftovers: each in a process of its own, where one module has another text."""

from __future__ import annotations

import os
import resource
import sys
import types
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path

import pytest
from tests.mutation.leftovers import Leftover
from tests.mutation.mutant import Fate, Trial

SECONDS = 60
"""Of processor time; the tests of one package take a tenth of it."""

_OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=mutation")


class _OneModule(SourceFileLoader):
    """Imports a module from a text instead of its file."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Its own; the others are found as ever."""
        return spec_from_loader(fullname, self, origin=self.path) if fullname == self.name else None

    def get_code(self, fullname: str) -> types.CodeType:
        return compile(self._text, self.path, "exec", dont_inherit=True)


def preload(tests: Iterable[str]) -> None:
    """Run the tests as they are, and forget the project's own modules again.

    What others they import stays, so that forks start faster.

    Raises:
        RuntimeError: if one fails: then it would fail under every mutant, and notice nothing.
    """
    if pytest.main([*_OPTIONS, "-x", *tests]) != 0:
        raise RuntimeError("a test fails with nothing changed; run script/test")
    for name in list(sys.modules):
        if name.partition(".")[0] in ("warmcube", "conftest") or (
            name.startswith("tests.") and not name.startswith("tests.mutation")
        ):
            del sys.modules[name]


def try_leftovers(
    work: Sequence[tuple[Leftover, Sequence[Sequence[str]]]], processes: int
) -> Iterator[Trial]:
    """Run the tests of each leftover, some at a time.

    Args:
        work: each with its tests in rounds, of which the first that fails is the last.
        processes: how many run at once.
    """
    running: dict[int, Leftover] = {}
    waiting = list(reversed(work))
    while waiting or running:
        while waiting and len(running) < processes:
            leftover, rounds = waiting.pop()
            pid = run_apart(
                leftover.mutant.file, leftover.text, [("-x", *tests) for tests in rounds]
            )
            running[pid] = leftover
        pid, status = os.wait()
        done = running.pop(pid, None)
        if done is not None:
            yield done.mutant, _fate(status)


def _fate(status: int) -> Fate:
    if os.WIFSIGNALED(status):
        return Fate.TIMEOUT
    return {0: Fate.SURVIVED, 5: Fate.UNTESTED}.get(os.WEXITSTATUS(status), Fate.KILLED)


def run_apart(file: str, text: str, rounds: Iterable[Sequence[str]], *plugins: object) -> int:
    """Start a process in which a source file has another text, and pytest there.

    Args:
        file: the source.
        text: what it holds there.
        rounds: pytest's arguments, each time that it runs; a round that fails is the last.
        plugins: of pytest.

    Returns:
        the id of the process; its exit status is that of the last round.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        name = file.removeprefix("src/").removesuffix(".py").replace("/", ".")
        sys.meta_path.insert(0, _OneModule(name, str(Path(file).absolute()), text))
        for arguments in rounds:
            code = int(pytest.main([*_OPTIONS, *arguments], plugins=list(plugins)))
            if code:
                break
    finally:
        os._exit(code)
