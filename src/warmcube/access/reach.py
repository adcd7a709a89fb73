"""How far a right goes: organizations, practices and boxes, in directory ids."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from warmcube.model.scope import ALL, All, Box, Ids, Scope, intersect_ids

__all__ = ["EVERYTHING", "Reach", "unite_boxes"]


@dataclass(frozen=True, slots=True)
class Reach:
    """What one right lets its holder read, and what it lets them name.

    The two differ: somebody who reads only their own rows may name any practice of their
    organizations, and gets nothing there.

    Attributes:
        organizations: active organizations that may be filtered by; ``ALL`` for every active one,
            which only an unlimited right to everything has.
        practices: practices that may be named.
        boxes: the rows.
        is_own: whether the rows are those of the holder's own providers only.
    """

    organizations: Ids
    practices: Ids
    boxes: tuple[Box, ...]
    is_own: bool = False

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out, rows without a practice included."""
        return isinstance(self.organizations, All)

    def cut(self, organizations: frozenset[str], practices: frozenset[str]) -> Reach:
        """What is left of this inside some organizations, which hold these practices."""
        return self.meet(Reach(organizations, practices, (Box(practices, ALL),)))

    def meet(self, other: Reach) -> Reach:
        """What lies in both."""
        return Reach(
            intersect_ids(self.organizations, other.organizations),
            intersect_ids(self.practices, other.practices),
            unite_boxes(
                left.intersect(right.practices, right.providers)
                for left in self.boxes
                for right in other.boxes
            ),
            self.is_own or other.is_own,
        )


EVERYTHING: Final = Reach(ALL, ALL, (Box(ALL, ALL),))


def unite_boxes(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The same rows in as few boxes as come without effort, none of them empty.

    Boxes of the same providers become one, and what a box without a restriction on providers
    covers is left out of the others.
    """
    by_providers: dict[Ids, Ids] = {}
    for box in boxes:
        known = by_providers.get(box.providers, frozenset())
        by_providers[box.providers] = (
            ALL
            if isinstance(known, All) or isinstance(box.practices, All)
            else known | box.practices
        )
    wide = by_providers.get(ALL, frozenset())
    united: list[Box] = []
    for providers, practices in by_providers.items():
        if isinstance(providers, All):
            united.append(Box(practices, providers))
        elif isinstance(practices, All):
            if not isinstance(wide, All):
                united.append(Box(practices, providers))
        elif not isinstance(wide, All):
            united.append(Box(practices - wide, providers))
    return Scope.of(united).boxes
