"""What is wrong with a dashboard's file: each thing with its place, all of them at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from warmcube.config.problems import KeyPath, key_text, nearest
from warmcube.query.wording import shown

__all__ = ["Place", "Trouble", "Troubles"]

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing that is wrong.

    Attributes:
        file: in which file.
        place: where in it, as ``charts[3].series[0].colour``; empty for the file as a whole.
        chart: the id of the chart that the place is in.
        value: what stands there, shortened.
        what: what is wrong, what was expected, what to do.
    """

    file: str
    place: str
    chart: str | None
    value: str | None
    what: str

    def __str__(self) -> str:
        chart = "" if self.chart is None else f" (chart {self.chart!r})"
        value = "" if self.value is None else f" = {self.value}"
        place = f"{self.place}{chart}{value}: " if self.place else ""
        return f"{self.file}: {place}{self.what}"


class Troubles:
    """Collects what is wrong with one file.

    Args:
        file: how messages name it.
        data: what it says, from which charts get their names in messages.
    """

    def __init__(self, file: str, data: Any = None) -> None:
        self._file = file
        charts = data.get("charts") if isinstance(data, dict) else None
        self._charts = charts if isinstance(charts, list) else []
        self._found: dict[Trouble, None] = {}

    def add(self, path: KeyPath, what: str, *, value: Any = _ABSENT) -> None:
        """Notes one thing; `value` is what stands at `path`."""
        trouble = Trouble(
            file=self._file,
            place=key_text(path),
            chart=self._chart(path),
            value=None if value is _ABSENT else shown(value),
            what=what,
        )
        self._found[trouble] = None

    @property
    def found(self) -> tuple[Trouble, ...]:
        return tuple(self._found)

    def _chart(self, path: KeyPath) -> str | None:
        if len(path) < 2 or path[0] != "charts" or not isinstance(path[1], int):
            return None
        chart = self._charts[path[1]] if path[1] < len(self._charts) else None
        name = chart.get("id") if isinstance(chart, dict) else None
        return name if isinstance(name, str) and 0 < len(name) <= 64 else None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file, and whoever takes what is wrong there."""

    troubles: Troubles
    path: KeyPath = ()

    def __truediv__(self, part: str | int) -> Place:
        return Place(self.troubles, (*self.path, part))

    def wrong(self, what: str, *, value: Any = _ABSENT) -> None:
        """Notes something about this place."""
        self.troubles.add(self.path, what, value=value)

    def unknown(self, noun: str, value: Any, names: Iterable[str]) -> None:
        """Notes that a name isn't one of a closed set, and which is near."""
        known = list(names)
        near = nearest(value, known) if isinstance(value, str) else nearest("", known)
        self.wrong(f"unknown {noun}{near}", value=value)
