"""What is wrong with a directory, and whom it touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from warmcube.errors import DirectoryError

__all__ = ["Defect", "defects_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing that is wrong.

    Attributes:
        place: where, such as ``users[3].roles[0]``; counted from 0.
        problem: what is wrong, with the value, and what to do.
        user: whose record it is in; None if it is in none, or in one without a readable id, which
            then is nobody's.
        role: the role that it is in.
        organizations: those that it is in; more than one where they form a loop.
        is_shared: whether it is in what all share, so that nothing can be read without it.
    """

    place: str
    problem: str
    user: str | None = None
    role: str | None = None
    organizations: frozenset[str] = frozenset()
    is_shared: bool = False

    def __str__(self) -> str:
        of = "" if self.user is None else f" (user {self.user!r})"
        return f"{self.place}{of}: {self.problem}"


def defects_error(source: str, defects: Iterable[Defect]) -> DirectoryError:
    """One error that lists them all."""
    lines = [str(defect) for defect in defects]
    if len(lines) == 1:
        return DirectoryError(f"{source}: {lines[0]}")
    return DirectoryError("\n  ".join([f"{source} has {len(lines)} defects:", *lines]))
