"""A rendered chart beside what SQL says of it: labels, order, every figure, totals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, Final

from tests.support.number_sql import Expected, Line, Place
from tests.support.number_tables import World

from warmcube.dashboard.rendered import Facet, RenderedChart, RenderedSeries

__all__ = ["differences"]

_ROLES: Final = {"date": "date_index", "practice": "practice_uid", "provider": "provider_uid"}
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "text": str,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
    "boolean": {"true": True, "false": False}.__getitem__,
    "integer": int,
    "bigint": int,
    "double precision": float,
    "numeric(6,2)": Decimal,
}


def differences(
    world: World, definition: Mapping[str, Any], chart: RenderedChart, expected: Expected
) -> list[str]:
    """In what they differ, in words; empty if in nothing."""
    if chart.error is not None:
        return [f"error: {chart.error}"]
    return list(_Comparison(world, definition, chart, expected).all())


class _Comparison:
    def __init__(
        self,
        world: World,
        definition: Mapping[str, Any],
        chart: RenderedChart,
        expected: Expected,
    ) -> None:
        self.world, self.definition = world, definition
        self.chart, self.expected = chart, expected

    def all(self) -> Iterator[str]:
        expected, chart = self.expected, self.chart
        if chart.hidden != expected.hidden:
            yield f"hidden is {chart.hidden}, not {expected.hidden}"
        keys = [self.key(each.key, "multiples") for each in expected.multiples]
        if [facet.key for facet in chart.facets] != keys:
            yield f"multiples are {[facet.key for facet in chart.facets]}, not {keys}"
            return
        for m, facet in enumerate(chart.facets):
            name = expected.multiples[m].name
            if name is not None and facet.title != name:
                yield f"a picture is called {facet.title}, not {name}"
            yield from self.facet(m, facet)
        yield from self.beside()

    def key(self, text: str | None, axis: str) -> Any:
        """A value out of SQL's text."""
        name = self.definition.get(axis)
        if text is None or name is None:
            return None
        return _READ[self.world.columns[_ROLES.get(name, name)]](text)

    def facet(self, m: int, facet: Facet) -> Iterator[str]:
        expected = self.expected
        wanted = [(self.key(each.key, "group_by"), each.is_other) for each in expected.labels]
        found = [(label.key, label.is_other) for label in facet.labels]
        if found != wanted:
            yield f"labels are {found}, not {wanted}"
            return
        for label, place in zip(facet.labels, expected.labels, strict=True):
            if place.name is not None and label.text != place.name:
                yield f"label {label.key} is called {label.text}, not {place.name}"
        lines = [
            (split, line)
            for s, split in enumerate(expected.splits)
            for line in expected.lines[m, s]
        ]
        ids = [self.id(split, line) for split, line in lines]
        if [series.id for series in facet.series] != ids:
            yield f"series are {[series.id for series in facet.series]}, not {ids}"
            return
        for series, (split, line) in zip(facet.series, lines, strict=True):
            yield from self.line(series, split, line)

    def id(self, split: Place, line: Line) -> str:
        if "split_by" not in self.definition:
            return line.id
        own, dot, comparison = line.id.partition(".")
        key = self.key(split.key, "split_by")
        if isinstance(key, bool):
            key = str(key).lower()
        if split.is_other:
            return f"{own}/~other{dot}{comparison}"
        text = "~" if key is None else str(key).replace("~", "%7E")
        return f"{own}/{text}{dot}{comparison}"

    def line(self, series: RenderedSeries, split: Place, line: Line) -> Iterator[str]:
        if _numbers(line.values) != list(series.values):
            yield f"{series.id} is {_texts(series.values)}, not {list(line.values)}"
        if _numbers([line.total]) != [series.total]:
            yield f"{series.id} comes to {series.total}, not {line.total}"
        if split.name is not None and not split.is_other and split.name not in series.name:
            yield f"{series.id} is called {series.name}, not {split.name}"
        if series.kind == "comparison" and self.definition.get("group_by") == "date":
            keys = [self.key(each.compared, "group_by") for each in self.expected.labels]
            if list(series.keys or ()) != keys:
                yield f"{series.id} is of {series.keys}, not {keys}"

    def beside(self) -> Iterator[str]:
        """What stands beside a single figure."""
        if self.definition["type"] != "number" or "compare" not in self.definition:
            return
        now, before = (_numbers([line.total])[0] for line in self.expected.lines[0, 0][:2])
        change = self.chart.change
        difference = None
        if now is not None and before is not None:
            difference = Context(prec=200).subtract(now, before)
        if change is None or (change.before, change.difference) != (before, difference):
            yield f"the change is {change}, not from {before} by {difference}"


def _numbers(texts: Sequence[str | None]) -> list[Decimal | None]:
    return [None if text is None else Decimal(text) for text in texts]


def _texts(values: Sequence[Decimal | None]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]
