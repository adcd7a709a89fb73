"""A first dashboard for a data source, as commented TOML that somebody goes on with. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from warmcube.dashboard.dates import add_months
from warmcube.dashboard.guess import MeasureFacts, look_of
from warmcube.model.schema import Datasource

__all__ = ["Facts", "propose"]

_NEWS_DAYS: Final = 60
"""Data whose last day is longer ago aren't followed by presets, which go with the calendar."""

_TWO_YEARS: Final = 699
"""Two years of monthly data span so many days at least, from first to first."""

_TILES: Final = 4
_IN_TREND: Final = 2
_FEW: Final = 12
_MANY: Final = 2
_LARGE: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a data source.

    Attributes:
        datasource: its id, name and roles.
        frequency: the one to show; None where the table has no such column.
        measures: with rows of that frequency.
        kinds: how many different values each text column has, role columns and names left out.
        names: for columns of ids the columns of their names.
        first: the first day that was seen.
        last: the last one.
        repeats: whether rows without a provider seem to repeat the others' total.
    """

    datasource: Datasource
    frequency: str | int | None
    measures: Sequence[MeasureFacts]
    kinds: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    first: date | None = None
    last: date | None = None
    repeats: bool = False


def propose(facts: Facts, today: date) -> tuple[str, str]:
    """The id of a first dashboard, and its text.

    Args:
        facts: what the data are.
        today: which day it is.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", facts.datasource.name.lower()).strip("-")[:60]
    name = slug or f"data-{facts.datasource.id}"
    return name, "\n".join([*_head(facts, name, today), *_Charts(facts).lines()]) + "\n"


def _head(facts: Facts, name: str, today: date) -> Iterator[str]:
    source = facts.datasource
    yield f"# A first dashboard of {_plain(source.name)}. Change what you like: the service sees it"
    yield "# within a second, and `warmcube dashboard check` says what is wrong. All fields are"
    yield "# described in docs/reference/dashboards.md."
    yield f"id = {_text(name)}"
    yield f"title = {_text(_plain(source.name)[:200].strip() or name)}"
    yield f"datasource = {source.id}"
    if source.roles.date is not None:
        yield from _dates(facts, today)
    filters = [column for column, kinds in facts.kinds.items() if _MANY <= kinds <= 200][:4]
    if filters:
        yield "# The filter bar offers these, besides organization, practices, providers and dates."
        yield f"filters = {_list(filters)}"
    if facts.repeats:
        yield "# Rows without a provider look like totals of the others, which would count twice."
        yield 'where = [["provider", "not_null"]]'
    yield '# For these roles only; for everybody when left out:\n# roles = ["org_analyst"]'
    if facts.names:
        yield "\n[names]  # ids are shown by their names"
        for column, names in facts.names.items():
            yield f"{_key(column)} = {_text(names)}"
    if facts.frequency is not None:
        yield "\n[defaults]  # of all charts that say nothing else"
        yield f"frequency = {_value(facts.frequency)}"


def _dates(facts: Facts, today: date) -> Iterator[str]:
    if facts.last is None or today - facts.last <= timedelta(days=_NEWS_DAYS):
        yield 'dates = "last_12_full_months"'
        return
    first = add_months(facts.last.replace(day=1), -11)
    last = add_months(first, 12) - timedelta(days=1)
    yield f'# The data end on {facts.last}; once they go on: dates = "last_12_full_months"'
    yield f"dates = {{ start = {first}, end = {last} }}"


