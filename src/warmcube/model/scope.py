"""Which rows somebody may read, as a union of boxes over practices and providers."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Final, NamedTuple, TypeAlias

__all__ = ["ALL", "NOTHING", "All", "Box", "Ids", "Scope", "intersect_ids"]


class All(Enum):
    """The type of ``ALL``: a different *type* from a set, so that no empty set means "all"."""

    ALL = auto()

    # There is but one; `enum`'s own hash is that of its name.
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = All.ALL
"""No restriction; NULL included."""

Ids: TypeAlias = frozenset[str] | All
"""Canonical ids (text forms, see `warmcube.access.ids`), or ``ALL``. A set never includes NULL."""


def intersect_ids(left: Ids, right: Ids) -> Ids:
    """The ids that are among both."""
    if left is ALL:
        return right
    return left if right is ALL else left & right


class Box(NamedTuple):
    """Rows whose practice is among some practices *and* whose provider is among some providers.

    A tuple, as `Scope` is: every read makes some, and finds answers by them.
    """

    practices: Ids
    providers: Ids

    @property
    def is_empty(self) -> bool:
        return not self.practices or not self.providers  # ALL is true

    def intersect(self, practices: Ids, providers: Ids) -> Box:
        """What is left of this box under two filters; ``ALL`` is no filter."""
        return Box(
            intersect_ids(self.practices, practices), intersect_ids(self.providers, providers)
        )

    def allows(self, practice: str | None, provider: str | None) -> bool:
        """Whether a row with this practice and provider (canonical; None is NULL) lies inside."""
        return (
            isinstance(self.practices, All) or (practice is not None and practice in self.practices)
        ) and (
            isinstance(self.providers, All) or (provider is not None and provider in self.providers)
        )


class Scope(NamedTuple):
    """A union of boxes; no boxes is no rows."""

    boxes: tuple[Box, ...]

    @classmethod
    def of(cls, boxes: Iterable[Box]) -> Scope:
        """The union of `boxes` without the empty and the repeated ones, in a stable order."""
        found = [box for box in boxes if box.practices and box.providers]  # ALL is true
        return cls(tuple(found if len(found) < 2 else dict.fromkeys(found)))

    @property
    def is_empty(self) -> bool:
        return not self.boxes

    @property
    def is_everything(self) -> bool:
        return _EVERYTHING in self.boxes

    def intersect(self, practices: Ids, providers: Ids) -> Scope:
        """What is left under two filters; ``ALL`` is no filter."""
        return Scope.of([box.intersect(practices, providers) for box in self.boxes])

    def allows(self, practice: str | None, provider: str | None) -> bool:
        """Whether a row with this practice and provider (canonical; None is NULL) lies inside."""
        for box in self.boxes:  # noqa: SIM110 - of thousands of members; any() takes twice as long
            if box.allows(practice, provider):
                return True
        return False


_EVERYTHING: Final = Box(ALL, ALL)
NOTHING: Final = Scope(())
