"""Strict reading of one table of a directory, field by field.

What is wrong is collected, not raised, so that whoever keeps the directory sees all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from warmcube.access.defects import Defect
from warmcube.access.ids import directory_id, is_text, show
from warmcube.errors import DirectoryError

__all__ = ["Record", "Report", "is_name"]

_T = TypeVar("_T", bound=Hashable)


def is_name(value: object) -> bool:
    """Whether this can be the id of a user, an organization or a role."""
    return isinstance(value, str) and bool(value) and is_text(value)


class Report:
    """Collects defects of one user, one role, some organizations, or what all share."""

    def __init__(
        self,
        defects: list[Defect],
        *,
        user: str | None = None,
        role: str | None = None,
        organizations: Iterable[str] = (),
        is_shared: bool = False,
    ) -> None:
        self._defects = defects
        self._user = user
        self._role = role
        self._organizations = frozenset(organizations)
        self._is_shared = is_shared

    def __call__(self, place: str, problem: str) -> None:
        self._defects.append(
            Defect(
                place=place,
                problem=problem,
                user=self._user,
                role=self._role,
                organizations=self._organizations,
                is_shared=self._is_shared,
            )
        )


class Record:
    """One table.

    Args:
        fields: what stands there.
        place: where that is.
        known: the fields that there are; any other is a defect.
        report: told what is wrong.
        by_id: whether the tables in its arrays are named by their ids instead of their positions.
    """

    def __init__(
        self,
        fields: Mapping[Any, Any],
        place: str,
        known: Collection[str],
        report: Report,
        *,
        by_id: bool = False,
    ) -> None:
        self._by_id = by_id
        self._fields = fields
        self._place = place
        self._report = report
        for name in fields:
            if name not in known:
                report(
                    self.at(str(name)), f"there is no such field; the fields are {', '.join(known)}"
                )

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self._place}.{name}" if self._place else name

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def name(self, name: str, *, is_required: bool = False) -> str | None:
        """The id of a user, an organization or a role."""
        if name not in self._fields:
            if is_required:
                self._report(self.at(name), "is missing; write text that isn't empty")
            return None
        value = self._fields[name]
        if is_name(value):
            return str.__str__(value)
        self._report(self.at(name), f"{show(value)} isn't text, or is empty; write text")
        return None

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false; false where it can't be read, which is the lesser right."""
        value = self._fields.get(name, default)
        if isinstance(value, bool):
            return value
        self._report(self.at(name), f"{show(value)} isn't true or false; write one of the two")
        return False

    def moment(self, name: str) -> datetime | None:
        """A moment, with its offset from UTC."""
        value = self._fields.get(name)
        if name not in self._fields or (
            isinstance(value, datetime) and value.utcoffset() is not None
        ):
            return value
        self._report(
            self.at(name),
            f"{show(value)} isn't a date and time with an offset; write 2027-01-01T00:00:00Z",
        )
        return None

    def id(self, name: str) -> str | None:
        """The id of a practice or a provider."""
        try:
            return directory_id(self._fields.get(name))
        except DirectoryError as error:
            self._report(self.at(name), str(error))
            return None

    def tables(self, name: str) -> Iterator[tuple[str, Mapping[Any, Any]]]:
        """The tables of an array, with their places."""
        for place, value in self.items(name):
            if isinstance(value, Mapping):
                yield f"{self.at(name)}[{show(value.get('id'))}]" if self._by_id else place, value
            else:
                self._report(place, f"{show(value)} isn't a table; write [[{name}]]")

    def items(self, name: str) -> Iterator[tuple[str, Any]]:
        """The items of an array, with their places."""
        values = self._fields.get(name, ())
        if not isinstance(values, list | tuple):
            self._report(self.at(name), f"{show(values)} isn't an array; write [ … ]")
            return
        for position, value in enumerate(values):
            yield f"{self.at(name)}[{position}]", value

    def distinct(
        self,
        name: str,
        read: Callable[[str, Any], _T | None],
        key: Callable[[_T], Hashable] = lambda item: item,
    ) -> tuple[_T, ...]:
        """The items of an array as `read` reads them; a repeated one is a defect.

        Args:
            name: the array.
            read: reads the item at a place; None if it had to report it.
            key: what two items must not have in common.
        """
        found: dict[Hashable, _T] = {}
        for place, value in self.items(name):
            item = read(place, value)
            if item is None:
                continue
            if key(item) in found:
                self._report(place, f"{show(value)} stands there twice; write it once")
            found.setdefault(key(item), item)
        return tuple(found.values())