class _Charts:
    """The charts of a first dashboard."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.roles = facts.datasource.roles
        self.sums = [each for each in facts.measures if not each.is_level]
        self.sums.sort(key=lambda each: (look_of(each) != "currency", -each.total))  # money first
        self.levels = [each for each in facts.measures if each.is_level]
        self.main = (self.sums or self.levels)[:1]
        self.taken: set[str] = set()

    def lines(self) -> Iterator[str]:
        """All of them."""
        tiles = [*self.sums[: _TILES - 1], *self.levels[:1]] if self.levels else self.sums
        for each in tiles[:_TILES]:
            yield from self.tile(each, 12 // len(tiles[:_TILES]))
        for each in self.main:
            if self.roles.date is not None:
                yield from self.trend(each)
            yield from self.kinds(each)
            yield from self.ranks(each)
        if self.levels and self.roles.date is not None:
            yield from self.levels_by_date()
        yield from self.table()

    def tile(self, measure: MeasureFacts, width: int) -> Iterator[str]:
        """A number, with its change."""
        yield from self.chart(_said(measure), "number", measure)
        if self.has_year_before():
            yield 'compare = "same_period_last_year"'
        elif self.roles.date is not None:
            yield '# compare = "same_period_last_year"  # once the data go back two years'
        yield from (f"width = {width}", "height = 1")

    def has_year_before(self) -> bool:
        """Whether there is a whole year to compare with: part of one would tell wrong."""
        first, last = self.facts.first, self.facts.last
        return first is not None and last is not None and (last - first).days >= _TWO_YEARS

    def trend(self, main: MeasureFacts) -> Iterator[str]:
        """What happened over time."""
        alike = [each for each in self.sums if look_of(each) == look_of(main)][:_IN_TREND]
        shown = alike if main in alike else [main]
        yield from self.chart(f"{_all_of(shown)} over time", "line", *shown)
        width = 8 if self.few() and not main.is_level else 12
        yield from ('group_by = "date"', f"width = {width}", "height = 3")

    def few(self) -> list[str]:
        """Columns whose values are few enough to be told apart by colours."""
        return [name for name, kinds in self.facts.kinds.items() if _MANY <= kinds <= _FEW]

    def kinds(self, main: MeasureFacts) -> Iterator[str]:
        """What it is made of."""
        few = self.few()
        if few and not main.is_level:
            yield from self.chart(f"{_said(main)} by {few[0]}", "doughnut", main)
            yield from (f"group_by = {_text(few[0])}", 'sort = "-value"', "width = 4", "height = 3")

    def ranks(self, main: MeasureFacts) -> Iterator[str]:
        """Who has most of it; a click on a bar leads to the rows."""
        roles = [role for role in ("practice", "provider") if getattr(self.roles, role) is not None]
        for role in roles:
            yield from self.chart(f"{_said(main)}, top {role}s", "horizontal_bar", main)
            yield from (f"group_by = {_text(role)}", 'sort = "-value"', "top = 10")
            if not main.is_level:
                yield "# other = true  # the rest, put together; it may be far larger than these"
            if role == "provider" and not self.facts.repeats:
                yield 'where = [["provider", "not_null"]]'
            yield from (f"width = {12 // len(roles)}", "height = 4")

    def levels_by_date(self) -> Iterator[str]:
        """Rates and the like, which are averaged."""
        alike = [each for each in self.levels if look_of(each) == look_of(self.levels[0])][:3]
        yield from self.chart(_all_of(alike), "line", *alike)
        yield from ('group_by = "date"', "width = 12", "height = 3")

    def table(self) -> Iterator[str]:
        """Everything side by side."""
        by = next((role for role in ("practice", "provider") if getattr(self.roles, role)), None)
        by = by or ("date" if self.roles.date is not None else next(iter(self.facts.kinds), None))
        shown = [*self.sums[:4], *self.levels[:2]]
        if by is None or not shown:
            return
        yield from self.opening("At a glance", "table")
        yield f"group_by = {_text(by)}"
        if by != "date":
            yield 'sort = "-value"'
        yield "series = ["
        for each in shown:
            said = [] if each.name is None else [f"measure = {_text(each.name)}"]
            said = said or [f"name = {_text(_said(each))}"]
            aggregate = ['aggregate = "avg"'] if each.is_level else []
            yield f"  {{ {', '.join([*said, *aggregate, f'format = {_format(each)}'])} }},"
        yield from ("]", "width = 12", "height = 4")

    def chart(self, title: str, kind: str, *measures: MeasureFacts) -> Iterator[str]:
        """How a chart of some measures of one kind begins."""
        yield from self.opening(title, kind)
        names = [each.name for each in measures if each.name is not None]
        if not names:
            yield f"series = [{{ name = {_text(_said(measures[0]))} }}]"
        elif len(names) == 1:
            yield f"measure = {_text(names[0])}"
        else:
            yield f"measures = {_list(names)}"
        if measures[0].is_level:
            yield 'aggregate = "avg"'
        yield f"format = {_format(measures[0])}"

    def opening(self, title: str, kind: str) -> Iterator[str]:
        """The fields that all charts have."""
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50] or kind
        name = slug
        number = 2
        while name in self.taken:
            name, number = f"{slug}-{number}", number + 1
        self.taken.add(name)
        yield "\n[[charts]]"
        yield f"id = {_text(name)}"
        yield f"title = {_text(_plain(title)[:200].strip() or kind)}"
        yield f"type = {_text(kind)}"


def _said(measure: MeasureFacts) -> str:
    """What a title calls it."""
    return _plain(measure.name or "Value")


def _all_of(measures: Sequence[MeasureFacts]) -> str:
    """What a title calls several."""
    *before, last = [_said(each) for each in measures]
    return f"{', '.join(before)} and {last}" if before else last


def _format(measure: MeasureFacts) -> str:
    """How its numbers look; nobody reads the cents of millions."""
    look = look_of(measure)
    if look == "currency" and abs(measure.total) >= _LARGE:
        return '{ kind = "currency", decimals = 0 }'
    return _text(look)


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are TOML's, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: str | int) -> str:
    return _text(value) if isinstance(value, str) else str(value)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(_text(value) for value in values)}]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
