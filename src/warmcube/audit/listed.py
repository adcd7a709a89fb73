"""Lists in an audit line: all of a short one, the beginning of a long one and how long it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from warmcube.access.ids import show
from warmcube.audit.text import LONGEST, shorten

__all__ = ["EMPTY", "MOST_LISTED", "Listed", "id_of", "listed_ids", "listed_texts"]

MOST_LISTED: Final = 20

_T = TypeVar("_T")
_LARGEST: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Listed(Generic[_T]):
    """A list, cut: a line holds ``[…]`` of a whole one, else ``{"first": […], "count": 5000}``.

    Attributes:
        first: at most `MOST_LISTED` items.
        count: how many there were.
    """

    first: tuple[_T, ...] = ()
    count: int = 0

    @classmethod
    def of(cls, items: object, of_item: Callable[[object], _T]) -> Listed[_T]:
        """The beginning of a list, tuple or set; anything else is a list of itself.

        Args:
            items: as they came from outside.
            of_item: makes what is kept of each; never fails.
        """
        if not isinstance(items, list | tuple | set | frozenset):
            return cls((of_item(items),), 1)
        some: Collection[object] = items
        first = some if len(some) <= MOST_LISTED else islice(some, MOST_LISTED)
        return cls(tuple(map(of_item, first)), len(some))

    @property
    def is_whole(self) -> bool:
        return len(self.first) == self.count


EMPTY: Final[Listed[Any]] = Listed()


def id_of(value: object) -> str | int:
    """An id as somebody named it; never long, and never failing."""
    if type(value) is str:
        return value if len(value) <= LONGEST else shorten(value)
    if isinstance(value, str):
        return shorten(str.__str__(value))
    if type(value) is int and -_LARGEST <= value < _LARGEST:
        return value
    return shorten(show(value))


def listed_texts(texts: Iterable[object]) -> Listed[str]:
    """Names or sentences; of a sentence, what `str` gives."""
    return Listed.of(list(texts), lambda each: shorten(str(each)))


def listed_ids(ids: object) -> Listed[str | int] | None:
    """The ids of a filter; None is no filter, and an empty list stays an empty list."""
    return None if ids is None else Listed.of(ids, id_of)
