"""A mutant, named so that the name outlives renumbering and reindenting."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

EQUIVALENT = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change to one function.

    Attributes:
        file: the source, from the root of the repository.
        function: qualified by its class; ``<module>`` or a class for what lies in no function.
        change: the lines that go, marked ``-``, and those that come, marked ``+``, unindented.
    """

    file: str
    function: str
    change: str

    def __str__(self) -> str:
        return f"{self.file}: {self.function}\n{self.change}"


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"  # a test failed
    TIMEOUT = "timed out"  # it ran on and on, which is noticed as well
    SURVIVED = "survived"
    UNTESTED = "untested"  # no test runs the function
    UNCLEAR = "unclear"  # its process ended in no known way

    @property
    def is_noticed(self) -> bool:
        return self in (Fate.KILLED, Fate.TIMEOUT)


Trial = tuple[Mutant, Fate]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run showed."""

    survivors: tuple[Trial, ...]
    """Unnoticed, and not on the list."""
    listed: tuple[Mutant, ...]
    stale: tuple[Mutant, ...]
    """On the list, but noticed or no more."""

    @property
    def is_clean(self) -> bool:
        return not self.survivors and not self.stale


def change_between(before: str, after: str) -> str:
    """The lines that differ."""
    lines = (
        list(map(str.strip, before.splitlines())),
        list(map(str.strip, after.splitlines())),
    )
    differing = list(difflib.unified_diff(*lines, n=0, lineterm=""))[2:]
    return "\n".join(line for line in differing if not line.startswith("@@"))


def read_equivalents(path: Path = EQUIVALENT) -> dict[Mutant, str]:
    """The written list: each mutant with the reason why it changes nothing.

    Raises:
        ValueError: if one is listed twice.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    found: dict[Mutant, str] = {}
    for entry in entries:
        for change in entry["changes"]:
            mutant = Mutant(entry["file"], entry["function"], change.strip())
            if mutant in found:
                raise ValueError(f"listed twice: {mutant}")
            found[mutant] = entry["reason"].strip()
    return found


def judge(trials: Sequence[Trial], equivalents: Iterable[Mutant], tried: Iterable[str]) -> Verdict:
    """Compare what survived with the written list.

    Args:
        trials: all mutants that were tried.
        equivalents: the list.
        tried: the files that were mutated; the list may speak of others.
    """
    unnoticed = {mutant for mutant, fate in trials if not fate.is_noticed}
    files = set(tried)
    listed = {mutant for mutant in equivalents if mutant.file in files}
    return Verdict(
        survivors=tuple(
            sorted(
                {(mutant, fate) for mutant, fate in trials if mutant in unnoticed - listed},
                key=lambda trial: trial[0],
            )
        ),
        listed=tuple(sorted(unnoticed & listed)),
        stale=tuple(sorted(listed - unnoticed)),
    )
