"""From an event to the line of JSON that a sink is given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson

from warmcube.audit.events import EVENTS, AuditEvent
from warmcube.audit.listed import Listed
from warmcube.audit.request import Because, Condition, Request
from warmcube.audit.text import LONGEST, escape, shorten

__all__ = ["SCHEMA_VERSION", "Heading", "Lines", "line_of"]

SCHEMA_VERSION: Final = 1
"""Grows when a field of a line changes its meaning or goes; not when one is added."""


_REMEMBERED: Final = 1000


@dataclass(slots=True, kw_only=True)
class Heading:
    """What every line begins with; none of its names is one of an event's fields."""

    time: Annotated[datetime, "when it happened; of several, the last"]
    event: Annotated[str, "what happened"]
    schema: Annotated[int, "the version of this schema"] = SCHEMA_VERSION
    probe: Annotated[bool, "a trial of warmcube prove, which shall alarm nobody"] = False
    trail: Annotated[str, "drawn by each process that writes; sixteen hexadecimal digits"]
    number: Annotated[int, "counts a trail's lines from 1; a gap is a line that is lost"]
    request: Annotated[str | None, "the id of the request to the service; null for several"] = None


_NAMES: Final[dict[Any, tuple[str, ...]]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (*EVENTS, Because, Condition, Request)
}


def line_of(event: AuditEvent, heading: Heading) -> bytes:
    """One line, its end included: UTF-8, and every text in it cut and escaped."""
    return _begin(heading) + _rest(event)


class Lines:
    """Makes lines as `line_of` does, and remembers what those of one event have in common.

    Who is asked the same again and again may tell of it with one event.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[AuditEvent, bytes]] = {}  # by identity, which is kept with it

    def line_of(self, event: AuditEvent, heading: Heading) -> bytes:
        """One line; see `line_of`."""
        known = self._known.get(id(event))
        if known is None:
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            known = self._known[id(event)] = (event, _rest(event))
        return _begin(heading) + known[1]


def _begin(heading: Heading) -> bytes:
    # What isn't from outside needs no look at each character.
    tree = {
        "time": _plain(heading.time),
        "event": heading.event,
        "schema": heading.schema,
        "probe": heading.probe,
        "trail": heading.trail,
        "number": heading.number,
        "request": _plain(heading.request),
    }
    return orjson.dumps(tree)[:-1] + b","


def _rest(event: AuditEvent) -> bytes:
    tree: dict[str, Any] = {}
    for name, value in _fields(event).items():
        if name == "request":
            tree.update(value)
        else:
            tree[name] = value
    return orjson.dumps(tree, option=orjson.OPT_APPEND_NEWLINE)[1:]


def _fields(record: Any) -> dict[str, Any]:
    return {name: _plain(getattr(record, name)) for name in _NAMES[type(record)]}


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    kind = type(value)  # looked at first: nearly all are of these, and there are many
    if value is None or kind is int:
        return value
    if kind is str:
        return escape(value if len(value) <= LONGEST else shorten(value))
    if isinstance(value, Listed):
        first = [each if type(each) is int else _plain(each) for each in value.first]
        return first if value.is_whole else {"first": first, "count": value.count}
    return _plain_rarely(value)


def _plain_rarely(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return escape(shorten(str.__str__(value)))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return _fields(value)
